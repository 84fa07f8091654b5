"""How fast the large networks are replayed."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler.replay import run_replay
from scheduler.settings import load_settings

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
START = datetime(2016, 12, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "span", "smoke"),
    [
        ("integrated-4600km", timedelta(days=31), timedelta(hours=1, minutes=1)),
        ("quantum-mesh", timedelta(minutes=10), timedelta(seconds=5)),
    ],
)
def test_replaying_a_network(name: str, span: timedelta, smoke: timedelta, tmp_path: Path) -> None:
    settings = load_settings(database_url=f"sqlite:///{tmp_path}/bench.db", scenario=name)
    replayed = smoke if SMOKE else span
    wall, cpu = time.perf_counter(), time.process_time()

    summary = run_replay(settings, start=START, end=START + replayed, seed=1)

    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    merged = sum(pair.merged_bits for pair in summary.pairs)
    print(
        f"\n{name}: {replayed} replayed in {wall:.1f} s ({cpu:.1f} s of CPU),"
        f" {replayed.total_seconds() / wall:,.1f} times real time; {merged:,} bits merged"
    )
