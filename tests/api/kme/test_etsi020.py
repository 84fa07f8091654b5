"""ETSI GS QKD 020 between two networks of ours: passed on once, told, sent again in doubt, void."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.kme import build_app
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import Delivery, KeyRequest
from scheduler.errors import NotAllowed, SchedulerError, UnknownName
from scheduler.services.context import Context
from scheduler.services.delivery import dec_keys, enc_keys, send_due, settle_answers
from scheduler.settings import KmePeer
from tests.api.kme.conftest import Caller, peer_of, ring_context
from tests.api.kme.inside import InsideClient

PEER = {"x-test-plane": "peer"}
EXT = "/kmapi/v1/ext_keys"


@dataclass(frozen=True)
class Networks:
    """Network A, where a bank draws, and network B, where a shop collects."""

    a: Context
    b: Context
    at_a: Caller  #: B's key manager, at A's door
    at_b: Caller

    def to_b(self, _: KmePeer, path: str, body: Any) -> int | None:
        """A call of A's key manager."""
        status: int = self.at_b.ask("POST", path, json=body, headers=PEER).status_code
        return status

    def to_a(self, _: KmePeer, path: str, body: Any) -> int | None:
        """A call of B's key manager."""
        status: int = self.at_a.ask("POST", path, json=body, headers=PEER).status_code
        return status

    def draw(self, number: int = 2) -> Delivery:
        """Keys for the bank here and the shop there."""
        request = KeyRequest(number=number)
        given = enc_keys(self.a, master="bank-e", slave="shop", request=request)
        settle_answers(self.a, [given.answer_id])
        return given

    def collect(self, given: Delivery) -> dict[UUID, bytes]:
        """The shop's copies."""
        ids = [key.key_id for key in given.keys]
        taken = dec_keys(self.b, slave="shop", master="bank-e", key_ids=ids)
        settle_answers(self.b, [taken.answer_id])
        return _bytes(taken)

    def check(self) -> None:
        """Both ledgers are sound."""
        for context in (self.a, self.b):
            assert services.verify_ledger(context).problems == ()


def _bytes(answer: Delivery) -> dict[UUID, bytes]:
    return {key.key_id: key.material for key in answer.keys}


@pytest.fixture(params=["south", "east"])
def networks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Networks]:
    """B's shop stands away from the border, and then at it."""
    with ExitStack() as stack:
        made = {}
        for name, other, node in (("a", "kme-b", "west"), ("b", "kme-a", "east")):
            folder = tmp_path / name
            folder.mkdir()
            peers = {other: {"node": node, "url": f"https://{other}.example"}}
            made[name] = stack.enter_context(ring_context(folder, kme_peers=peers))
        services.add_sae(made["a"], sae_id="shop", node="kme-b")
        services.remove_sae(made["b"], "bank-e")
        services.add_sae(made["b"], sae_id="bank-e", node="kme-a")
        services.add_sae(made["b"], sae_id="shop", node=request.param)
        apps = {name: build_app(one, peer_of=peer_of) for name, one in made.items()}
        for app in apps.values():
            # Only the tests pass keys on: no call leaves by itself.
            app.router.lifespan_context = _quiet(app.router.lifespan_context)
        doors = {name: stack.enter_context(InsideClient(app)) for name, app in apps.items()}
        yield Networks(
            made["a"], made["b"], Caller(doors["a"], "kme-b"), Caller(doors["b"], "kme-a")
        )


def _quiet(lifespan: Any) -> Any:
    return lambda app: _WithoutPassingOn(lifespan(app), app)


class _WithoutPassingOn:
    """An application's lifespan in which nothing is passed on by itself."""

    def __init__(self, lifespan: Any, app: Any) -> None:
        self._lifespan, self._app = lifespan, app

    async def __aenter__(self) -> None:
        await self._lifespan.__aenter__()
        for task in self._app.state.outbox._tasks[1:]:
            task.cancel()

    async def __aexit__(self, *raised: Any) -> None:
        await self._lifespan.__aexit__(*raised)


def test_a_shop_in_another_network_collects_what_a_bank_drew(networks: Networks) -> None:
    given = networks.draw(3)
    with pytest.raises(UnknownName):
        networks.collect(given)

    assert send_due(networks.a, post=networks.to_b) == 1
    assert send_due(networks.a, post=networks.to_b) == 0

    assert networks.collect(given) == _bytes(given)
    with pytest.raises(UnknownName):
        networks.collect(given)
    networks.check()


