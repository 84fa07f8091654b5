"""Which element set serves an instant, a window, a pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits import (
    Archive,
    Elements,
    NoElementsError,
    SetRule,
    StaleElementsError,
    TimeError,
    Visibility,
    find_passes,
    find_passes_in_archive,
)
from orbits.archive.store import LEAP_PENALTY
from tests.orbits.sets import MICIUS, MICIUS_2016_12_18, NANSHAN, SYNTHETIC, XINGLONG

DAY = timedelta(days=1)
LEAP = datetime(2017, 1, 1, tzinfo=UTC)
ARCHIVE = Archive(MICIUS)


def at(epoch: datetime, **changes: object) -> Elements:
    return replace(MICIUS_2016_12_18, epoch=epoch, **changes)  # type: ignore[arg-type]


def epochs(*days: float, origin: datetime = datetime(2020, 3, 1, tzinfo=UTC)) -> list[Elements]:
    return [at(origin + day * DAY) for day in days]


def test_sets_are_kept_by_satellite_and_epoch_without_repetition() -> None:
    other = replace(MICIUS[0], norad_id=5)
    archive = Archive([*MICIUS[::-1], *MICIUS, other])
    assert archive.norad_ids == (5, 41731)
    assert archive.sets_of(41731) == MICIUS
    assert len(archive) == 28
    assert list(archive) == [other, *MICIUS]


def test_the_satellite_may_be_left_out_only_if_there_is_one() -> None:
    t = MICIUS[3].epoch
    assert ARCHIVE.nearest(t) == MICIUS[3]
    with pytest.raises(NoElementsError, match="no element set of satellite 5"):
        ARCHIVE.nearest(t, norad_id=5)
    with pytest.raises(NoElementsError, match="holds 2 of them"):
        Archive([*MICIUS, replace(MICIUS[0], norad_id=5)]).nearest(t)
    with pytest.raises(NoElementsError, match="holds 0 of them"):
        Archive([]).known_at(t)


def test_nearest_is_the_smallest_age_on_either_side() -> None:
    first, second = epochs(0, 4)
    archive = Archive([second, first])
    for day, expected in (
        (-9, first),
        (0, first),
        (1.9, first),
        (2, second),
        (4, second),
        (9, second),
    ):
        assert archive.nearest(first.epoch + day * DAY) == expected, day


def test_known_at_is_the_newest_that_had_arrived() -> None:
    first, second = epochs(0, 4)
    archive = Archive([second, first])
    assert archive.known_at(second.epoch) == second
    assert archive.known_at(second.epoch - timedelta(microseconds=1)) == first
    assert archive.known_at(second.epoch, lag=DAY) == first
    assert archive.known_at(second.epoch + DAY, lag=DAY) == second
    with pytest.raises(NoElementsError, match=r"was known by 2020-02-29T00:00:00Z: the first"):
        archive.known_at(first.epoch - DAY)


def test_a_recorded_arrival_counts_more_than_the_lag() -> None:
    first, second = epochs(0, 4)
    late = replace(second, arrived_at=second.epoch + 10 * DAY)
    archive = Archive([first, late])
    assert archive.known_at(second.epoch + 9 * DAY) == first
    assert archive.known_at(second.epoch + 10 * DAY, lag=100 * DAY) == late


def test_an_old_set_that_arrives_late_never_replaces_a_newer_one() -> None:
    first, second, third = epochs(0, 4, 6)
    late = replace(second, arrived_at=third.epoch + 3 * DAY)
    archive = Archive([first, late, third])
    assert archive.known_at(third.epoch + 5 * DAY) == third
    pieces = archive.segments(first.epoch, third.epoch + 9 * DAY, SetRule.KNOWN_AT)
    assert [piece.elements for piece in pieces] == [first, third]


def test_the_earlier_arrival_of_a_repeated_set_is_kept() -> None:
    (item,) = epochs(0)
    early = replace(item, arrived_at=item.epoch + DAY)
    late = replace(item, arrived_at=item.epoch + 2 * DAY)
    for order in ([early, late], [late, early]):
        (kept,) = Archive(order)
        assert kept.arrived_at == early.arrived_at


def test_a_set_on_the_right_side_of_a_leap_second_is_preferred() -> None:
    before, after = at(LEAP - timedelta(hours=2)), at(LEAP + timedelta(hours=30))
    archive = Archive([before, after])
    assert archive.nearest(LEAP - timedelta(seconds=1)) == before
    assert archive.nearest(LEAP) == after
    assert archive.nearest(LEAP + timedelta(hours=1)) == after
    pieces = archive.segments(before.epoch, after.epoch)
    assert [piece.end for piece in pieces] == [LEAP, after.epoch]


def test_a_leap_second_is_crossed_rather_than_using_a_set_weeks_off() -> None:
    before, after = at(LEAP - timedelta(hours=2)), at(LEAP + timedelta(days=20))
    archive = Archive([before, after])
    assert archive.nearest(LEAP + DAY) == before
    # Midway, moved towards the leap second by half of what it counts.
    border = before.epoch + (after.epoch - before.epoch) / 2 - LEAP_PENALTY / 2
    assert archive.segments(before.epoch, after.epoch)[0].end == border


DAYS = st.lists(st.floats(-40.0, 40.0), min_size=1, max_size=6, unique=True)


@given(days=DAYS, start=st.floats(-50.0, 49.0), length=st.floats(0.01, 60.0), at_=st.floats(0, 1))
def test_segments_say_of_each_instant_what_nearest_says(
    days: list[float], start: float, length: float, at_: float
) -> None:
    archive = Archive(epochs(*days, origin=LEAP))
    begin = LEAP + start * DAY
    end = begin + length * DAY
    pieces = archive.segments(begin, end)

    assert pieces[0].start == begin
    assert pieces[-1].end == end
    assert all(a.end == b.start for a, b in pairwise(pieces))
    assert all(piece.start < piece.end for piece in pieces)
    t = begin + at_ * (end - begin) * 0.999999
    (piece,) = (p for p in pieces if p.start <= t < p.end)
    near = archive.nearest(t)
    # A border is rounded to a microsecond.
    border = min(abs(t - p.start) for p in pieces) <= timedelta(microseconds=2)
    assert piece.elements == near or border


@given(days=DAYS, start=st.floats(-50.0, 49.0), length=st.floats(0.01, 60.0), at_=st.floats(0, 1))
def test_segments_say_of_each_instant_what_was_known(
    days: list[float], start: float, length: float, at_: float
) -> None:
    archive = Archive(epochs(*days, origin=LEAP))
    begin = LEAP + start * DAY
    end = begin + length * DAY
    if begin < min(item.epoch for item in archive):
        with pytest.raises(NoElementsError):
            archive.segments(begin, end, "known_at")
        return
    pieces = archive.segments(begin, end, "known_at")
    t = begin + at_ * (end - begin) * 0.999999
    (piece,) = (p for p in pieces if p.start <= t < p.end)
    assert piece.elements == archive.known_at(t)


def test_a_window_is_refused_where_its_set_is_too_far_away() -> None:
    # The next set after 2016-10-09 is of 2016-12-18.
    gap = datetime(2016, 11, 13, tzinfo=UTC)
    with pytest.raises(
        StaleElementsError,
        match=r"satellite 41731 that serves 2016-11-13T00:00:00Z is of 2016-10-09T18:23:23.73\d*Z: "
        r"34.2 days older, allowed are 14$",
    ):
        ARCHIVE.nearest(gap, max_age=14 * DAY)
    with pytest.raises(StaleElementsError, match=r"days younger, allowed are 14$"):
        ARCHIVE.nearest(gap + 5 * DAY, max_age=14 * DAY)
    whole = datetime(2016, 10, 9, tzinfo=UTC), datetime(2016, 12, 19, tzinfo=UTC)
    with pytest.raises(StaleElementsError, match="allowed are 14"):
        ARCHIVE.segments(*whole, max_age=14 * DAY)
    with pytest.raises(StaleElementsError, match="allowed are 14"):
        find_passes_in_archive(ARCHIVE, 41731, XINGLONG, *whole)
    assert len(ARCHIVE.segments(*whole)) == 3


def test_a_stale_set_of_a_satellite_that_came_down_says_so() -> None:
    with pytest.raises(
        StaleElementsError,
        match="its last element set is of 2025-12-12, with the perigee at 317 km and the mean "
        r"motion rising by 0.0042 rev/day a day: it was coming down, expected to re-enter "
        "about 2026-01-27",
    ):
        find_passes_in_archive(
            ARCHIVE,
            41731,
            XINGLONG,
            datetime(2026, 6, 1, tzinfo=UTC),
            datetime(2026, 6, 2, tzinfo=UTC),
            rule=SetRule.KNOWN_AT,
        )


def test_empty_windows_and_other_rules_are_refused() -> None:
    t = MICIUS[0].epoch
    with pytest.raises(TimeError):
        ARCHIVE.segments(t, t)
    with pytest.raises(ValueError, match="newest"):
        ARCHIVE.segments(t, t + DAY, "newest")


def test_as_known_at_uses_one_set_for_the_whole_window() -> None:
    start = datetime(2016, 12, 20, tzinfo=UTC)
    table = find_passes_in_archive(
        ARCHIVE, 41731, XINGLONG, start, start + 3 * DAY, as_known_at=start - timedelta(hours=12)
    )
    assert [e.epoch for e in table.elements] == [MICIUS_2016_12_18.epoch]
    alone = find_passes(MICIUS_2016_12_18, XINGLONG, start, start + 3 * DAY)
    np.testing.assert_array_equal(table.rise_offset_s, alone.rise_offset_s)


def test_each_pass_comes_from_the_set_that_serves_its_culmination() -> None:
    start, end = datetime(2017, 5, 5, tzinfo=UTC), datetime(2017, 5, 22, tzinfo=UTC)
    table = find_passes_in_archive(ARCHIVE, 41731, [XINGLONG, NANSHAN], start, end)
    assert len(table.elements) == 6
    for one in table:
        assert one.epoch == ARCHIVE.nearest(one.culminates_at).epoch
        assert not one.cut_at_start
        assert not one.cut_at_end
        assert one.time_sigma_s is not None
        assert 0.01 < one.time_sigma_s < 5.0
    # As many as by any one of the sets: none cut in two, none lost, none twice.
    for elements in table.elements:
        assert len(find_passes(elements, [XINGLONG, NANSHAN], start, end)) == len(table)


@given(shift_s=st.floats(-400.0, 400.0))
def test_a_border_within_a_pass_neither_cuts_nor_doubles_it(shift_s: float) -> None:
    # Two sets of the same orbit whose border falls around the culmination of a pass.
    top = find_passes(
        MICIUS_2016_12_18, XINGLONG, datetime(2016, 12, 19, 16, tzinfo=UTC),
        datetime(2016, 12, 19, 18, tzinfo=UTC), mask_deg=10.0,
    )[0].culminates_at  # fmt: skip
    border = top + timedelta(seconds=shift_s)
    other = replace(
        MICIUS_2016_12_18,
        epoch=MICIUS_2016_12_18.epoch,
        # 0.05 deg further along: 0.8 s earlier, so that the two disagree at the border.
        mean_anomaly_deg=MICIUS_2016_12_18.mean_anomaly_deg + 0.05,
        arrived_at=border,
    )
    first = replace(MICIUS_2016_12_18, epoch=MICIUS_2016_12_18.epoch - timedelta(seconds=1e-3))
    archive = Archive([first, other])
    table = find_passes_in_archive(
        archive, 41731, XINGLONG, top - timedelta(hours=1), top + timedelta(hours=1),
        rule=SetRule.KNOWN_AT, mask_deg=10.0,
    )  # fmt: skip
    assert len(table) == 1
    assert not table.cut_at_start[0]
    assert not table.cut_at_end[0]
    assert abs(table[0].culminates_at - top) < timedelta(seconds=2)


def test_a_geostationary_satellite_of_several_sets_is_always_up() -> None:
    geo = SYNTHETIC[0]
    archive = Archive([geo, replace(geo, epoch=geo.epoch + 4 * DAY, mean_anomaly_deg=3.93)])
    table = find_passes_in_archive(
        archive, geo.norad_id, XINGLONG, geo.epoch, geo.epoch + 5 * DAY, mask_deg=0.0
    )
    assert len(table) == 0
    said = table.visibilities()[(geo.norad_id, "xinglong")]
    assert said in (Visibility.ALWAYS_UP, Visibility.NEVER_UP)
