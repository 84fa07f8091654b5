"""ETSI GS QKD 014 V1.1.1 as the applications see it: statuses, messages, shapes, dialects."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.kme import build_app
from scheduler import services
from scheduler.services.context import Context
from tests.api.kme.conftest import Caller, peer_of, ring_context
from tests.api.kme.inside import InsideClient

ENC, DEC = "/api/v1/keys/bank-w/enc_keys", "/api/v1/keys/bank-e/dec_keys"


def keys_of(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    return {key["key_ID"]: key["key"] for key in answer.json()["keys"]}


def refused(answer: Any, status: int, message: str = "") -> dict[str, Any]:
    """The body of an error: a message, perhaps details, nothing else."""
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    assert isinstance(body["message"], str)
    assert set(body) <= {"message", "details"}
    assert message in body["message"]
    return body


# Status (6.1 of the standard)


def test_status_has_every_figure(master: Caller) -> None:
    master.enc("bank-w", {"number": 3})
    answer = master.ask("GET", "/api/v1/keys/bank-w/status")
    body = answer.json()

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert (body["source_KME_ID"], body["target_KME_ID"]) == ("kme-east", "kme-west")
    assert (body["master_SAE_ID"], body["slave_SAE_ID"]) == ("bank-e", "bank-w")
    figures = {
        "key_size": 256, "max_key_per_request": 128, "max_key_size": 8192, "min_key_size": 64,
        "max_SAE_ID_count": 16,
    }  # fmt: skip
    assert {name: body[name] for name in figures} == figures
    assert 0 < body["stored_key_count"] <= body["max_key_count"] < 2**31
    told = body["status_extension"]
    assert told["skytrunk_drawn_bits_per_day"] == 768
    assert told["skytrunk_empty_at"].endswith("Z")
    assert told["skytrunk_next_key_at"].endswith("Z")
    assert told["skytrunk_next_key_from"].startswith("link:")


@pytest.mark.parametrize("path", ["status", "enc_keys", "dec_keys"])
def test_a_caller_that_names_itself_is_refused(master: Caller, path: str) -> None:
    refused(master.ask("GET", f"/api/v1/keys/bank-e/{path}?key_ID={uuid4()}"), 400, "caller")


@pytest.mark.parametrize("path", ["status", "enc_keys"])
def test_an_unknown_other_side_is_a_bad_request(master: Caller, path: str) -> None:
    refused(master.ask("GET", f"/api/v1/keys/nobody/{path}"), 400, "not known")


@pytest.mark.parametrize(
    "path", ["status", "enc_keys", "dec_keys?key_ID=00000000-0000-4000-8000-000000000000"]
)
def test_a_caller_without_certificate_or_registration_is_401(
    client: InsideClient, path: str
) -> None:
    refused(client.get(f"/api/v1/keys/bank-w/{path}"), 401)
    refused(Caller(client, "stranger").ask("GET", f"/api/v1/keys/bank-w/{path}"), 401)
    peer = {"x-test-plane": "peer"}
    refused(Caller(client, "bank-e").ask("GET", f"/api/v1/keys/bank-w/{path}", headers=peer), 401)


# enc_keys (6.2)


def test_one_key_of_the_default_size_by_get(master: Caller, slave: Caller) -> None:
    (key,) = master.enc("bank-w").json()["keys"]

    assert str(UUID(key["key_ID"])) == key["key_ID"]
    assert len(b64decode(key["key"], validate=True)) == 32
    assert keys_of(slave.dec("bank-e", [key["key_ID"]])) == {key["key_ID"]: key["key"]}


@pytest.mark.parametrize("body", [None, b"", b"{}", b"  "])
def test_a_post_without_a_body_is_one_key(master: Caller, body: bytes | None) -> None:
    answer = master.ask("POST", ENC, content=body, headers={"content-type": "application/json"})
    assert len(keys_of(answer)) == 1


@pytest.mark.parametrize(("number", "size"), [(1, 64), (2, 128), (5, 256), (3, 512), (128, 256)])
def test_number_and_size_are_obeyed_by_get_and_post(master: Caller, number: int, size: int) -> None:
    for answer in (
        master.enc("bank-w", {"number": number, "size": size}),
        master.enc("bank-w", number=number, size=size),
    ):
        found = keys_of(answer)
        assert len(found) == number
        assert {8 * len(b64decode(key)) for key in found.values()} == {size}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"size": 100}, "size shall be a multiple of 8"),
        ({"size": 257}, "size shall be a multiple of 8"),
        ({"size": 8}, "size"),
        ({"size": 8200}, "size"),
        ({"size": 0}, "size"),
        ({"size": -256}, "size"),
        ({"size": 10**17}, "size"),
        ({"size": "256"}, "size"),
        ({"size": 256.0}, "size"),
        ({"size": True}, "size"),
        ({"number": 0}, "number"),
        ({"number": -1}, "number"),
        ({"number": 129}, "number"),
        ({"number": "1"}, "number"),
        ({"number": [1]}, "number"),
        ({"number": True}, "number"),
        ({"additional_slave_SAE_IDs": ["nobody"]}, "not known"),
        ({"additional_slave_SAE_IDs": ["bank-w"]}, "twice"),
        ({"additional_slave_SAE_IDs": ["bank-e"]}, "own slave"),
        ({"additional_slave_SAE_IDs": ["no id"]}, "allowed: 1 to 300"),
        ({"additional_slave_SAE_IDs": "bank-w2"}, "list"),
        ({"additional_slave_SAE_IDs": [1]}, "strings"),
        ({"additional_slave_SAE_IDs": ["x"] * 17}, "additional slave SAEs"),
        ({"extension_mandatory": [{"vendor_x": 1}]}, "parameters are supported"),
        ({"extension_mandatory": {"vendor_x": 1}}, "list"),
        ({"extension_mandatory": ["vendor_x"]}, "objects"),
        ({"extension_mandatory": [{"skytrunk_route_type": "sea"}]}, "form"),
        ({"extension_mandatory": [{"skytrunk_min_disjoint_paths": "2"}]}, "form"),
        ({"extension_mandatory": [{"skytrunk_max_age_s": -1}]}, "form"),
        ({"extension_mandatory": [{"skytrunk_avoid_nodes": "mid"}]}, "form"),
        (
            {"extension_mandatory": [{"skytrunk_route_type": "satellite"}]},
            "not all extension_mandatory request options could be met",
        ),
        ([], "object"),
        ("text", "object"),
        (3, "object"),
    ],
)
def test_a_bad_key_request_is_400_without_details(master: Caller, body: Any, message: str) -> None:
    assert "details" not in refused(master.ask("POST", ENC, json=body), 400, message)


@pytest.mark.parametrize(
    "query",
    ["number=x", "number=-1", "number=1.0", "number=", "size=2e2", "number=1&number=2",
     "size=256&key_size=128", "size=%31%00", "number=٣", f"number={'9' * 5000}"],
)  # fmt: skip
def test_a_bad_query_is_400(master: Caller, query: str) -> None:
    refused(master.ask("GET", f"{ENC}?{query}"), 400)


def test_an_empty_pair_is_503_and_says_what_is_there(master: Caller) -> None:
    answer = master.enc("bank-w", {"number": 128, "size": 8192})
    body = refused(answer, 503)

    (detail,) = body["details"]
    assert set(detail) == {"available"}
    assert 0 < int(detail["available"]) < 128
    assert len(keys_of(master.enc("bank-w", {"number": 1, "size": 8192}))) == 1


def test_no_key_is_handed_out_twice(master: Caller) -> None:
    ids: set[str] = set()
    keys: set[str] = set()
    for _ in range(6):
        found = keys_of(master.enc("bank-w", {"number": 50}))
        ids |= set(found)
        keys |= set(found.values())
    assert len(ids) == len(keys) == 300


def test_several_slaves_get_one_key(client: InsideClient, master: Caller) -> None:
    drawn = keys_of(master.enc("bank-w", {"additional_slave_SAE_IDs": ["bank-w2", "desk-e"]}))
    for name in ("desk-e", "bank-w", "bank-w2"):
        one = Caller(client, name)
        assert keys_of(one.dec("bank-e", list(drawn))) == drawn
        refused(one.dec("bank-e", list(drawn)), 400, "not found on KME")


def test_slaves_at_further_nodes_get_the_key_and_whoever_knows_a_pad_knows_it(
    client: InsideClient, master: Caller
) -> None:
    answer = master.enc("bank-w", {"number": 2, "additional_slave_SAE_IDs": ["port-s", "bank-w2"]})
    drawn = keys_of(answer)
    made = answer.json()["keys"][0]["key_extension"]
    assert made["skytrunk_paths"][-1] == ["east", "south"]
    for name in ("port-s", "bank-w", "bank-w2"):
        one = Caller(client, name)
        taken = one.dec("bank-e", list(drawn))
        assert keys_of(taken) == drawn
        assert taken.json()["keys"][0]["key_extension"] == made
        refused(one.dec("bank-e", list(drawn)), 400, "not found on KME")


def test_extensions_choose_and_key_extension_says_who_knows(master: Caller) -> None:
    wanted = [{"skytrunk_min_disjoint_paths": 2}, {"skytrunk_route_type": "combined"}]
    answer = master.enc("bank-w", {"extension_mandatory": wanted})
    (key,) = answer.json()["keys"]
    assert key["key_extension"] == {
        "skytrunk_route_type": ["combined"],
        "skytrunk_paths": [["east", "mid", "west"], ["east", "south", "west"]],
        "skytrunk_threshold": 2,
        "skytrunk_compromise_sets": [["mid", "south"]],
        "skytrunk_simulated": False,
    }
    both = {
        "extension_mandatory": [{"skytrunk_avoid_nodes": ["mid"], "skytrunk_max_age_s": 3600.5}],
        "extension_optional": [{"vendor_x": {"a": 1}}, {"skytrunk_route_type": "satellite"}],
    }
    (key,) = master.enc("bank-w", both).json()["keys"]
    assert key["key_extension"]["skytrunk_paths"] == [["east", "south", "west"]]


# dec_keys (6.3)


def test_keys_come_in_the_order_of_the_request_in_any_case_of_letters(
    master: Caller, slave: Caller
) -> None:
    drawn = keys_of(master.enc("bank-w", {"number": 5}))
    order = sorted(drawn)
    answer = slave.dec("bank-e", [order[0].upper(), *order[1:]])

    assert list(keys_of(answer).items()) == [(one, drawn[one]) for one in order]


def test_one_key_by_get(master: Caller, slave: Caller) -> None:
    ((key_id, key),) = keys_of(master.enc("bank-w")).items()
    assert keys_of(slave.ask("GET", f"{DEC}?key_ID={key_id}")) == {key_id: key}


def test_a_key_is_collected_once_and_a_batch_whole_or_not(master: Caller, slave: Caller) -> None:
    one, two, three = keys_of(master.enc("bank-w", {"number": 3}))
    assert list(keys_of(slave.dec("bank-e", [one]))) == [one]
    message = "one or more keys specified are not found on KME"
    for ids in ([one], [two, one], [two, str(uuid4())]):
        assert refused(slave.dec("bank-e", ids), 400) == {"message": message}
    assert list(keys_of(slave.dec("bank-e", [two, three]))) == [two, three]


def test_a_caller_who_was_not_named_is_401(client: InsideClient, master: Caller) -> None:
    ids = list(keys_of(master.enc("bank-w")))
    for name in ("bank-w2", "port-s", "desk-e"):
        refused(Caller(client, name).dec("bank-e", ids), 401, "not named")


def test_only_the_master_in_the_path_counts(client: InsideClient, master: Caller) -> None:
    ids = list(keys_of(master.enc("bank-w")))
    refused(Caller(client, "bank-w").dec("desk-e", ids), 400, "not found on KME")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"key_IDs": []}, {"key_IDs": None}, {"key_IDs": "x"}, {"key_IDs": [{}]},
        {"key_IDs": [{"key_ID": None}]}, {"key_IDs": [{"key_ID": 1}]}, {"key_IDs": ["x"]},
        {"key_IDs": [{"key_ID": "x"}]},
        {"key_IDs": [{"key_ID": "00000000000040008000000000000000"}]},
        {"key_IDs": [{"key_ID": "{00000000-0000-4000-8000-000000000000}"}]},
        {"key_IDs": [{"key_ID": "00000000-0000-4000-8000-000000000000"}] * 2},
        {"key_IDs": [{"key_ID": f"00000000-0000-4000-8000-{n:012}"} for n in range(129)]},
    ],
)  # fmt: skip
def test_bad_key_ids_are_400(slave: Caller, body: Any) -> None:
    refused(slave.ask("POST", DEC, json=body), 400)


@pytest.mark.parametrize("query", ["", "?key_ID=", "?key_ID=x", "?key_ID=1&key_ID=2"])
def test_bad_key_ids_in_a_query_are_400(slave: Caller, query: str) -> None:
    refused(slave.ask("GET", DEC + query), 400)


# What real senders do


def test_dialects_are_understood(master: Caller, slave: Caller) -> None:
    first = keys_of(master.ask("GET", f"{ENC}?key_size=256"))
    (key_id,) = first
    assert keys_of(slave.ask("GET", f"{DEC}?key_ID={key_id}&key_size=256")) == first
    body = {
        "number": 1, "size": 256, "additional_slave_SAE_IDs": [], "extension_mandatory": None,
        "extension_optional": [], "vendor": {"x": [1]},
    }  # fmt: skip
    second = keys_of(master.enc("bank-w", body))
    asked = {"key_IDs": [{"key_ID": next(iter(second)), "key_ID_extension": None}],
             "key_IDs_extension": None}  # fmt: skip
    assert keys_of(slave.ask("POST", DEC, json=asked)) == second
    nothing = {"number": None, "size": None, "additional_slave_SAE_IDs": None}
    assert len(keys_of(master.enc("bank-w", nothing))) == 1
    plain = master.ask("POST", ENC, content=b'{"number": 2}')
    assert len(keys_of(plain)) == 2


def test_a_long_id_is_an_id(context: Context, client: InsideClient, master: Caller) -> None:
    long = "f" * 291
    services.add_sae(context, sae_id=long, node="west")
    drawn = keys_of(master.enc(long))
    assert keys_of(Caller(client, long).dec("bank-e", list(drawn))) == drawn


@pytest.mark.parametrize("name", ["%20", "a%20b", "%00", "%C3%A9", "a%0d%0ab", "f" * 301, "%25"])
def test_an_impossible_id_in_the_path_is_400(master: Caller, name: str) -> None:
    refused(master.ask("GET", f"/api/v1/keys/{name}/status"), 400, "allowed: 1 to 300")


# Bodies, methods, places


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400), (b"nil", 400), (b'{"number":1,"number":2}', 400), (b"\xff\xfe{}", 400),
        (b'{"number":NaN}', 400), (b'{"size":' + b"9" * 5000 + b"}", 400), (b"{}{}", 400),
        (b'{"x":' + b"[" * 60 + b"]" * 60 + b"}", 400), (b"[" * 30_000, 400),
        (b'{"x":{"y":1,"y":1}}', 400), (b'{"x":"' + b"a" * 70_000 + b'"}', 413),
        (b'{"x":"[[[[[[[[[[[[[[[[["}', 200), (b'{"number":1e400}', 400),
    ],
)  # fmt: skip
def test_bodies_that_are_no_sound_json(master: Caller, content: bytes, status: int) -> None:
    answer = master.ask(
        "POST", ENC, content=content, headers={"content-type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == status
    if status != 200:
        refused(answer, status)


def test_other_types_methods_and_places_have_the_shape_of_an_error(master: Caller) -> None:
    kind = {"content-type": "text/xml"}
    refused(master.ask("POST", ENC, content=b"<a/>", headers=kind), 415)
    for method, path, allowed in (
        ("PUT", ENC, "GET, POST"),
        ("HEAD", DEC, "GET, POST"),
        ("DELETE", "/api/v1/keys/bank-w/status", "GET"),
        ("GET", "/kmapi/v1/ext_keys", "POST"),
    ):
        answer = master.ask(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    refused(master.ask("PUT", ENC), 405)
    for path in ("/", "/api/v1/keys", "/api/v1/keys/bank-w", "/api/v1/keys/a%2Fb/status",
                 "/api/v1/keys//status", "/api/v1/keys/../status", "/openapi.json"):  # fmt: skip
        refused(master.ask("GET", path), 404)


def test_one_process_is_the_key_manager_of_every_node(context: Context) -> None:
    hosts = {"kme-a.example": "east", "kme-b.example": "west"}
    context.settings = context.settings.model_copy(update={"kme_hosts": hosts})
    with InsideClient(build_app(context, peer_of=peer_of)) as client:
        path = "/api/v1/keys/bank-w/status"
        east, west = Caller(client, "bank-e"), Caller(client, "bank-w")
        assert east.ask("GET", path).status_code == 200
        mine, other = {"host": "KME-A.example:8443"}, {"host": "kme-b.example"}
        assert east.ask("GET", path, headers=mine).json()["source_KME_ID"] == "kme-east"
        for method in ("status", "enc_keys"):
            refused(
                east.ask("GET", f"/api/v1/keys/bank-w/{method}", headers=other), 401, "kme-west"
            )
        ids = list(keys_of(east.enc("bank-w")))
        refused(west.ask("GET", f"{DEC}?key_ID={ids[0]}", headers=mine), 401)
        assert list(keys_of(west.ask("GET", f"{DEC}?key_ID={ids[0]}", headers=other))) == ids


def test_the_certificate_that_is_shown_names_the_key_manager(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.kme.identity.kme_of", lambda _: "KME-A")
    hosts = {"KME-A": "east"}
    context.settings = context.settings.model_copy(update={"kme_hosts": hosts})
    with InsideClient(build_app(context, peer_of=peer_of)) as client:
        path = "/api/v1/keys/bank-w/status"
        assert Caller(client, "bank-e").ask("GET", path).json()["source_KME_ID"] == "KME-A"
        path = "/api/v1/keys/bank-e/status"
        refused(Caller(client, "bank-w").ask("GET", path), 401, "kme-east")


# What becomes of answers


def test_answers_that_left_are_settled_and_their_bytes_erased(tmp_path: Path) -> None:
    with ring_context(tmp_path) as context:
        with InsideClient(build_app(context, peer_of=peer_of)) as client:
            drawn = keys_of(Caller(client, "bank-e").enc("bank-w", {"number": 3}))
            keys_of(Caller(client, "bank-w").dec("bank-e", list(drawn)))
        # The application stopped, and told the ledger what it knew.
        clock: Any = context.clock
        clock.advance_to(clock.now().replace(hour=23))
        assert services.doubt_overdue(context) == (0, 0)
        assert services.verify_ledger(context).problems == ()
