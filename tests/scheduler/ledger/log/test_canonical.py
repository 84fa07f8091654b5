"""The texts that are written out for speed are byte for byte the canonical JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scheduler.ledger.log.canonical import canonical_json, instant_text, leaf_data

INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(-timedelta(minutes=210))])
INSTANTS = st.datetimes(timezones=ZONES).filter(lambda instant: 1 < instant.year < 9999)


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
