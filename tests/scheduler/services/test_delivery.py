"""Keys for applications: once on each side, kept until they left, void or repeated in doubt."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import Delivery, KeyConstraints, KeyOrigin, KeyRequest, Pool, RouteType
from scheduler.errors import (
    ConstraintNotMet,
    FactError,
    InputError,
    KeyRanOut,
    NotAllowed,
    SchedulerError,
    SimulatedKey,
    UnknownName,
    WrongState,
)
from scheduler.ledger import Ledger, Transaction
from scheduler.ledger.keys.stock import get_balances
from scheduler.services.context import Context
from scheduler.services.delivery import dec_keys, enc_keys, key_status, settle_answers
from scheduler.services.delivery.origins import together
from scheduler.services.merges.at_request import merge_for
from tests.scheduler.services.ring import PAIR, TEXT, give_link_key, register

Open = Callable[..., Context]


@pytest.fixture
def ring(open_context: Open) -> Context:
    """The ring with key on every link, nothing merged yet."""
    context = open_context(text=TEXT)
    give_link_key(context, "first", 65_536)
    register(context)
    return context


def draw(context: Context, number: int = 1, **more: object) -> Delivery:
    request = KeyRequest(number=number, **more)  # type: ignore[arg-type]
    return enc_keys(context, master="bank-e", slave="bank-w", request=request)


def collect(context: Context, ids: list[UUID], who: str = "bank-w") -> Delivery:
    return dec_keys(context, slave=who, master="bank-e", key_ids=ids)


def ids_of(answer: Delivery) -> list[UUID]:
    return [key.key_id for key in answer.keys]


def bytes_of(answer: Delivery) -> dict[UUID, bytes]:
    return {key.key_id: key.material for key in answer.keys}


def pass_time(context: Context, seconds: float) -> None:
    clock = context.clock
    assert isinstance(clock, SimulatedClock)
    clock.advance_to(clock.now() + timedelta(seconds=seconds))


def test_both_ends_get_the_same_key_once(ring: Context) -> None:
    given = draw(ring, 3)
    taken = collect(ring, ids_of(given)[::-1])

    assert bytes_of(taken) == bytes_of(given)
    assert ids_of(taken) == ids_of(given)[::-1]
    assert {len(key.material) for key in given.keys} == {32}
    with pytest.raises(UnknownName):
        collect(ring, ids_of(given)[:1])
    settle_answers(ring, [given.answer_id, taken.answer_id])
    assert services.verify_ledger(ring).problems == ()
    with pytest.raises(UnknownName):
        collect(ring, ids_of(given)[:1])


def test_keys_come_by_merging_within_the_request_until_the_links_run_dry(ring: Context) -> None:
    seen: set[bytes] = set()

    def draw_all() -> None:
        while True:
            seen.update(bytes_of(draw(ring, 20, size_bits=512)).values())

    with pytest.raises(KeyRanOut) as error:
        draw_all()
    assert 0 <= error.value.available < 20
    assert f"{error.value.available} keys of 512 bits" in str(error.value)
    # Two disjoint ways of 65,536 bits, less proofs, tag keys and what fills no request of 20.
    assert 100 <= len(seen) <= 256
    assert services.verify_ledger(ring).problems == ()


def test_two_processes_at_once_share_no_key(ring: Context, open_context: Open) -> None:
    other = open_context(text=TEXT)
    merge_for(ring, PAIR, 40_000, constraints=KeyConstraints(), at=ring.clock.now())
    found: list[Delivery] = []

    def customer(context: Context) -> None:
        for number in (1, 2, 3, 1, 2):
            given = draw(context, number)
            taken = collect(context, ids_of(given))
            assert bytes_of(taken) == bytes_of(given)
            settle_answers(context, [given.answer_id, taken.answer_id])
            found.append(given)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(customer, context) for context in (ring, other) * 2]:
            done.result(timeout=120)

    keys = [key.material for given in found for key in given.keys]
    assert len(keys) == len(set(keys)) == 4 * 9
    assert services.verify_ledger(ring).problems == ()


@pytest.mark.parametrize("size_bits", [64, 72, 256, 1000, 8192])
def test_any_whole_number_of_bytes_within_the_limits(ring: Context, size_bits: int) -> None:
    given = draw(ring, 2, size_bits=size_bits)

    assert {8 * len(key.material) for key in given.keys} == {size_bits}
    assert bytes_of(collect(ring, ids_of(given))) == bytes_of(given)


def test_slaves_at_other_nodes_get_copies_each_once_and_everything_is_erased(ring: Context) -> None:
    services.add_sae(ring, sae_id="port-m", node="mid")
    slaves = ("bank-w", "port-s", "port-m")
    given = draw(ring, 3, additional_slaves=slaves[1:])
    answers = [given.answer_id]
    for who in slaves:
        taken = collect(ring, ids_of(given), who)
        answers.append(taken.answer_id)
        assert bytes_of(taken) == bytes_of(given)
        assert [key.origin for key in taken.keys] == [key.origin for key in given.keys]
        with pytest.raises(UnknownName):
            collect(ring, ids_of(given), who)
    assert services.verify_ledger(ring).problems == ()
    settle_answers(ring, answers)
    assert services.verify_ledger(ring).problems == ()
    with ring.view.read() as reader:
        copies = text("SELECT count(*) FROM material WHERE side > 1")
        assert reader.raw.execute(copies).scalar() == 0
        spent = get_balances(reader)[Pool.pair("east", "south").pool_id]["spent"]
    assert spent >= 3 * 256


def test_a_copy_that_nobody_collects_is_erased_and_the_ledger_stays_sound(ring: Context) -> None:
    given = draw(ring, additional_slaves=("port-s",))
    settle_answers(ring, [given.answer_id, collect(ring, ids_of(given)).answer_id])
    pass_time(ring, ring.settings.key_retention_s + 1)
    services.expire_due(ring, at=ring.clock.now())
    assert services.verify_ledger(ring).problems == ()
    with pytest.raises(UnknownName):
        collect(ring, ids_of(given), "port-s")


def test_a_copy_is_known_to_whoever_knows_its_pad() -> None:
    def origin(*sets: tuple[str, ...], threshold: int) -> KeyOrigin:
        return KeyOrigin(
            paths=(("a", *(one for group in sets for one in group), "b"),), threshold=threshold,
            route_types=frozenset({RouteType.RELAYED}), compromise_sets=sets, simulated=False,
        )  # fmt: skip

    found = together([origin(("m", "n"), threshold=2), origin(("n",), threshold=1)])
    assert (found.compromise_sets, found.threshold) == ((("n",),), 1)
    direct = KeyOrigin(
        paths=(("a", "c"),), threshold=1, route_types=frozenset({RouteType.DIRECT}),
        compromise_sets=(), simulated=False,
    )  # fmt: skip
    assert together([origin(("m",), ("n",), threshold=1), direct]).threshold == 1
    assert together([direct, direct]).threshold == 0


def test_several_entities_at_the_two_nodes_collect_one_key(ring: Context) -> None:
    given = draw(ring, 2, additional_slaves=("bank-w2", "desk-e"))
    answers = [collect(ring, ids_of(given), who) for who in ("bank-w2", "desk-e", "bank-w")]

    assert all(bytes_of(one) == bytes_of(given) for one in answers)
    for one in (given, *answers):
        settle_answers(ring, [one.answer_id])
        assert services.verify_ledger(ring).problems == ()


@pytest.mark.parametrize(
    ("master", "slave", "request_", "error"),
    [
        ("stranger", "bank-w", KeyRequest(), NotAllowed),
        ("bank-e", "stranger", KeyRequest(), UnknownName),
        ("bank-e", "no such id", KeyRequest(), FactError),
        ("bank-e", "bank-e", KeyRequest(), InputError),
        ("bank-e", "desk-e", KeyRequest(), InputError),
        ("bank-e", "bank-w", KeyRequest(size_bits=100), InputError),
        ("bank-e", "bank-w", KeyRequest(size_bits=8), InputError),
        ("bank-e", "bank-w", KeyRequest(size_bits=10**400), InputError),
        ("bank-e", "bank-w", KeyRequest(number=0), InputError),
        ("bank-e", "bank-w", KeyRequest(number=129), InputError),
        ("bank-e", "bank-w", KeyRequest(additional_slaves=("bank-w",)), InputError),
        ("bank-e", "bank-w", KeyRequest(additional_slaves=("x",) * 17), InputError),
    ],
)
def test_what_does_not_fit_is_refused_and_draws_nothing(
    ring: Context, master: str, slave: str, request_: KeyRequest, error: type[SchedulerError]
) -> None:
    before = services.pool_balances(ring)
    with pytest.raises(error):
        enc_keys(ring, master=master, slave=slave, request=request_)
    assert services.pool_balances(ring) == before


def test_only_who_is_named_collects_and_only_from_the_master_that_drew(ring: Context) -> None:
    given = draw(ring)
    with pytest.raises(NotAllowed):
        collect(ring, ids_of(given), "bank-w2")
    with pytest.raises(NotAllowed):
        collect(ring, ids_of(given), "stranger")
    with pytest.raises(UnknownName):
        dec_keys(ring, slave="bank-w", master="desk-e", key_ids=ids_of(given))
    with pytest.raises(UnknownName):  # all or nothing
        collect(ring, [*ids_of(given), uuid4()])
    with pytest.raises(InputError):
        collect(ring, ids_of(given) * 2)

    services.remove_sae(ring, "bank-w")
    with pytest.raises(NotAllowed):
        collect(ring, ids_of(given))
    services.add_sae(ring, sae_id="bank-w", node="west")
    assert bytes_of(collect(ring, ids_of(given))) == bytes_of(given)


def test_an_entity_is_registered_once_and_on_the_ground(ring: Context) -> None:
    with pytest.raises(WrongState):
        services.add_sae(ring, sae_id="bank-e", node="west")
    with pytest.raises(UnknownName):
        services.add_sae(ring, sae_id="new", node="nowhere")
    with pytest.raises(UnknownName):
        services.remove_sae(ring, "nobody")
    assert [sae.sae_id for sae in services.list_saes(ring)] == [
        "bank-e", "bank-w", "bank-w2", "desk-e", "port-s",
    ]  # fmt: skip


def test_a_masters_answer_that_may_not_have_left_is_void_at_both_ends(ring: Context) -> None:
    lost, kept = draw(ring, 2), draw(ring, 1)
    settle_answers(ring, [kept.answer_id])
    assert services.doubt_overdue(ring) == (0, 0)
    pass_time(ring, 31)

    assert services.doubt_overdue(ring) == (2, 2)

    assert [(one.key_id, one.recipient, one.voided) for one in services.doubted_keys(ring)] == [
        (key_id, "bank-e", True) for key_id in ids_of(lost)
    ]
    with pytest.raises(UnknownName):
        collect(ring, ids_of(lost))
    assert bytes_of(collect(ring, ids_of(kept))) == bytes_of(kept)
    assert services.verify_ledger(ring).problems == ()


def test_an_answer_counts_from_when_it_is_given_not_asked_for(
    ring: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A merge within the request, and other writers, may take longer than an answer's time.
    run = Ledger.run

    def late(ledger: Ledger, work: Callable[[Transaction], Delivery]) -> Delivery:
        pass_time(ring, 31)
        return run(ledger, work)

    monkeypatch.setattr(Ledger, "run", late)
    given = draw(ring, 2)
    taken = collect(ring, ids_of(given))
    monkeypatch.undo()

    assert services.doubt_overdue(ring) == (0, 0)
    assert bytes_of(taken) == bytes_of(given)


def test_a_key_that_a_slave_has_was_answered_to_its_master(ring: Context) -> None:
    given = draw(ring, 2)
    taken = collect(ring, ids_of(given)[:1])
    settle_answers(ring, [taken.answer_id])
    pass_time(ring, 31)

    assert services.doubt_overdue(ring) == (1, 1)

    assert [one.key_id for one in services.doubted_keys(ring)] == ids_of(given)[1:]
    assert services.verify_ledger(ring).problems == ()


def test_a_slave_repeats_an_answer_in_doubt_until_one_left(ring: Context) -> None:
    given = draw(ring, 2)
    settle_answers(ring, [given.answer_id])
    first = collect(ring, ids_of(given))
    with pytest.raises(UnknownName):  # it may be on its way
        collect(ring, ids_of(given))
    pass_time(ring, 31)
    with pytest.raises(UnknownName):  # the same ids, or none
        collect(ring, ids_of(given)[:1])

    again = collect(ring, ids_of(given))

    assert again.answer_id == first.answer_id
    assert bytes_of(again) == bytes_of(given)
    assert {one.voided for one in services.doubted_keys(ring)} == {False}
    assert services.verify_ledger(ring).problems == ()
    settle_answers(ring, [again.answer_id])
    assert services.doubted_keys(ring) == []
    with pytest.raises(UnknownName):
        collect(ring, ids_of(given))
    assert services.verify_ledger(ring).problems == ()


def test_an_answer_known_to_be_lost_is_in_doubt_at_once(ring: Context) -> None:
    given = draw(ring)
    taken = collect(ring, ids_of(given))
    settle_answers(ring, [given.answer_id], [taken.answer_id])

    assert bytes_of(collect(ring, ids_of(given))) == bytes_of(given)


def test_slaves_copies_are_kept_for_the_retention_time_and_then_destroyed(ring: Context) -> None:
    given = draw(ring, 2)
    settle_answers(ring, [given.answer_id])
    pass_time(ring, 3599)
    assert services.expire_due(ring, at=ring.clock.now())["keys_closed"] == 0
    assert len(collect(ring, ids_of(given)[:1]).keys) == 1
    pass_time(ring, 1)

    # The one in an answer that nobody confirmed is destroyed too.
    assert services.expire_due(ring, at=ring.clock.now())["keys_closed"] == 2

    with pytest.raises(UnknownName):
        collect(ring, ids_of(given)[1:])
    assert services.verify_ledger(ring).problems == ()


def test_simulated_key_leaves_in_a_laboratory_alone(open_context: Open) -> None:
    context = open_context(text=TEXT)
    give_link_key(context, "made up", 65_536, simulated=True)
    register(context)
    with pytest.raises(SimulatedKey, match="SKYTRUNK_LABORATORY"):
        draw(context)

    context.settings = context.settings.model_copy(update={"laboratory": True})
    (key,) = draw(context).keys

    assert key.origin.simulated


COMBINED = KeyConstraints(min_disjoint_paths=2)


def test_constraints_choose_key_and_merge_what_is_missing(ring: Context) -> None:
    (plain,) = draw(ring).keys
    (combined,) = draw(ring, mandatory=COMBINED).keys
    (avoiding,) = draw(ring, mandatory=KeyConstraints(avoid_nodes=frozenset({"mid"}))).keys
    (young,) = draw(ring, mandatory=KeyConstraints(max_age_s=60.0)).keys

    assert plain.origin.threshold == 1
    assert combined.origin.threshold == 2
    assert combined.origin.compromise_sets == (("mid", "south"),)
    assert combined.origin.route_types == {RouteType.COMBINED}
    assert avoiding.origin.paths == (("east", "south", "west"),)
    assert avoiding.origin.compromise_sets == (("south",),)
    assert young.origin.route_types == {RouteType.RELAYED}
    assert services.verify_ledger(ring).problems == ()


def test_old_key_does_not_do_for_a_limit_of_age(ring: Context) -> None:
    draw(ring)
    pass_time(ring, 120)
    with pytest.raises(ConstraintNotMet):
        draw(ring, mandatory=KeyConstraints(max_age_s=60.0))


@pytest.mark.parametrize(
    "constraints",
    [
        KeyConstraints(route_type=RouteType.SATELLITE),
        KeyConstraints(route_type=RouteType.DIRECT),
        KeyConstraints(min_disjoint_paths=3),
        KeyConstraints(avoid_nodes=frozenset({"mid", "south"})),
    ],
)
def test_what_no_key_is_like_is_refused_if_it_must_be_and_not_if_it_may(
    ring: Context, constraints: KeyConstraints
) -> None:
    draw(ring)
    with pytest.raises(ConstraintNotMet):
        draw(ring, mandatory=constraints)
    assert len(draw(ring, preferred=constraints).keys) == 1


def test_preferred_key_is_taken_where_there_is_some(ring: Context) -> None:
    draw(ring)
    draw(ring, mandatory=COMBINED)  # leaves some
    for _ in range(2):
        (key,) = draw(ring, preferred=COMBINED).keys
        assert key.origin.threshold == 2


def test_status_tells_stock_and_runway(ring: Context) -> None:
    empty = key_status(ring, master="bank-e", slave="bank-w")
    assert (empty.stored_keys, empty.runway.empty_at) == (0, None)
    draw(ring, 4)
    pass_time(ring, 60)

    found = key_status(ring, master="bank-w", slave="bank-e")

    stock = services.pool_balances(ring)[PAIR.pool_id]["pool"]
    assert found.stored_keys == stock // 256
    assert (found.master_node, found.slave_node) == ("west", "east")
    assert found.runway.drawn_bits_per_day == 4 * 256
    assert found.runway.empty_at == ring.clock.now() + timedelta(days=stock / 1024)
    assert found.runway.next_key_at is not None
    assert ring.clock.now() < found.runway.next_key_at
    assert found.runway.next_key_from.startswith("link:east--")


def test_nothing_shows_a_bit_of_key(ring: Context) -> None:
    given = draw(ring)
    (key,) = given.keys
    shown = f"{given!r} {replace(key, material=b'')!r} {services.verify_ledger(ring)!r}"
    for form in (key.material.hex(), repr(key.material)[2:-1]):
        assert form not in shown
