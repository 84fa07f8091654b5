"""How long a pass search takes beside Skyfield's and sgp4-predict's, and how exact it is.

CPU time of one process in one run, all methods on the same elements, stations and window;
the slow ones on a random part of the pairs. "ssd" is one satellite over one station for a
day. Real sets in place of the seeded ones: SKYTRUNK_BENCH_ELEMENTS=file. The public rival
is measured if it can be imported:

    pip install --target /tmp/rival sgp4-predict; PYTHONPATH=/tmp/rival make bench
"""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skyfield.api import EarthSatellite, load, wgs84

from orbits import (
    Elements,
    GroundStation,
    Visibility,
    find_passes,
    format_tle,
    iter_passes,
    read_elements,
)
from tests.orbits.oracle import dense_passes, disagreements
from tests.orbits.sets import MICIUS_2016_12_18, OFFICIAL, SYNTHETIC, TEN_PLACES, XINGLONG

pytestmark = pytest.mark.bench

SMOKE = bool(os.environ.get("SKYTRUNK_BENCH_SMOKE"))
ROUNDS = int(os.environ.get("SKYTRUNK_BENCH_ROUNDS", "5"))
MASK_DEG = 10.0
START = datetime(2024, 1, 1, tzinfo=UTC)
TIMESCALE = load.timescale(builtin=True)


def constellation(count: int, seed: int = 1) -> list[Elements]:
    """Return seeded low orbits, or the first sets of SKYTRUNK_BENCH_ELEMENTS."""
    if path := os.environ.get("SKYTRUNK_BENCH_ELEMENTS"):
        sets = read_elements(Path(path).read_text())
        return list({e.norad_id: e for e in sets}.values())[:count]
    rng = np.random.default_rng(seed)
    return [
        Elements(
            norad_id=90000 + number,
            epoch=START,
            mean_motion_rev_per_day=rng.uniform(13.5, 15.6),
            eccentricity=rng.uniform(0.0, 0.003),
            inclination_deg=rng.choice([45.0, 53.0, 70.0, 86.4, 97.5]) + rng.uniform(-1.0, 1.0),
            raan_deg=rng.uniform(0.0, 360.0),
            argument_of_perigee_deg=rng.uniform(0.0, 360.0),
            mean_anomaly_deg=rng.uniform(0.0, 360.0),
            bstar=rng.uniform(1e-5, 1e-4),
        )
        for number in range(count)
    ]


def ground(count: int, seed: int = 2) -> list[GroundStation]:
    """Return seeded stations, evenly over the Earth."""
    rng = np.random.default_rng(seed)
    return [
        GroundStation(
            station_id=f"s{number}",
            lat_deg=float(np.degrees(np.arcsin(rng.uniform(-1.0, 1.0)))),
            lon_deg=rng.uniform(-180.0, 180.0),
            height_m=rng.uniform(0.0, 3000.0),
        )
        for number in range(count)
    ]


def window_of(sets: list[Elements], days: float) -> tuple[datetime, datetime]:
    start = max(e.epoch for e in sets).replace(microsecond=0)
    return start, start + timedelta(days=days)


def cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def engines() -> list[str]:
    """Return the engines of one's own that are there, the usual one first."""
    return ["numpy", *(["fast"] if find_spec("numba") else [])]


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


def the_rival() -> Any | None:
    try:
        return importlib.import_module("sgp4_predict")
    except ImportError:
        return None


def machine() -> str:
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ] if Path("/proc/cpuinfo").exists() else [platform.processor()]  # fmt: skip
    return f"{names[0]}, {os.cpu_count()} cores, Python {platform.python_version()}"


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


def surveyed(place: GroundStation, rng: np.random.Generator) -> GroundStation:
    """Return a station among hills, with a corner each ten degrees."""
    heights = np.abs(8.0 + np.cumsum(rng.normal(0.0, 4.0, 36))) % 35.0
    return replace(place, mask=[(10.0 * k, float(height)) for k, height in enumerate(heights)])


def test_horizons_of_36_corners() -> None:
    satellites, stations, days = (8, 4, 1.0) if SMOKE else (100, 50, 7.0)
    rng = np.random.default_rng(5)
    sets, places = constellation(satellites), ground(stations)
    hilly = [surveyed(place, rng) for place in places]
    span, total = window_of(sets, days), satellites * stations * days
    even = min(cpu_s(lambda: find_passes(sets, places, *span, mask_deg=10.0)) for _ in range(4))
    uneven = min(cpu_s(lambda: find_passes(sets, hilly, *span)) for _ in range(4))
    print(
        f"\n{satellites} x {stations} x {days:g} d, us per ssd: mask of 10 deg "
        f"{even / total * 1e6:.1f}, horizons of 36 corners {uneven / total * 1e6:.1f}"
    )


