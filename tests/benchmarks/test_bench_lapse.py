"""A year of live operation in a time lapse: the clockwork of `run`, on a simulated clock."""

from __future__ import annotations

import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orbits import format_omm
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.collector import freeze_gc
from scheduler.entropy import KeyedEntropy
from scheduler.jobs import JobRunner
from scheduler.logs import quiet
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.fresh_sets import fresh_set

START = datetime(2016, 12, 19, tzinfo=UTC)
DAYS = int(os.environ.get("SKYTRUNK_BENCH_LAPSE_DAYS", 0)) or (
    7 if os.environ.get("SKYTRUNK_BENCH_SMOKE") else 365
)
MONTH = timedelta(days=30)


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@pytest.mark.bench
def test_a_year_of_live_operation(tmp_path: Path) -> None:
    quiet()
    clock = SimulatedClock(START)
    settings = load_settings(
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}",
        scenario="micius-2016-fibre",
        # Fresh sets are imported below, once a day; the audit of a year is timed by itself.
        schedules={"merge": "1h", "expire": "1h", "elements": "off", "verify": "off"},
    )
    with Context(settings, clock=clock, entropy=KeyedEntropy(1)) as context:
        runner = JobRunner(context, clock=clock)
        freeze_gc()
        begun, months = time.process_time(), list[str]()
        month, since = START, begun
        for day in range(DAYS):
            today = START + day * timedelta(days=1)
            text = format_omm([fresh_set(today - timedelta(hours=2))])
            services.import_elements(context, text, source="synthetic", arrived_at=today)
            while (due := runner.next_at) is not None and due < today + timedelta(days=1):
                clock.advance_to(max(due, clock.now()))
                runner.work()
            if today - month >= MONTH:
                now = time.process_time()
                months.append(f"{now - since:.1f} s {_memory_mb():.0f} MB")
                month, since = today, now
        spent = time.process_time() - begun
        jobs = dict(runner.fired)
    print(
        f"\n{DAYS} days of micius-2016-fibre: {spent:.0f} s of CPU, {_memory_mb():.0f} MB;"
        f" {sum(jobs.values())} jobs, {jobs}; by month {'; '.join(months)}",
        file=sys.stderr,
    )
