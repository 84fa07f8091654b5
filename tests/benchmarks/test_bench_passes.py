"""How long a pass search takes beside Skyfield's and sgp4-predict's, and how exact it is.

CPU time of one process in one run, all methods on the same elements, stations and window;
the slow ones on a random part of the pairs. "ssd" is one satellite over one station for a
day. Real sets in place of the seeded ones: SKYTRUNK_BENCH_ELEMENTS=file. The public rival
is measured if it can be imported:

    pip install --target /tmp/rival sgp4-predict; PYTHONPATH=/tmp/rival make bench
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest
from skyfield.api import EarthSatellite, wgs84

from orbits import (
    Elements,
    GroundStation,
    find_passes,
    format_tle,
)
from tests.benchmarks.passes import (
    MASK_DEG,
    SMOKE,
    TIMESCALE,
    constellation,
    cpu_s,
    engines,
    ground,
    machine,
    the_rival,
    window_of,
)
from tests.orbits.sets import MICIUS_2016_12_18, XINGLONG

pytestmark = pytest.mark.bench


def ours(
    sets: list[Elements], places: list[GroundStation], days: float, engine: str = "numpy"
) -> None:
    table = find_passes(sets, places, *window_of(sets, days), mask_deg=MASK_DEG, engine=engine)
    # Columns are put in order when first asked for; that is part of the price.
    for name in ("rise_offset_s", "culmination_offset_s", "set_offset_s", "max_elevation_deg"):
        getattr(table, name)


def pairs_of(
    sets: list[Elements], places: list[GroundStation], count: int
) -> list[tuple[Elements, GroundStation]]:
    rng = np.random.default_rng(3)
    return [
        (sets[rng.integers(len(sets))], places[rng.integers(len(places))]) for _ in range(count)
    ]


def skyfield_loop(pairs: list[tuple[Elements, GroundStation]], days: float, sets: Any) -> None:
    start, end = (TIMESCALE.from_datetime(t) for t in window_of(sets, days))
    for elements, place in pairs:
        satellite = EarthSatellite.from_satrec(elements.satrec(), TIMESCALE)
        site = wgs84.latlon(place.lat_deg, place.lon_deg, elevation_m=place.height_m)
        satellite.find_events(site, start, end, altitude_degrees=MASK_DEG)


def rival_loop(
    rival: Any, pairs: list[tuple[Elements, GroundStation]], days: float, sets: list[Elements]
) -> None:
    start, end = window_of(sets, days)
    interval = rival.Interval(start, end)
    for elements, place in pairs:
        predictor = rival.Predictor.from_tle(rival.Tle(elements.label, *format_tle(elements)))
        observer = rival.GeodeticPoint(place.lat_deg, place.lon_deg, place.height_m)
        for _ in predictor.transits_iter(observer, interval, MASK_DEG):
            pass


def test_against_skyfield_and_the_fastest_public_rival() -> None:
    sizes = [(4, 3, 1.0), (8, 4, 1.0)] if SMOKE else [(100, 50, 7.0), (1000, 100, 1.0)]
    part = 4 if SMOKE else 40
    rival = the_rival()
    for engine in engines():
        took = cpu_s(lambda: ours(constellation(2), ground(2), 1.0, engine))  # noqa: B023
        print(f"\nimports, tables and compiling, {engine}: {took:.1f} s")
    print(f"\npasses above {MASK_DEG:g} deg; CPU time; {machine()}")
    for satellites, stations, days in sizes:
        sets, places = constellation(satellites), ground(stations)
        pairs = pairs_of(sets, places, part)
        total, some = len(sets) * stations * days, part * days
        sky = cpu_s(lambda: skyfield_loop(pairs, days, sets)) / some * 1e6  # noqa: B023
        print(f"{len(sets)} satellites x {stations} stations x {days:g} d, us per ssd:")
        print(f"  Skyfield find_events, loop over {part} pairs {sky:9.1f}")
        if rival is None:
            print("  sgp4-predict                          not installed")
        else:
            other = cpu_s(lambda: rival_loop(rival, pairs, days, sets)) / some * 1e6  # noqa: B023
            print(f"  sgp4-predict (no culmination)         {other:9.1f}")
        for engine in engines():
            work = [cpu_s(lambda: ours(sets, places, days, engine)) for _ in range(3)]  # noqa: B023
            mine = min(work) / total * 1e6
            times = f"{sky / mine:.0f} x Skyfield"
            print(f"  orbits.find_passes, all pairs, {engine:6} {mine:9.1f}   {times}")


def rival_question(rival: Any, start: datetime, end: datetime, *, with_tops: bool) -> None:
    predictor = rival.Predictor.from_tle(rival.Tle("MICIUS", *format_tle(MICIUS_2016_12_18)))
    place = rival.GeodeticPoint(XINGLONG.lat_deg, XINGLONG.lon_deg, XINGLONG.height_m)
    for transit in predictor.transits_iter(place, rival.Interval(start, end), MASK_DEG):
        if with_tops:
            predictor.max_elevation(place, transit)


@pytest.mark.parametrize("days", [1.0] if SMOKE else [1.0, 7.0, 30.0])
def test_one_satellite_over_one_station(days: float) -> None:
    start = datetime(2016, 12, 19, tzinfo=UTC)
    end = start + timedelta(days=days)
    site = wgs84.latlon(XINGLONG.lat_deg, XINGLONG.lon_deg, elevation_m=XINGLONG.height_m)
    satellite = EarthSatellite.from_satrec(MICIUS_2016_12_18.satrec(), TIMESCALE)
    ends = TIMESCALE.from_datetime(start), TIMESCALE.from_datetime(end)

    def find(engine: str) -> None:
        find_passes(MICIUS_2016_12_18, XINGLONG, start, end, mask_deg=MASK_DEG, engine=engine)

    ways: dict[str, Callable[[], object]] = {
        f"find_passes, {engine}": partial(find, engine) for engine in engines()
    }
    ways["Skyfield"] = lambda: satellite.find_events(site, *ends, altitude_degrees=MASK_DEG)
    if (rival := the_rival()) is not None:
        ways["sgp4-predict"] = partial(rival_question, rival, start, end, with_tops=False)
        ways["  with culmination"] = partial(rival_question, rival, start, end, with_tops=True)
    print(f"\nMicius over Xinglong, {days:g} d, ms of CPU time:")
    for name, work in ways.items():
        work()
        print(f"  {name:22}{min(cpu_s(work) for _ in range(20)) * 1e3:8.2f}")


def test_cost_is_linear_in_each_size() -> None:
    base = (4, 4, 1.0) if SMOKE else (50, 40, 4.0)
    print("\ncost against size")
    for name, factors in (("satellites", (2, 1, 1)), ("stations", (1, 2, 1)), ("days", (1, 1, 2))):
        satellites, stations, days = (b * f for b, f in zip(base, factors, strict=True))
        small = constellation(int(base[0])), ground(int(base[1])), base[2]
        large = constellation(int(satellites)), ground(int(stations)), days
        # In turn, so that a machine that changes its speed does so for both.
        pairs = [[cpu_s(lambda: ours(*job)) for job in (small, large)] for _ in range(5)]  # noqa: B023
        times = [min(each) for each in zip(*pairs, strict=True)]
        print(
            f"  twice the {name}: {times[0]:.3f} s -> {times[1]:.3f} s, {times[1] / times[0]:.2f} x"
        )
