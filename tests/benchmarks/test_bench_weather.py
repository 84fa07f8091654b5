"""What it costs that clouds are foretold as chances: the same skies, known and only foretold."""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler.clock import SimulatedClock
from scheduler.domain import ReplaySummary
from scheduler.entropy import KeyedEntropy
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.settings import load_settings
from scheduler.sources.weather import weather_of

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
START = datetime(2016, 12, 19, tzinfo=UTC)
DAYS, SEEDS = (2, 1) if SMOKE else (14, 4)
STEP = timedelta(minutes=10)
SCENARIO = "micius-2016"


def write_true_sky(path: Path, seed: int) -> Path:
    """Write the weather that sessions of this seed meet as a forecast that is never wrong."""
    settings = load_settings(scenario=SCENARIO, weather="climatology")
    context = Context(settings, clock=SimulatedClock(START), entropy=KeyedEntropy(seed))
    with context, path.open("w", newline="") as file:
        weather = weather_of((), context.stations())
        rows = csv.writer(file)
        rows.writerow(["station", "issued_at", "valid_at", "p_clear"])
        for station in context.stations():
            for number in range(DAYS * timedelta(days=1) // STEP):
                at = START + number * STEP
                chance = weather.clear_probability(station.station_id, at, known_at=at)
                clear = context.true_sky.is_clear(
                    station.lat_deg, station.lon_deg, at, p_clear=chance
                )
                issued = START - timedelta(days=1)
                rows.writerow(
                    [station.station_id, issued.isoformat(), at.isoformat(), float(clear)]
                )
    return path


def replay(folder: Path, name: str, seed: int, **more: Any) -> ReplaySummary:
    url = f"sqlite:///{folder / name}.db"
    settings = load_settings(scenario=SCENARIO, database_url=url, **more)
    return run_replay(settings, start=START, end=START + timedelta(days=DAYS), seed=seed)


def test_what_it_costs_that_clouds_are_only_foretold(tmp_path: Path) -> None:
    print(f"\n{SCENARIO}, {DAYS} days: key of stations and merged, Mbit")
    for seed in range(1, SEEDS + 1):
        file = write_true_sky(tmp_path / f"sky{seed}.csv", seed)
        foretold = replay(tmp_path, f"foretold{seed}", seed, weather="climatology")
        known = replay(tmp_path, f"known{seed}", seed, weather_file=file)
        for what, found in (("foretold", foretold), ("known", known)):
            key = sum(tally.secret_bits for tally in found.stations) / 1e6
            merged = sum(pair.merged_bits for pair in found.pairs) / 1e6
            sessions = sum(tally.booked for tally in found.stations)
            print(f"  seed {seed}, {what:8}: {sessions} sessions, {key:.3f}, merged {merged:.3f}")
