"""UT1 and leap seconds from files, against what ships and what Skyfield makes of them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from skyfield.api import load
from skyfield.data import iers
from skyfield.functions import load_bundled_npy

from orbits import (
    Archive,
    EarthTime,
    Elements,
    GroundStation,
    SunAndMoon,
    TimeError,
    find_passes,
    find_passes_in_archive,
    read_earth_time,
    sights,
    subpoint,
    track,
)
from orbits.earth import LEAPS, SHIPPED
from orbits.light import moon_position_km, sun_position_km
from orbits.times import julian_pairs
from tests.orbits.sets import MICIUS_2016_12_18

FIRST, LAST = date(2026, 6, 1), date(2028, 3, 1)
LEAP = date(2028, 1, 1)
Line = tuple[date, float]


def finals(days: list[Line], *, blank: int = 0) -> str:
    """The columns of finals2000A that count, at their places, and days without a prediction."""
    rows = []
    for number, (day, ut1_s) in enumerate(days):
        mjd = f"{day.toordinal() - 678576:5d}.00"
        date_ = f"{day:%y}{day.month:2d}{day.day:2d}"
        ut1 = f"{ut1_s:10.7f}" if number < len(days) - blank else " " * 10
        pole = "I  0.120733 0.009786  0.136966 0.015902"
        rows.append(f"{date_:6} {mjd} {pole}".ljust(57) + f"P{ut1} 0.0102000")
    return "\n".join(rows) + "\n"


def usual(first: date = FIRST, last: date = LAST, *, leap: bool = False) -> list[Line]:
    """UT1 - UTC as shipped to its end, then growing; with a leap second if asked."""
    days = [first + timedelta(days=k) for k in range((last - first).days + 1)]
    found = []
    for day in days:
        jd = np.array([day.toordinal() + 1721424.5])
        until = SHIPPED.known_until.date()
        shipped = float(SHIPPED.ut1_minus_utc_s(jd, np.zeros(1), np.array([37.0]))[0])
        late = (day - until).days
        held = shipped if late < 0 else ENDS_S - 1.5e-3 * late
        found.append((day, held + (1.0 if leap and day >= LEAP else 0.0)))
    return found


_END = SHIPPED.known_until
ENDS_S = float(SHIPPED.ut1_minus_utc_s(*julian_pairs(_END, np.zeros(1)), np.array([37.0]))[0])


def npz(**changes: Any) -> dict[str, Any]:
    """The columns of Skyfield's file, some of them changed or left out."""
    found = {**load_bundled_npy("iers.npz"), **changes}
    return {key: value for key, value in found.items() if value is not None}


def test_a_newer_file_is_known_longer_and_takes_the_place_of_the_shipped_days() -> None:
    newer = read_earth_time(finals(usual()))

    assert SHIPPED.known_until.date() == date(2027, 1, 23)
    assert newer.known_until == datetime(2028, 3, 1, tzinfo=UTC)
    assert newer.leaps == LEAPS
    late = np.array([(LAST - timedelta(days=1)).toordinal() + 1721424.5])
    (told,) = newer.ut1_minus_utc_s(late, np.zeros(1), np.array([37.0]))
    assert told == pytest.approx(usual()[-2][1], abs=1e-6)
    # Before the file begins, nothing changes.
    early = np.array([2457736.5])
    args = early, np.array([0.25]), np.array([36.0])
    assert newer.rotation_rad(*args) == SHIPPED.rotation_rad(*args)


def test_it_is_what_skyfield_makes_of_the_same_file() -> None:
    content = finals(usual())
    mjd, ut1_s = iers.parse_dut1_from_finals_all(io.BytesIO(content.encode()))
    # Skyfield counts the leaps of the file alone, from 12 s on: these are the 25 before it.
    tt_minus_utc_s = 32.184 + 37.0
    theirs = mjd + 2400000.5 + tt_minus_utc_s / 86400.0, (tt_minus_utc_s - ut1_s).round(7)
    ours = read_earth_time(content).table

    for column, other in zip(ours, theirs, strict=True):
        assert np.array_equal(column[-len(mjd) :], other)


def test_a_leap_second_to_come_is_read_from_its_jump() -> None:
    newer = read_earth_time(finals(usual(leap=True)))

    assert newer.leaps == (*LEAPS, (LEAP, 38))
    assert newer.leap_instants[-1] == datetime(2028, 1, 1, tzinfo=UTC)
    jd = LEAP.toordinal() + 1721424.5
    assert newer.tai_minus_utc_s(np.array([jd - 0.5, jd])).tolist() == [37.0, 38.0]
    # TT - UT1 goes on as if there were none.
    assert np.abs(np.diff(newer.table[1])).max() < 0.01