def test_a_call_whose_answer_is_lost_is_made_again_with_the_same_keys(networks: Networks) -> None:
    given = networks.draw()
    bodies: list[Any] = []

    def deaf(peer: KmePeer, path: str, body: Any) -> int | None:
        bodies.append(body)
        networks.to_b(peer, path, body)
        return None

    assert send_due(networks.a, post=deaf) == 1
    assert {one.recipient for one in services.doubted_keys(networks.a)} == {"kme-b/shop"}
    assert send_due(networks.a, post=deaf) == 1
    assert bodies[0] == bodies[1]
    assert send_due(networks.a, post=networks.to_b) == 1
    assert services.doubted_keys(networks.a) == []
    assert networks.collect(given) == _bytes(given)
    networks.check()


@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_voids_and_nothing_is_sent_again(networks: Networks, status: int) -> None:
    networks.draw()
    assert send_due(networks.a, post=lambda *_: status) == 1
    assert send_due(networks.a, post=networks.to_b) == 0
    networks.check()


@pytest.mark.parametrize("status", [500, 503, 404, None])
def test_any_other_failure_leaves_it_open(networks: Networks, status: int | None) -> None:
    given = networks.draw()
    assert send_due(networks.a, post=lambda *_: status) == 1
    assert send_due(networks.a, post=networks.to_b) == 1
    assert networks.collect(given) == _bytes(given)


def test_keys_of_a_dead_process_are_sent_again_after_a_while(networks: Networks) -> None:
    given = networks.draw()

    def dies(*_: object) -> int | None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_due(networks.a, post=dies)
    assert send_due(networks.a, post=networks.to_b) == 0
    clock = networks.a.clock
    assert isinstance(clock, SimulatedClock)
    clock.advance_to(clock.now() + timedelta(seconds=31))
    assert services.doubt_overdue(networks.a) == (2, 0)
    assert send_due(networks.a, post=networks.to_b) == 1
    assert networks.collect(given) == _bytes(given)


def _passed_on(**more: Any) -> dict[str, Any]:
    keys = [{"key_id": str(uuid4()), "value": b64encode(bytes(range(32))).decode()}]
    return {"keys": keys, "initiator_sae_id": "bank-e", "target_sae_ids": ["shop"], **more}


def test_the_callback_hears_once_that_keys_arrived(networks: Networks) -> None:
    body = _passed_on(ack_callback_url="https://kme-a.example/kmapi/v1/ext_keys/ack")
    answer = networks.at_b.ask("POST", EXT, json=body, headers=PEER)
    assert (answer.status_code, answer.json()) == (202, {})
    heard: list[tuple[str, Any]] = []

    def hear(status: int | None) -> Callable[..., int | None]:
        def post(_: KmePeer, path: str, told: Any) -> int | None:
            heard.append((path, told))
            return status

        return post

    assert send_due(networks.b, post=hear(None)) == 1
    assert send_due(networks.b, post=hear(200)) == 1
    assert send_due(networks.b, post=hear(200)) == 0
    expected = {
        "key_id_container": [{"key_id": body["keys"][0]["key_id"]}], "ack_status": "relayed",
        "initiator_sae_id": "bank-e", "target_sae_ids": ["shop"],
    }  # fmt: skip
    assert heard == [(f"{EXT}/ack", [expected])] * 2


def test_what_was_not_collected_can_be_voided(networks: Networks) -> None:
    given = networks.draw(2)
    send_due(networks.a, post=networks.to_b)
    one, other = (str(key.key_id) for key in given.keys)
    dec_keys(networks.b, slave="shop", master="bank-e", key_ids=[UUID(one)])
    names = {"initiator_sae_id": "bank-e", "target_sae_ids": ["shop"]}
    url = {"ack_callback_url": "https://kme-a.example/ack"}
    body = {"key_ids": [one, other], **names, **url}

    assert networks.at_b.ask("POST", f"{EXT}/void", json=body, headers=PEER).status_code == 202

    told: list[Any] = []
    send_due(networks.b, post=lambda _, __, body: told.extend(body) or 200)
    assert {ack["ack_status"]: ack["key_id_container"] for ack in told} == {
        "voided": [{"key_id": other}], "failed to void": [{"key_id": one}],
    }  # fmt: skip
    with pytest.raises(UnknownName):
        dec_keys(networks.b, slave="shop", master="bank-e", key_ids=[UUID(other)])
    networks.check()