def test_random_horizons_against_a_dense_scan() -> None:
    count = 10 if SMOKE else 1000
    rng = np.random.default_rng(6)
    real = [MICIUS_2016_12_18] + [
        e for e in OFFICIAL[:-3]
        if e.mean_motion_rev_per_day > 6.4
        and not find_passes(e, TEN_PLACES[0], e.epoch, e.epoch + timedelta(days=1)).unusable
    ]  # fmt: skip
    arcs = wrong = 0
    for place in ground(count):
        elements = real[rng.integers(len(real))]
        corners = np.sort(rng.uniform(0.0, 360.0, rng.integers(2, 60)))
        highest = rng.choice([10.0, 30.0, 85.0])
        mask = [(float(azimuth), rng.uniform(-5.0, highest)) for azimuth in corners]
        start = elements.epoch.replace(microsecond=0) + timedelta(hours=rng.uniform(0.0, 5.0))
        hours = timedelta(hours=12)
        table = find_passes(elements, replace(place, mask=mask), start, start + hours)
        arcs += len(table)
        wrong += bool(disagreements(table, step_s=0.1))
    print(f"\n{count} random horizons, half a day each, {arcs} arcs: {wrong} differ from a scan")
    assert not wrong


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


def test_errors_by_orbit_class() -> None:
    classes = {"Micius, 30 d": [MICIUS_2016_12_18]} | {e.name: [e] for e in SYNTHETIC[2:]}
    classes["official sets, low"] = [e for e in OFFICIAL if e.mean_motion_rev_per_day > 6.4]
    classes["official sets, deep space"] = [
        e for e in OFFICIAL[:-1] if e.mean_motion_rev_per_day <= 6.4 and e.norad_id < 33333
    ]
    classes["random orbits"] = random_orbits(60)
    if SMOKE:
        classes = {"LEO, polar": [SYNTHETIC[9]]}
    print("\nerrors against a dense Skyfield scan, ms: median / greatest, and passes compared")
    for name, sets in classes.items():
        errors = np.concatenate([_errors(elements) for elements in sets]) * 1e3
        if len(errors):
            columns = zip(("rise", "culmination", "set"), errors.T, strict=True)
            print(
                f"  {name:28}"
                + "  ".join(f"{n} {np.median(e):.3f} / {e.max():.3f}" for n, e in columns)
                + f"   {len(errors)}"
            )


def random_orbits(count: int, seed: int = 3) -> list[Elements]:
    """Orbits of any shape whose perigee is 250 km high or more, eccentricity to 0.9."""
    draw = np.random.default_rng(seed)
    found: list[Elements] = []
    while len(found) < count:
        one = Elements(
            norad_id=len(found) + 1,
            epoch=datetime(2024, 3, 1, tzinfo=UTC),
            mean_motion_rev_per_day=float(np.exp(draw.uniform(np.log(0.9), np.log(16.0)))),
            eccentricity=float(draw.choice([0.001, 0.01, draw.uniform(0.0, 0.9)])),
            inclination_deg=float(draw.uniform(0.0, 180.0)),
            raan_deg=float(draw.uniform(0.0, 360.0)),
            argument_of_perigee_deg=float(draw.uniform(0.0, 360.0)),
            mean_anomaly_deg=float(draw.uniform(0.0, 360.0)),
        )
        if one.perigee_height_km >= 250.0:
            found.append(one)
    return found


def _errors(elements: Elements) -> np.ndarray:
    places = [XINGLONG] if elements is MICIUS_2016_12_18 else list(TEN_PLACES)
    start = elements.epoch.replace(microsecond=0) + timedelta(hours=1)
    length = 30.0 if elements is MICIUS_2016_12_18 else 2.0
    end = start + timedelta(days=0.5 if SMOKE else length)
    table = find_passes(elements, places, start, end, mask_deg=MASK_DEG)
    if table.unusable:
        end = min(gap.start for gap in table.unusable) - timedelta(seconds=2)
        if end <= start:
            return np.zeros((0, 3))
        table = find_passes(elements, places, start, end, mask_deg=MASK_DEG)
    rows = []
    for index, place in enumerate(places):
        if table.visibility(0, index) is Visibility.ALWAYS_UP:
            continue  # which is no pass
        truth = dense_passes(elements, place, start, end, mask_deg=MASK_DEG)
        clear_deg = MASK_DEG + 0.1
        mine = np.flatnonzero(
            (table.station_index == index) & (table.max_elevation_deg >= clear_deg)
        )
        clear = [one for one in truth if one.elevation_deg >= clear_deg]
        # As many of ours as of theirs: none missed, none invented.
        for row, one in zip(mine, clear, strict=True):
            rows.append(
                (
                    table.rise_offset_s[row] - one.rise_s,
                    table.culmination_offset_s[row] - one.culmination_s,
                    table.set_offset_s[row] - one.set_s,
                )
            )
    return np.abs(np.array(rows).reshape(-1, 3))