def test_days_without_a_prediction_end_the_file() -> None:
    newer = read_earth_time(finals(usual(), blank=30))

    assert newer.known_until.date() == LAST - timedelta(days=30)


def test_skyfields_own_file_is_read_and_is_the_shipped_one() -> None:
    found = load_bundled_npy("iers.npz")
    longer = {
        name: np.append(found[name], np.repeat(found[name][-1:], 40))
        for name in ("tt_jd_minus_arange", "delta_t_1e7")
    }
    newer = read_earth_time(npz(**longer))

    assert newer.leaps == LEAPS
    assert newer.known_until - SHIPPED.known_until == timedelta(days=40)
    assert np.array_equal(newer.table[1][: len(SHIPPED.table[1])], SHIPPED.table[1])


def _at(days: list[Line], at: int, change: Callable[[Line], Line]) -> str:
    return finals([*days[:at], change(days[at]), *days[at + 1 :]])


REFUSED: dict[str, tuple[str | dict[str, Any], list[str]]] = {
    "no file of this kind": ("<html>busy</html>\n", ["line 1, column 8", "finals2000A"]),
    "nothing": ("", ["0 days", "finals2000A"]),
    "a day is left out": (
        finals(usual()[:5] + usual()[6:]), ["line 6, column 8", "the day after 61196"]
    ),
    "two days change places": (finals(usual()[:1] + usual()), ["line 2, column 8", "61192"]),
    "UT1 that is no number": (
        finals(usual()).replace("P-", "Px").replace("P ", "Px"), ["line 1, column 59"]
    ),
    "UT1 beyond what IERS allows": (
        _at(usual(), 3, lambda one: (one[0], 0.95)), ["line 4, column 59", "0.9"]
    ),
    "UT1 of another planet": (
        finals([(day, ut1_s + 0.4) for day, ut1_s in usual()]), ["2026-06-01", "known is", "0.3 s"]
    ),
    "an older file": (finals(usual(last=date(2026, 9, 1))), ["2026-09-01", "2027-01-23"]),
    "a file that begins later": (
        finals([(day, 0.0) for day, _ in usual(first=date(2027, 6, 1))]),
        ["2027-06-01", "2027-01-23"],
    ),
    "a leap second that was none": (
        finals([(d, u - 0.5 + (1.0 if d >= date(2026, 9, 1) else 0.0)) for d, u in usual()]),
        ["leap second", "2026-09-01"],
    ),
    "a column is missing": (npz(delta_t_1e7=None), ["iers.npz", "delta_t_1e7"]),
    "columns of two lengths": (npz(delta_t_1e7=np.zeros(5)), ["shapes"]),
    "objects": (npz(leap_dates=np.array([None, {}])), ["iers.npz"]),
    "numbers without end": (npz(leap_dates=np.full(27, 1e300)), ["iers.npz"]),
    "days apart": (npz(tt_jd_minus_arange=np.arange(19745) * 2.0), ["do not follow"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_newer_file_is_refused_with_words(name: str) -> None:
    content, words = REFUSED[name]

    with pytest.raises(TimeError) as refused:
        read_earth_time(content)

    for word in words:
        assert word in str(refused.value)


# UT1 a second further than it is: the Earth is 0.00418 deg further round, everywhere.
AHEAD = EarthTime(LEAPS, (SHIPPED.table[0], SHIPPED.table[1] - 1.0))
TURN_DEG = 360.0 * 1.00273791 / 86400.0
START = datetime(2016, 12, 18, 12, tzinfo=UTC)
PLACE = GroundStation(station_id="xinglong", lat_deg=40.3933, lon_deg=117.5775, height_m=900.0)
EAST = replace(PLACE, lon_deg=PLACE.lon_deg + TURN_DEG)
DAY_LATER = START + timedelta(days=1)
OFFSET_S = np.arange(0.0, 86400.0, 600.0)


def test_every_way_to_the_earth_turns_by_the_table_it_is_handed() -> None:
    """A place so much further east then sees what the place itself saw."""
    times = [START + timedelta(seconds=s) for s in OFFSET_S]
    usual_track = track(MICIUS_2016_12_18, EAST, times)
    turned_track = track(MICIUS_2016_12_18, PLACE, times)
    ahead_track = track(MICIUS_2016_12_18, PLACE, times, earth=AHEAD)
    assert np.abs(ahead_track.elevation_deg - usual_track.elevation_deg).max() < 1e-5
    assert np.abs(ahead_track.elevation_deg - turned_track.elevation_deg).max() > 1e-3
    assert np.abs(ahead_track.sun_elevation_deg - usual_track.sun_elevation_deg).max() < 1e-5
    assert np.abs(ahead_track.moon_elevation_deg - usual_track.moon_elevation_deg).max() < 1e-5
    _, usual_lon = subpoint(MICIUS_2016_12_18, times)
    _, ahead_lon = subpoint(MICIUS_2016_12_18, times, earth=AHEAD)
    assert ((usual_lon - ahead_lon) % 360.0).max() == pytest.approx(TURN_DEG, abs=1e-8)


@pytest.mark.parametrize("engine", ["numpy", "skyfield"])
def test_passes_turn_by_it_too(engine: str) -> None:
    usual_table = find_passes(MICIUS_2016_12_18, EAST, START, DAY_LATER, engine=engine)
    ahead = find_passes(MICIUS_2016_12_18, PLACE, START, DAY_LATER, engine=engine, earth=AHEAD)
    archive = Archive([MICIUS_2016_12_18], earth=AHEAD)
    filed = find_passes_in_archive(archive, 41731, PLACE, START, DAY_LATER, engine=engine)

    assert len(usual_table) == len(ahead) == len(filed) > 2
    for table in (ahead, filed):
        assert np.abs(table.rise_offset_s - usual_table.rise_offset_s).max() < 3e-3
        sun = table.light.sun_elevation_deg - usual_table.light.sun_elevation_deg
        assert np.abs(sun).max() < 1e-4


def test_sights_and_bodies_turn_by_it_too() -> None:
    station = np.zeros(len(OFFSET_S), dtype=np.intp)
    usual_sights = sights(MICIUS_2016_12_18, [EAST], station, START, OFFSET_S)
    ahead = sights(MICIUS_2016_12_18, [PLACE], station, START, OFFSET_S, earth=AHEAD)
    assert np.abs(ahead.elevation_deg - usual_sights.elevation_deg).max() < 1e-5
    assert np.abs(ahead.sun_elevation_deg - usual_sights.sun_elevation_deg).max() < 1e-5
    jd, fraction = julian_pairs(START, OFFSET_S)
    exact = sun_position_km(jd, fraction, AHEAD), moon_position_km(jd, fraction, AHEAD)
    for table, body in zip(SunAndMoon(START, 0.0, 86400.0, AHEAD).at(OFFSET_S), exact, strict=True):
        assert np.linalg.norm(table - body, axis=0).max() / np.linalg.norm(body[:, 0]) < 1e-7


def test_an_archive_keeps_to_the_right_side_of_a_leap_second_to_come() -> None:
    newer = read_earth_time(finals(usual(leap=True)))
    leap = newer.leap_instants[-1]
    before, after = (_set(leap + timedelta(days=days)) for days in (-3, 4))
    pieces = Archive([before, after], earth=newer).segments(
        before.epoch, after.epoch, norad_id=41731
    )

    assert [one.elements for one in pieces] == [before, after]
    assert pieces[0].end == leap


def _set(epoch: datetime) -> Elements:
    return replace(MICIUS_2016_12_18, epoch=epoch)


def test_skyfields_timescale_of_the_shipped_one_is_its_own() -> None:
    theirs = load.timescale(builtin=True)
    ours = SHIPPED.timescale()
    instants = [datetime(year, 1, 1, 5, tzinfo=UTC) for year in (1971, 1973, 1999, 2017, 2040)]

    for one, other in pairwise([*instants, instants[0]]):
        assert ours.from_datetime(one).ut1 == theirs.from_datetime(one).ut1
        assert ours.from_datetime(other).tt == theirs.from_datetime(other).tt


def test_two_of_one_content_are_one_also_after_a_way_through_a_pickle() -> None:
    newer = read_earth_time(finals(usual()))

    assert newer == read_earth_time(finals(usual())) == pickle.loads(pickle.dumps(newer))
    assert len({newer, pickle.loads(pickle.dumps(newer)), SHIPPED, EarthTime()}) == 2
    assert newer != SHIPPED
