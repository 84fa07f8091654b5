"""A `run` killed in the middle of a job: another takes it over, once, and nothing is left out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from scheduler import services
from scheduler.domain import Job, JobState
from scheduler.ledger.books.jobs import find_job, get_jobs
from scheduler.ledger.reader import get_commands
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.conftest import ROOT, clean_environment
from tests.faults.clockwork import INTERVAL_S

LANES = 5
ROUNDS = int(os.environ.get("SKYTRUNK_BENCH_KILLS", "5")) // LANES
TAKEN_OVER_S_MAX = 45.0
PATIENCE_S = 90.0


@dataclass
class Lane:
    """One ledger, two processes that share its work, and one of them killed again and again."""

    url: str
    context: Context
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)

    def start(self) -> None:
        words = [sys.executable, "-m", "tests.faults.clockwork", self.url]
        log = open(self.url.removeprefix("sqlite:///") + ".log", "ab")  # noqa: SIM115, PTH123
        with log:
            self.running.append(
                subprocess.Popen(words, cwd=ROOT, env=clean_environment(), stdout=log, stderr=log)
            )

    def held(self) -> Job | None:
        """The job that one of ours is at."""
        with self.context.view.read() as reader:
            return next(
                (
                    job
                    for job in get_jobs(reader, state=JobState.RUNNING, limit=2)
                    if job.job_key != "plan"
                    and int(job.holder.split("/")[1]) in {one.pid for one in self.running}
                ),
                None,
            )

    def find(self, job: Job) -> Job:
        with self.context.view.read() as reader:
            found = find_job(reader, job.job_key, job.scheduled_for)
        assert found is not None
        return found

    def kill(self, job: Job) -> None:
        pid = int(job.holder.split("/")[1])
        (victim,) = (one for one in self.running if one.pid == pid)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self.running.remove(victim)

    def stop(self) -> None:
        for one in self.running:
            one.terminate()
        for one in self.running:
            one.wait(60)


@contextmanager
def _lanes(folder: Path) -> Iterator[list[Lane]]:
    with ExitStack() as stack:
        lanes = []
        for number in range(LANES):
            url = f"sqlite:///{folder / f'{number}.db'}"
            settings = load_settings(database_url=url, scenario="micius-2016-fibre")
            context = stack.enter_context(Context(settings))
            assert context.ledger
            lanes.append(Lane(url, context))
            stack.callback(lanes[-1].stop)
        yield lanes


def _round(lanes: list[Lane]) -> None:
    """Kill the holder of a job in each lane, and wait until somebody else has done it."""
    waiting, killed = list(lanes), dict[int, tuple[Lane, Job, float]]()
    until = time.monotonic() + 2 * PATIENCE_S
    while waiting or killed:
        assert time.monotonic() < until, [lane.url for lane in waiting]
        for lane in list(waiting):
            if (job := lane.held()) is not None:
                lane.kill(job)
                killed[id(lane)] = (lane, job, time.monotonic())
                waiting.remove(lane)
                lane.start()
        for key, (lane, job, since) in list(killed.items()):
            now = lane.find(job)
            # The kill may have come after the job's end was written.
            if now.state in {JobState.DONE, JobState.MISSED}:
                # A later merge does the work of one that was missed.
                assert now.state is JobState.DONE or "the next one does its work" in now.reason
                if now.attempts > job.attempts or now.state is JobState.MISSED:
                    lane.took_s.append(time.monotonic() - since)
                del killed[key]
        time.sleep(0.05)


def _gaps(lane: Lane) -> list[timedelta]:
    """What is left out between the first deposit and the last, without what is told as missed."""
    with lane.context.view.read() as reader:
        trunk = sorted(get_jobs(reader, work="trunk", limit=1000), key=lambda j: j.scheduled_for)
    return [
        b.scheduled_for - a.scheduled_for
        for a, b in pairwise(trunk)
        if b.scheduled_for - a.scheduled_for != timedelta(seconds=INTERVAL_S)
        and not b.reason.startswith("nobody ran")
    ]


def _catch_up(lanes: list[Lane]) -> None:
    until = time.monotonic() + PATIENCE_S
    while any(_gaps(lane) for lane in lanes):
        assert time.monotonic() < until, [_gaps(lane) for lane in lanes]
        time.sleep(0.2)


def _check(lane: Lane) -> None:
    """Nothing twice, and nothing left out between the first and the last."""
    with lane.context.view.read() as reader:
        commands = Counter(
            command.request_id
            for kind in ("merge", "trunk")
            for command in get_commands(reader, kind=kind)
        )
        trunk = sorted(
            (job.scheduled_for, job.state) for job in get_jobs(reader, work="trunk", limit=1000)
        )
    assert set(commands.values()) <= {1}
    assert _gaps(lane) == []
    left = {state for _, state in trunk} - {JobState.DONE}
    assert left <= {JobState.DUE, JobState.MISSED}, trunk
    verified = services.verify_ledger(lane.context)
    assert verified.ok, verified.problems


@pytest.mark.faults
def test_a_killed_run_is_taken_over_in_time_and_nothing_is_done_twice(tmp_path: Path) -> None:
    with _lanes(tmp_path) as lanes:
        for lane in lanes:
            lane.start()
            lane.start()
        for _ in range(ROUNDS):
            _round(lanes)
        _catch_up(lanes)
        for lane in lanes:
            lane.stop()
        took_s = sorted(one for lane in lanes for one in lane.took_s)
        for lane in lanes:
            _check(lane)
    told = f"{len(took_s)} of {LANES * ROUNDS} kills met a job; longest {took_s[-1]:.1f} s"
    print(f"\n{told}", file=sys.stderr)  # noqa: T201
    assert len(took_s) >= LANES * ROUNDS // 2
    assert took_s[-1] <= TAKEN_OVER_S_MAX
