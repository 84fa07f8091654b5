"""Pairs of stations under one satellite, held against tracks and passes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import PairKind
from scheduler.errors import InputError, UnknownName
from scheduler.services.context import Context
from scheduler.settings import Settings

SettingsOf = Callable[..., Settings]
START, END = datetime(2016, 12, 17, tzinfo=UTC), datetime(2016, 12, 22, tzinfo=UTC)
ASKED: dict[str, Any] = {
    "satellite": "micius", "first": "xinglong", "second": "nanshan", "start": START, "end": END,
}  # fmt: skip
MASK_DEG = 10.0
SECOND = timedelta(seconds=1)


@pytest.fixture
def context(settings_of: SettingsOf) -> Iterator[Context]:
    with Context(settings_of(weather="climatology"), clock=SimulatedClock(START)) as opened:
        yield opened


def test_a_simultaneous_window_is_just_where_both_stand_above_their_masks(
    context: Context,
) -> None:
    answer = services.station_pairs(context, **ASKED, simultaneous=True)

    assert answer.kind is PairKind.SIMULTANEOUS
    assert len(answer.rows) == 4
    for row in answer.rows:
        begins, ends = row.first.begins_at, row.first.ends_at
        assert (row.second.begins_at, row.second.ends_at) == (begins, ends)
        lower = []
        for station in ("xinglong", "nanshan"):
            seen = services.station_track(
                context, "micius", station, begins - SECOND, ends + 2 * SECOND
            )
            lower.append(seen.elevation_deg)
        least = [min(pair) for pair in zip(*lower, strict=True)]
        # A second before and after, one of both is below; within, neither is.
        assert least[0] < MASK_DEG
        assert least[-1] < MASK_DEG
        assert min(least[2:-3]) > MASK_DEG - 1e-3
        assert row.joint_elevation_deg == pytest.approx(max(least), abs=0.05)
        assert row.gap_s is row.secret_bits is row.expected_bits is None


def test_sequential_windows_are_dark_links_of_passes_within_the_gap(context: Context) -> None:
    passes = services.upcoming_passes(
        context, satellite="micius", start=START, end=END, forecast=True, dark_only=True
    ).rows
    links = {(row.station, row.acquires_at): row for row in passes}

    answer = services.station_pairs(context, **ASKED, gap_h=2.0)

    expected = {
        (one.acquires_at, other.acquires_at)
        for one in passes
        for other in passes
        if (one.station, other.station) == ("xinglong", "nanshan")
        and one.loses_at is not None
        and other.acquires_at is not None
        and timedelta(0) <= other.acquires_at - one.loses_at <= timedelta(hours=2)
    }
    assert {(row.first.begins_at, row.second.begins_at) for row in answer.rows} == expected
    for row in answer.rows:
        one, other = (links[side.station, side.begins_at] for side in (row.first, row.second))
        gap = timedelta(seconds=row.gap_s or 0.0)
        assert one.loses_at is not None
        assert one.loses_at + gap == other.acquires_at
        assert row.secret_bits == min(one.secret_bits or 0, other.secret_bits or 0)
        assert row.first.dark
        assert row.second.dark


def test_both_skies_count_in_what_is_expected(context: Context) -> None:
    answer = services.station_pairs(context, **ASKED)

    best = max(answer.rows, key=lambda row: row.expected_bits or 0.0)
    assert best.secret_bits
    # December: Xinglong lies in the monsoon's reach, Nanshan in inner Asia (synthetic months).
    assert (best.first.clear_probability, best.second.clear_probability) == (0.72, 0.55)
    assert best.expected_bits == pytest.approx(0.72 * 0.55 * best.secret_bits)


def test_a_satellite_over_midnight_stands_in_the_shadow_and_at_noon_in_the_sun(
    context: Context,
) -> None:
    rows = services.station_pairs(context, **ASKED, simultaneous=True).rows

    assert {row.first.sunlit_fraction for row in rows if row.first.dark} == {0.0}
    assert {row.first.sunlit_fraction for row in rows if not row.first.dark} == {1.0}


def test_a_longer_gap_takes_no_window_away(context: Context) -> None:
    def found(gap_h: float) -> set[tuple[datetime, datetime]]:
        rows = services.station_pairs(context, **ASKED, gap_h=gap_h).rows
        return {(row.first.begins_at, row.second.begins_at) for row in rows}

    assert found(0.0) <= found(2.0) <= found(30.0)
    assert found(2.0) < found(30.0)


WRONG = [
    ({"second": "xinglong"}, InputError, "with itself"),
    ({"gap_h": -1.0}, InputError, "gap_h -1"),
    ({"gap_h": 169.0}, InputError, "0 to 168"),
    ({"gap_h": 2.0, "simultaneous": True}, InputError, "one of both"),
    ({"second": "baikonur"}, UnknownName, "baikonur"),
    ({"satellite": "sputnik"}, UnknownName, "sputnik"),
    ({"end": START}, InputError, "not after"),
]


@pytest.mark.parametrize(("change", "error", "word"), WRONG)
def test_a_question_that_is_none_is_refused(
    context: Context, change: dict[str, Any], error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        services.station_pairs(context, **{**ASKED, **change})