# One of two processes that know nothing of each other: what the machine gives at best.
HALF = """
import sys
from tests.benchmarks.test_bench_passes import MASK_DEG, constellation, ground, window_of
from orbits import find_passes, iter_passes
satellites, stations, days, half = (float(word) for word in sys.argv[1:])
sets, places = constellation(int(satellites)), ground(int(stations))
span = window_of(sets, days)
find_passes(sets[:2], places[:2], *span)
print("ready", flush=True)
sys.stdin.readline()
for table in iter_passes(sets[int(half)::2], places, *span, mask_deg=MASK_DEG):
    pass
print("done", flush=True)
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}


def halves_wall_s(satellites: int, stations: int, days: float) -> float:
    """Return how long two independent processes take for half of the satellites each."""
    sizes = [str(size) for size in (satellites, stations, days)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HALF, *sizes, half], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=environment(),
        )
        for half in "01"
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout.readline() == "done\n"
    wall = time.perf_counter() - began
    for process in processes:
        process.communicate()
    return wall


def wall_and_cpu_s(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall time, and the processor time of this process."""
    before, began = time.process_time(), time.perf_counter()
    work()
    return time.perf_counter() - began, time.process_time() - before


def helpers(processes: int) -> AbstractContextManager[Executor | None]:
    """Return an executor of all processes but this one, which works as well."""
    if processes == 1:
        return nullcontext()
    return ProcessPoolExecutor(processes - 1, mp_context=get_context("spawn"))


def test_two_processes() -> None:
    satellites, stations, days = (8, 4, 1.0) if SMOKE else (1000, 100, 7.0)
    sets, places = constellation(satellites), ground(stations)
    span = window_of(sets, days)

    def chunks(executor: Executor | None) -> None:
        for _ in iter_passes(sets, places, *span, mask_deg=MASK_DEG, executor=executor):
            pass

    def whole(executor: Executor | None) -> None:
        find_passes(sets, places, *span, mask_deg=MASK_DEG, executor=executor)

    find_passes(sets[:2], places[:2], *span)  # imports and tables
    # The executor is the caller's, who keeps it: its start is told apart.
    with helpers(2) as executor:
        began = time.perf_counter()
        executor.submit(find_passes, sets[:2], places[:2], *span).result()
        print(f"\nanother process, its start and first search: {time.perf_counter() - began:.2f} s")
        for name, work in (("iter_passes", chunks), ("find_passes", whole)):
            rows = []
            for _ in range(1 if SMOKE else ROUNDS):
                one, two = (wall_and_cpu_s(lambda: work(helper)) for helper in (None, executor))  # noqa: B023
                rows.append((*one, *two, halves_wall_s(len(sets), stations, days)))
            print(
                f"\n{name}, {len(sets)} x {stations} x {days:g} d, one and two processes in turn:"
            )
            for one, one_cpu, two, two_cpu, halves in rows:
                print(
                    f"  wall {one:5.2f} and {two:5.2f} s, {one / two:.2f} x; CPU of the caller "
                    f"{one_cpu:5.2f} and {two_cpu:5.2f} s; independent halves {halves:5.2f} s, "
                    f"{one / halves:.2f} x"
                )
            ratios = np.median([(row[0] / row[2], row[0] / row[4]) for row in rows], axis=0)
            print(f"  median {ratios[0]:.2f} x, of the {ratios[1]:.2f} x of independent halves")


MEMORY = """
import resource
from pathlib import Path
from tests.benchmarks.test_bench_passes import MASK_DEG, constellation, ground, helpers, window_of
from orbits import iter_passes
def most_mb():  # of this program; getrusage would count the one that started it as well
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
    return int(line.split()[1]) / 1024
sets, places = constellation({satellites}), ground({stations})
span = window_of(sets, {days})
count, before = 0, most_mb()
with helpers({processes}) as executor:
    for table in iter_passes(sets, places, *span, mask_deg=MASK_DEG, executor=executor):
        count += len(table)
worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"{{count}} passes, {{before:.0f}} MB before, at most {{most_mb():.0f}} MB; "
      f"largest other process {{worker:.0f}} MB")
"""


def test_memory_is_bounded_by_chunks() -> None:
    satellites, stations, days = (8, 4, 1.0) if SMOKE else (1000, 100, 7.0)
    for processes in (1, 2):
        code = MEMORY.format(
            satellites=satellites, stations=stations, days=days, processes=processes
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env=environment(),
        )  # fmt: skip
        print(
            f"\nchunk by chunk, {satellites} x {stations} x {days:g} d, {processes} process(es): "
            f"{done.stdout.strip()}"
        )
