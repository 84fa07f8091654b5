"""How long it takes to forecast everything that could be booked: passes, parts, weather."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from orbits import Elements
from scheduler.plan import PlanRules
from scheduler.services.context import Context
from scheduler.services.plans.outlook import options_of, plan_outlook
from scheduler.settings import Settings

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
START = datetime(2024, 1, 1, tzinfo=UTC)
SATELLITES, STATIONS, DAYS = (3, 4, 1) if SMOKE else (40, 20, 7)


def constellation(count: int, seed: int = 1) -> list[Elements]:
    """Seeded low orbits of about 500 km."""
    rng = np.random.default_rng(seed)
    return [
        Elements(
            norad_id=90000 + number,
            epoch=START,
            mean_motion_rev_per_day=rng.uniform(15.0, 15.3),
            eccentricity=rng.uniform(0.0, 0.002),
            inclination_deg=rng.choice([53.0, 86.4, 97.4]),
            raan_deg=rng.uniform(0.0, 360.0),
            argument_of_perigee_deg=rng.uniform(0.0, 360.0),
            mean_anomaly_deg=rng.uniform(0.0, 360.0),
            bstar=5e-5,
        )
        for number in range(count)
    ]


def write_scenario(path: Path, satellites: int, stations: int, seed: int = 2) -> Path:
    """Write a network of so many satellites and of stations in the northern midlatitudes."""
    rng = np.random.default_rng(seed)
    text = 'name = "bench"\ntitle = "Bench"\n\n[planning]\nweather = "climatology"\n'
    for number in range(satellites):
        text += (
            f'\n[[satellites]]\nid = "sat{number:03d}"\nname = "{number}"\n'
            f'norad_id = {90000 + number}\npreset = "micius-2016"\n'
        )
    for number in range(stations):
        text += (
            f'\n[[stations]]\nid = "gs{number:02d}"\nname = "{number}"\n'
            f"lat_deg = {rng.uniform(25.0, 55.0)}\nlon_deg = {rng.uniform(-180.0, 180.0)}\n"
            f"height_m = {rng.uniform(0.0, 2000.0):.1f}\nmask_deg = 10.0\n"
        )
    path.write_text(text)
    return path


def test_everything_that_could_be_booked(tmp_path: Path) -> None:
    path = write_scenario(tmp_path / "bench.toml", SATELLITES, STATIONS)
    settings = Settings(scenario=str(path), database_url=f"sqlite:///{tmp_path / 'bench.db'}")
    with Context(settings, extra_elements=constellation(SATELLITES)) as context:
        _ = context.ledger  # made beforehand
        began, used = time.perf_counter(), time.process_time()
        ahead = plan_outlook(context, START, START + timedelta(days=DAYS), at=START)
        passes_s = time.process_time() - used
        options = options_of(context, ahead, PlanRules(setup_s=30.0, slew_s=60.0), at=START)
        wall, cpu = time.perf_counter() - began, time.process_time() - used
    whole = sum(one.candidate is not None for one in ahead.forecasts)
    print(
        f"\n{SATELLITES} satellites x {STATIONS} stations x {DAYS} d: {len(ahead.forecasts):,}"
        f" passes, {whole:,} dark, {len(options):,} options with parts and weather: {cpu:.2f} s"
        f" of processor ({passes_s:.2f} s for the passes), {wall:.2f} s,"
        f" {1e3 * cpu / len(options):.3f} ms an option"
    )
