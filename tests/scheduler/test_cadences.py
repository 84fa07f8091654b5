"""Intervals and lines of cron: what they mean, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain import Cron, Every, parse_cadence
from scheduler.errors import FactError

WHEN = datetime(2026, 11, 29, 22, 33, 7, tzinfo=UTC)  # a Sunday

CASES = [
    ("900", "2026-11-29T22:30:00", "2026-11-29T22:45:00"),
    ("6h", "2026-11-29T18:00:00", "2026-11-30T00:00:00"),
    ("* * * * *", "2026-11-29T22:33:00", "2026-11-29T22:34:00"),
    ("15 */6 * * *", "2026-11-29T18:15:00", "2026-11-30T00:15:00"),
    ("0 4 * * 1-5", "2026-11-27T04:00:00", "2026-11-30T04:00:00"),
    ("0 4 * * 7", "2026-11-29T04:00:00", "2026-12-06T04:00:00"),
    ("0,30 0 29 2 *", "2024-02-29T00:30:00", "2028-02-29T00:00:00"),
    ("10-20/5 22 * 12 *", "2025-12-31T22:20:00", "2026-12-01T22:10:00"),
]


@pytest.mark.parametrize(("text", "last", "following"), CASES)
def test_a_cadence_has_a_last_and_a_following_instant(text: str, last: str, following: str) -> None:
    cadence = parse_cadence(text)
    assert cadence is not None
    assert cadence.last(WHEN).isoformat()[:19] == last
    assert cadence.following(WHEN).isoformat()[:19] == following


@pytest.mark.parametrize(
    "text",
    ["", "0", "-5", "6 weeks", "* * * *", "60 * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *",
     "0 0 30 2 *", "a * * * *", "40000000"],
)  # fmt: skip
def test_what_never_comes_or_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(FactError, match="allowed"):
        parse_cadence(text)


def test_off_is_none() -> None:
    assert parse_cadence("off") is None
    assert parse_cadence("1d") == Every(86_400)


@given(
    st.sampled_from(["*/7 3-9 * * *", "0 0 1 * *", "59 23 * * 0,3", "5 4 */10 */3 *"]),
    st.integers(1_577_836_800, 2_208_988_800),
)
def test_instants_of_cron_follow_each_other_without_a_gap(text: str, unix_s: int) -> None:
    cron, when = Cron(text), datetime.fromtimestamp(unix_s, UTC)
    last, following = cron.last(when), cron.following(when)
    assert last <= when < following
    assert cron.following(last) == following
    assert cron.last(following - timedelta(microseconds=1)) == last
    assert cron.last(following) == following
