"""The texts that are written out for speed are byte for byte the canonical JSON."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scheduler.ledger.log.canonical import (
    DIGESTED,
    announcement_digest,
    canonical_json,
    entry_digest,
    instant_text,
    leaf_data,
    plain,
    row_digest,
)

INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(-timedelta(minutes=210))])
INSTANTS = st.datetimes(timezones=ZONES).filter(lambda instant: 1 < instant.year < 9999)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    INSTANTS,
)


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _expected(table: str, row: dict[str, Any]) -> str:
    body = {name: plain(row[name]) for name in DIGESTED[table] if row[name] is not None}
    return _sha256({"row": table, **body})


@given(
    table=st.sampled_from(sorted(DIGESTED)),
    values=st.lists(VALUES, min_size=13, max_size=13),
)
def test_a_row_is_hashed_as_its_canonical_json(table: str, values: list[Any]) -> None:
    row = dict(zip(DIGESTED[table], values, strict=False)) | {"not_hashed": 7}
    assert row_digest(table, row) == _expected(table, row)


@given(INSTANTS)
def test_an_instant_has_one_text(instant: datetime) -> None:
    utc = instant.astimezone(UTC)
    assert instant_text(instant) == utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert instant_text(utc) == instant_text(instant)


@given(
    seq=st.one_of(INTEGERS, st.text(), st.booleans(), st.none()),
    kind=st.one_of(st.text(), st.none()),
    subject=st.one_of(st.text(), INTEGERS, st.lists(st.text())),
    digest=st.one_of(st.text(), st.none()),
)
def test_a_leaf_is_hashed_as_its_canonical_json(
    seq: Any, kind: Any, subject: Any, digest: Any
) -> None:
    body = {"seq": seq, "kind": kind, "subject": subject, "row_sha256": digest}
    assert leaf_data(seq, kind, subject, digest) == canonical_json(body).encode()


@given(
    numbers=st.lists(INTEGERS, min_size=9, max_size=9),
    resolves=st.one_of(st.none(), INTEGERS),
)
def test_an_entry_is_hashed_as_its_canonical_json(numbers: list[int], resolves: int | None) -> None:
    names = ("id", "command_id", "line", "source_id", "target_id", "amount_bits", "block_ref")
    body = dict(zip((*names, "start_bit", "end_bit"), numbers, strict=True))
    if resolves is not None:
        body["resolves_id"] = resolves
    expected = _sha256(body | {"row": "ledger_entry", "enters": "delivered"})
    assert entry_digest(*numbers, "delivered", resolves) == expected


@given(relay=st.text(), parts=st.lists(st.lists(INTEGERS, min_size=6, max_size=6)))
def test_an_announcement_is_hashed_as_its_canonical_json(
    relay: str, parts: list[list[int]]
) -> None:
    row = {
        "announcement_id": "0e5c6f1e-2f4b-4d2c-9a34-6a1f3fbc1d7e",
        "command_id": 3,
        "id": 4,
        "length_bits": 256,
        "public_sha256": "ab" * 32,
        "relay": relay,
    }
    spans = canonical_json([part[1:] for part in parts])
    lines = [(*part, relay) for part in parts]
    assert announcement_digest(row, lines) == _sha256(row | {"row": "announcement", "parts": spans})
