"""How fast the large networks are replayed, and how much memory that takes."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from examples.constellation import walker
from scheduler import services
from scheduler.domain import ReplaySummary
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.settings import Settings, load_settings

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
START = datetime(2016, 12, 19, tzinfo=UTC)
LAUNCHED, REENTERED = datetime(2016, 9, 21, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """A replay, and the processor and wall time that it took."""

    summary: ReplaySummary
    cpu_s: float
    wall_s: float

    def line(self, name: str) -> str:
        """What is printed of it; the memory is the process's so far."""
        summary = self.summary
        merged = sum(pair.merged_bits for pair in summary.pairs)
        replayed = summary.end - summary.start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return (
            f"\n{name}: {replayed} replayed in {self.cpu_s:.1f} s of processor ({self.wall_s:.1f} s"
            f" of wall time), {self.cpu_s / replayed.total_seconds():.2g} s a simulated second,"
            f" at most {peak:.0f} MB; {len(summary.settled):,} sessions, {merged:,} bits merged"
        )


def spent(settings: Settings, start: datetime, end: datetime) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    summary = run_replay(settings, start=start, end=end, seed=1)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert not summary.ledger_problems
    return Spent(summary=summary, cpu_s=cpu, wall_s=wall)


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    def make(scenario: str, sets: str = "") -> Settings:
        """Settings of a ledger of its own, which knows these element sets too."""
        url = f"sqlite:///{tmp_path}/bench.db"
        settings = load_settings(database_url=url, scenario=scenario)
        if sets:
            with Context(settings) as context:
                services.import_elements(context, sets, source="bench")
        return settings

    return make


@pytest.mark.parametrize(
    ("name", "span", "smoke"),
    [
        ("integrated-4600km", timedelta(days=31), timedelta(hours=1, minutes=1)),
        ("quantum-mesh", timedelta(minutes=10), timedelta(seconds=5)),
    ],
)
def test_replaying_a_network(
    name: str, span: timedelta, smoke: timedelta, settings_of: Callable[..., Settings]
) -> None:
    found = spent(settings_of(name), START, START + (smoke if SMOKE else span))

    print(found.line(name))


def test_planning_and_replaying_a_week_of_a_constellation(
    settings_of: Callable[..., Settings],
) -> None:
    sets = walker(
        count=20, planes=5, phasing=1, altitude_km=500.0, inclination_deg=97.4, epoch=START,
        first=900_000_001,
    )  # fmt: skip
    settings = settings_of("constellation-2030", sets)

    found = spent(settings, START, START + (timedelta(minutes=20) if SMOKE else 7 * DAY))

    print(found.line("constellation-2030"))


def test_all_of_micius_life_over_ten_stations(settings_of: Callable[..., Settings]) -> None:
    # Its whole archive is no part of the project; without one the sets that ship serve.
    named = os.environ.get("SKYTRUNK_BENCH_ELEMENTS")
    sets = Path(named).read_text(encoding="utf-8") if named else ""
    settings = settings_of(str(Path(__file__).with_name("micius-ten.toml")), sets)
    end = LAUNCHED + DAY if SMOKE else REENTERED

    found = spent(settings, LAUNCHED, end)
    again = spent(settings, LAUNCHED, end)

    assert again.summary.continued
    print(found.line("micius-ten"))
    print(again.line("micius-ten, the finished one continued"))
