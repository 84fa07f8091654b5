"""How long uneven horizons take, and whether a dense scan finds the same arcs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from orbits import (
    GroundStation,
    find_passes,
)
from tests.benchmarks.passes import SMOKE, constellation, cpu_s, ground, window_of
from tests.orbits.oracle import disagreements
from tests.orbits.sets import MICIUS_2016_12_18, OFFICIAL, TEN_PLACES

pytestmark = pytest.mark.bench


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
