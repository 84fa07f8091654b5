"""PostgreSQL, two API processes and three workers, each kind killed under load."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import procrastinate
import pytest

from scheduler import services
from scheduler.agenda import Due, Work
from scheduler.cluster.queue import QUEUE, conninfo_of, make_tables, said_of
from scheduler.domain import Job, JobState
from scheduler.ledger.books.jobs import get_jobs
from scheduler.ledger.reader import get_commands
from scheduler.ledger.vault.keystore import KEK_VARIABLE
from scheduler.services.context import Context
from scheduler.settings import Settings, load_settings
from tests.api.conftest import ROOT, clean_environment
from tests.scheduler.ledger.postgres import Postgres
from tests.scheduler.services.ring import TEXT

KEY = os.urandom(32).hex()
RESTARTS = int(os.environ.get("SKYTRUNK_BENCH_RESTARTS", "1"))
JOBS = 1000
START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PATIENCE_S = 240.0
STATION = """[[stations]]
id = "hill"
name = "Hill"
lat_deg = 40.0
lon_deg = 100.0
height_m = 500.0
node = "east"
mask_deg = 10.0
telescope_m = 1.0
"""


@dataclass
class Cluster:
    """The processes on one ledger, and what each kind was told."""

    settings: Settings
    environment: dict[str, str]
    log: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return self.start_with([], *words)

    def start_with(self, before: list[str], *words: str) -> subprocess.Popen[bytes]:
        """Start a command behind other words, such as those that lead to another host."""
        with self.log.open("ab") as log:
            made = subprocess.Popen(
                [*before, sys.executable, "-m", "api.cli", *words],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        self.running.append(made)
        return made

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.running.remove(process)

    def stop(self) -> None:
        for one in self.running:
            one.terminate()
        for one in self.running:
            with suppress(subprocess.TimeoutExpired):
                one.wait(30)
            one.kill()

    def defer(self, dues: list[Due]) -> None:
        """Tell the queue of work, as a tick does."""
        self.defer_words(*(said_of(due) for due in dues))

    def defer_words(self, *words: dict[str, Any]) -> None:
        """Put tasks with these arguments into the queue, whatever they are."""
        connector = procrastinate.SyncPsycopgConnector(
            conninfo=conninfo_of(self.settings.database_url)
        )
        with procrastinate.App(connector=connector).open() as app:
            task = app.configure_task("work", queue=QUEUE, allow_unknown=True)
            task.batch_defer(*words)


@pytest.fixture
def cluster(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    name = postgres.unused_name()
    url = postgres.create(name)
    scenario = tmp_path / "ring.toml"
    scenario.write_text(f"{TEXT}\n{STATION}", encoding="utf-8")
    monkeypatch.setenv(KEK_VARIABLE, KEY)
    monkeypatch.setenv("SKYTRUNK_KEY_FOLDER", str(tmp_path / "keys"))
    schedules = '{"trunk": "off", "merge": "off", "plan": "off", "elements": "off"}'
    given = {
        KEK_VARIABLE: KEY, "SKYTRUNK_KEY_FOLDER": str(tmp_path / "keys"),
        "SKYTRUNK_DATABASE_URL": url, "SKYTRUNK_SCENARIO": str(scenario),
        "SKYTRUNK_SCHEDULES": schedules, "SKYTRUNK_REQUESTS_PER_S": "1000",
    }  # fmt: skip
    settings = load_settings(database_url=url, scenario=str(scenario))
    with Context(settings) as context:
        assert context.ledger
    make_tables(url)
    made = Cluster(settings, clean_environment() | given, tmp_path / "cluster.log")
    try:
        yield made
    finally:
        made.stop()
        postgres.drop(name)


def _dues(number: int) -> list[Due]:
    """Deposits of a second each."""
    return [
        Due(
            at=START + (n + 1) * SECOND, work=Work.TRUNK, since=START + n * SECOND,
            until=START + (n + 2) * SECOND,
        )
        for n in range(number)
    ]  # fmt: skip


def _done(settings: Settings) -> int:
    with suppress(Exception), Context(settings) as context, context.view.read() as reader:
        found = get_jobs(reader, work="trunk", state=JobState.DONE, limit=2 * JOBS)
        return len(found)
    return 0


def _wait_for(settings: Settings, number: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while (done := _done(settings)) < number:
        assert time.monotonic() < until, f"{done} of {number} done"
        time.sleep(1.0)


def _wait_until(over: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not over():
        assert time.monotonic() < until
        time.sleep(0.5)


def _failed(settings: Settings) -> list[Job]:
    with Context(settings) as context, context.view.read() as reader:
        return [job for job in get_jobs(reader, state=JobState.FAILED, limit=100) if job.reason]


def _check(settings: Settings, number: int) -> None:
    """Every job counts once: one row, one end, one command, and its key once."""
    with Context(settings) as context:
        with context.view.read() as reader:
            jobs = get_jobs(reader, work="trunk", limit=2 * JOBS)
            requests: Counter[str] = Counter()
            after = 0
            while page := get_commands(reader, kind="trunk", after=after):
                requests.update(command.request_id for command in page)
                after = page[-1].command_id
        verified = services.verify_ledger(context)
    assert Counter(job.state for job in jobs) == {JobState.DONE: number}
    assert len(requests) == number
    assert set(requests.values()) == {1}
    assert verified.ok, verified.problems


@contextmanager
def _asking(ports: list[int], accepted: list[str]) -> Iterator[None]:
    """Enter outages at one API process and another, and note those that were accepted."""
    over = threading.Event()

    def ask() -> None:
        numbers = count()
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            while not over.wait(0.05):
                number = next(numbers)
                name = f"outage {number}"
                start = datetime(2030, 1, 1, tzinfo=UTC) + number * timedelta(hours=2)
                body: dict[str, Any] = {
                    "kind": "station", "name": "hill", "reason": name,
                    "from": start.isoformat(), "to": (start + timedelta(hours=1)).isoformat(),
                }  # fmt: skip
                with suppress(httpx.HTTPError):
                    base = f"http://127.0.0.1:{ports[number % len(ports)]}"
                    if client.post(f"{base}/outages", json=body).status_code == 201:
                        accepted.append(name)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.mark.faults
def test_each_of_a_thousand_jobs_counts_once_whatever_is_killed(
    cluster: Cluster, postgres: Postgres
) -> None:
    cluster.defer(_dues(JOBS))
    cluster.defer(_dues(JOBS)[::7])  # told twice
    ports, accepted = [_free_port(), _free_port()], list[str]()
    servers = [cluster.start("serve", "--port", str(port)) for port in ports]
    workers = [cluster.start("worker", "--processes", "1") for _ in range(2)]
    workers.append(cluster.start("worker"))
    with ExitStack() as stack:
        stack.enter_context(_asking(ports, accepted))
        _wait_for(cluster.settings, JOBS // 20)
        cluster.kill(workers[-1])
        cluster.start("worker")
        _wait_for(cluster.settings, JOBS // 10)
        cluster.kill(servers[0])
        cluster.start("serve", "--port", str(ports[0]))
        for n in range(RESTARTS):
            _wait_for(cluster.settings, JOBS // 5 + n * JOBS // 10)
            postgres.kill()
            postgres.start()
        _wait_for(cluster.settings, JOBS)
    cluster.stop()

    _check(cluster.settings, JOBS)
    with Context(cluster.settings) as context:
        told = Counter(outage.reason for outage in services.list_outages(context))
    assert accepted
    assert [name for name in accepted if told[name] != 1] == []
    assert set(told.values()) == {1}


@pytest.mark.faults
def test_what_cannot_be_done_is_told_once_and_holds_nothing_up(cluster: Cluster) -> None:
    nobody, number = UUID(int=7), 20
    soon = datetime.now(UTC)
    poison = Due(
        at=soon, work=Work.SETTLE, since=soon, until=soon + SECOND, booking_id=nobody
    )  # fmt: skip
    cluster.defer_words({"work": "no such work"}, {"work": "settle", "at": "never"})
    cluster.defer([poison, *_dues(number)])
    for _ in range(2):
        cluster.start("worker")
    _wait_for(cluster.settings, number)
    _wait_until(lambda: len(_failed(cluster.settings)) == 1)
    cluster.stop()

    _check(cluster.settings, number)
    (failed,) = _failed(cluster.settings)
    assert failed.job_key == f"settle/{nobody}"
    assert str(nobody) in failed.reason
    said = cluster.log.read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert said.count("task dropped") == 2
