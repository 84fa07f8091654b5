"""What the benchmarks of the pass search share: seeded orbits and stations, and clocks."""

from __future__ import annotations

import importlib
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from skyfield.api import load

from orbits import (
    Elements,
    GroundStation,
    read_elements,
)

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