def test_a_network_voids_its_own_keys_alone(networks: Networks) -> None:
    request = KeyRequest()
    given = enc_keys(networks.b, master="desk-e", slave="bank-w", request=request)
    (key,) = given.keys
    body = {
        "key_ids": [str(key.key_id)], "initiator_sae_id": "bank-e", "target_sae_ids": ["shop"],
    }  # fmt: skip
    assert networks.at_b.ask("POST", f"{EXT}/void", json=body, headers=PEER).status_code == 202
    taken = dec_keys(networks.b, slave="bank-w", master="desk-e", key_ids=[key.key_id])
    assert _bytes(taken) == _bytes(given)


def test_acknowledgements_settle_or_void_what_was_sent(networks: Networks) -> None:
    given = networks.draw()
    ids = [{"key_id": str(key.key_id)} for key in given.keys]
    names = {"initiator_sae_id": "bank-e", "target_sae_ids": ["shop"]}
    send_due(networks.a, post=lambda *_: None)
    for status in ("failed to void", "relayed", "voided"):
        body = {"key_id_container": ids, "ack_status": status, **names}
        for sent in (body, [body]):
            answer = networks.at_a.ask("POST", f"{EXT}/ack", json=sent, headers=PEER)
            assert answer.status_code == 200
    assert services.doubted_keys(networks.a) == []
    assert send_due(networks.a, post=networks.to_b) == 0
    networks.check()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (EXT, _passed_on(keys=[])),
        (EXT, _passed_on(keys=[{"key_id": "x", "value": "QUJD"}])),
        (EXT, _passed_on(keys=[{"key_id": str(uuid4()), "value": "?"}])),
        (EXT, _passed_on(keys=[{"key_id": str(uuid4()), "value": "QUJD"}])),
        (EXT, _passed_on(keys=["x"])),
        (EXT, _passed_on(keys=_passed_on()["keys"] * 2)),
        (EXT, _passed_on(initiator_sae_id="desk-e")),
        (EXT, _passed_on(initiator_sae_id=1)),
        (EXT, _passed_on(target_sae_ids=[])),
        (EXT, _passed_on(target_sae_ids=["nobody"])),
        (EXT, _passed_on(target_sae_ids=["shop", "bank-w"])),
        (EXT, _passed_on(extension_mandatory={"x": 1})),
        (EXT, _passed_on(ack_callback_url="https://elsewhere.example/ack")),
        (EXT, _passed_on(ack_callback_url="http://[")),
        (EXT, _passed_on(ack_callback_url=5)),
        (f"{EXT}/void", {"initiator_sae_id": "bank-e", "target_sae_ids": ["shop"]}),
        (f"{EXT}/ack", []),
        (f"{EXT}/ack", {"ack_status": "fine"}),
        (f"{EXT}/ack", {"ack_status": ["relayed"]}),
    ],
)
def test_what_does_not_fit_is_a_problem(networks: Networks, path: str, body: Any) -> None:
    answer = networks.at_b.ask("POST", path, json=body, headers=PEER)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"type", "title", "status", "detail"}


def test_only_networks_that_are_named_are_answered(networks: Networks) -> None:
    client = networks.at_b.client
    assert client.get("/kmapi/versions").status_code == 401
    assert Caller(client, "kme-a").ask("GET", "/kmapi/versions").status_code == 401
    assert networks.at_b.ask("GET", "/kmapi/versions", headers=PEER).json() == {"versions": ["v1"]}
    stranger = Caller(client, "kme-x")
    assert stranger.ask("POST", EXT, json=_passed_on(), headers=PEER).status_code == 401


def test_an_entity_of_another_network_draws_at_its_own(networks: Networks) -> None:
    error: type[SchedulerError] = NotAllowed
    with pytest.raises(error):
        enc_keys(networks.a, master="shop", slave="bank-e", request=KeyRequest())
