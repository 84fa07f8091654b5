"""Bodies, paths and queries that nobody should send: refused, and never a fault of ours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.kme import build_app
from tests.api.kme.conftest import CALLER, PLANE, peer_of, ring_context
from tests.api.kme.inside import InsideClient

PEERS = {"kme-x": {"node": "west", "url": "http://127.0.0.1:9"}}
BODIES = int(os.environ.get("SKYTRUNK_BENCH_BODIES", "300"))
"""Bodies that hypothesis makes; `make faults` asks for more."""
EXPECTED = {200, 202, 400, 401, 404, 405, 413, 415, 503}

WORDS = st.sampled_from(
    ["number", "size", "additional_slave_SAE_IDs", "extension_mandatory", "extension_optional",
     "key_IDs", "key_ID", "skytrunk_route_type", "skytrunk_min_disjoint_paths",
     "skytrunk_max_age_s", "skytrunk_avoid_nodes", "vendor",
     "keys", "key_id", "value", "initiator_sae_id", "target_sae_ids", "ack_callback_url",
     "key_ids", "key_id_container", "ack_status"]
)  # fmt: skip
ODD = st.sampled_from(
    [0, 1, -1, 256, 2**31, 2**63, 10**17, 1e308, 0.1, True, None, "", "\x00", "bank-w", "bank-w2",
     "é", "\ud800", "../..", "00000000-0000-4000-8000-000000000000",
     "{00000000-0000-4000-8000-000000000000}", "satellite", "combined"]
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(ODD, st.integers(), st.floats(allow_nan=True), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(WORDS, st.text(max_size=5)), inner)
    ),
    max_leaves=12,
)
MEMBERS = st.lists(st.tuples(WORDS, VALUES), max_size=4)


def _text(members: list[tuple[str, Any]]) -> bytes:
    """JSON with its members in order, some perhaps twice; NaN and lone surrogates as they are."""
    pairs = (f"{json.dumps(name)}:{json.dumps(value)}" for name, value in members)
    return ("{" + ",".join(pairs) + "}").encode()


RAW = st.one_of(
    MEMBERS.map(_text),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
    st.integers(1, 3000).map(lambda depth: b'{"number":' + b"[" * depth + b"]" * depth + b"}"),
    st.integers(1, 6000).map(lambda digits: b'{"size":' + b"9" * digits + b"}"),
)
PATHS = st.sampled_from(
    ["/api/v1/keys/bank-w/enc_keys", "/api/v1/keys/bank-w/dec_keys",
     "/api/v1/keys/bank-w2/enc_keys", "/api/v1/keys/%00/enc_keys", "/api/v1/keys/a%2F../enc_keys",
     "/api/v1/keys/%E2%80%AE/dec_keys", "/api/v1/keys/bank-w/enc_keys/",
     "/kmapi/v1/ext_keys", "/kmapi/v1/ext_keys/void", "/kmapi/v1/ext_keys/ack"]
)  # fmt: skip


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InsideClient]:
    folder: Path = tmp_path_factory.mktemp("door")
    with (
        ring_context(folder, bits=4_000_000, kme_peers=PEERS) as context,
        InsideClient(build_app(context, peer_of=peer_of)) as client,
    ):
        yield client


@settings(
    max_examples=BODIES, deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink], database=None,
)  # fmt: skip
@given(path=PATHS, raw=RAW)
def test_any_body_gets_an_answer_of_the_standard(door: InsideClient, path: str, raw: bytes) -> None:
    kind = {"content-type": "application/json"}
    answer = door.request("POST", path, content=raw, headers={**kind, **_identity(path)})

    assert answer.status_code in EXPECTED
    body = answer.json()
    if path.startswith("/kmapi"):
        assert answer.status_code in (200, 202) or "fault" not in body["detail"]
    elif answer.status_code == 200:
        assert set(body) == {"keys"}
    else:
        assert isinstance(body["message"], str)
        assert set(body) <= {"message", "details"}
        assert "fault" not in body["message"]


def _identity(path: str) -> dict[str, str]:
    """Who calls: an application, and another network at the door for these."""
    if path.startswith("/kmapi"):
        return {CALLER: "kme-x", PLANE: "peer"}
    return {CALLER: "bank-e"}


@cache
def _operations() -> dict[str, Any]:
    """What the doors say of themselves, by method and path."""
    with_nothing = build_app(None)  # type: ignore[arg-type]  # describes itself without a context
    schema = schemathesis.openapi.from_dict(with_nothing.openapi())
    found = [one.ok() for one in schema.get_all_operations()]
    return {f"{one.method.upper()} {one.path}": one for one in found}


@pytest.mark.parametrize("name", sorted(_operations()))
@settings(
    max_examples=max(10, BODIES // 10), deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate], database=None,
)  # fmt: skip
@given(data=st.data())
def test_the_doors_answer_as_they_say(door: InsideClient, name: str, data: st.DataObject) -> None:
    operation = _operations()[name]
    case = data.draw(operation.as_strategy())
    request = case.as_transport_kwargs(base_url="http://kme.example")
    headers = {**(request.get("headers") or {}), **_identity(operation.path)}
    sent = {name: request[name] for name in ("params", "json") if request.get(name) is not None}
    answer = door.request(request["method"], request["url"], headers=headers, **sent)

    # A path that a generated name turned into another one is nowhere.
    assert str(answer.status_code) in {*operation.definition.raw["responses"], "404"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()
