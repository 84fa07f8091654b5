"""A campaign by one process, by two Dask workers, and by two of which one is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.campaign import Hands, Task, run_task, run_tasks, variants
from scheduler.cluster.campaign import hands_of
from scheduler.domain import ReplaySummary
from scheduler.services.set_copies import StoredSets
from scheduler.settings import load_settings

pytest.importorskip("distributed")
pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
REPLAYS = 2 if SMOKE else 64
START = datetime(2016, 12, 19, tzinfo=UTC)
SPAN = (START, START + timedelta(days=1 if SMOKE else 14))


def tasks() -> list[Task]:
    settings = load_settings(scenario="micius-2016")
    found = variants([SPAN], range(1, REPLAYS + 1), {})
    return [Task(variant=one, settings=settings, sets=StoredSets()) for one in found]


def processor_s() -> float:
    """Seconds of processor of this process and of those that it had and that are over."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


@dataclass
class Campaign:
    """What came of one, and what it took."""

    hands: Hands | None  #: none: here, one after the other
    found: dict[str, ReplaySummary] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def run(self) -> Campaign:
        wall, cpu = time.perf_counter(), processor_s()
        if self.hands is None:
            self.found = {task.variant.name: run_task(task) for task in tasks()}
        else:
            self.found = {task.variant.name: one for task, one in run_tasks(tasks(), self.hands)}
        self.wall_s, self.cpu_s = time.perf_counter() - wall, processor_s() - cpu
        return self


def losing_one(hands: Hands, after_s: float) -> Hands:
    """Hands of which a worker is killed some seconds after they were opened."""

    @contextmanager
    def opened() -> Iterator[Executor]:
        with hands() as pool:
            pids = pool._client.run(os.getpid)  # type: ignore[attr-defined]
            killing = threading.Timer(after_s, os.kill, (min(pids.values()), signal.SIGKILL))
            killing.start()
            yield pool
            killing.cancel()

    return opened


def test_a_campaign_by_two_dask_workers() -> None:
    dask = hands_of("local:2", 1)
    serial, together = Campaign(None).run(), Campaign(dask).run()
    robbed = Campaign(losing_one(dask, together.wall_s / 2)).run()

    assert together.found == serial.found
    assert robbed.found == serial.found
    print(
        f"\n{REPLAYS} replays of {SPAN[1] - SPAN[0]}: one after the other {serial.wall_s:.1f} s"
        f" ({serial.cpu_s:.1f} s of processor), two Dask workers {together.wall_s:.1f} s"
        f" ({together.cpu_s:.1f}), {serial.wall_s / together.wall_s:.2f} times faster; with one"
        f" killed halfway {robbed.wall_s:.1f} s ({robbed.cpu_s:.1f})"
    )
