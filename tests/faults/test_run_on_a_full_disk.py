"""`skytrunk run` on a disk that fills up: it says so, loses nothing, and goes on by itself."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler import services
from scheduler.domain import JobState
from scheduler.ledger.books.jobs import get_jobs
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.conftest import ROOT, clean_environment
from tests.faults.storage import fill, small_disk

DISK_BYTES = 60_000_000
PATIENCE_S = 180.0
SCHEDULES = '{"trunk": "5s", "merge": "5s", "expire": "5s", "plan": "off", "elements": "off"}'


def _wait(what: str, over: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not over():
        assert time.monotonic() < until, what
        time.sleep(0.5)


@pytest.mark.faults
def test_a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    folder, log = tmp_path / "disk", tmp_path / "run.log"
    folder.mkdir()
    url = f"sqlite:///{folder / 'ledger.db'}"
    settings = load_settings(database_url=url, scenario="micius-2016-fibre")

    def done() -> int:
        with (
            contextlib.suppress(Exception),
            Context(settings) as context,
            context.view.read() as reader,
        ):
            return len(get_jobs(reader, state=JobState.DONE, limit=1000))
        return 0

    with small_disk(folder, size_bytes=DISK_BYTES) as disk:
        if not disk.how.startswith("tmpfs"):
            pytest.skip(f"no disk can be filled here: {disk.how}")
        given = {"SKYTRUNK_DATABASE_URL": url, "SKYTRUNK_SCHEDULES": SCHEDULES}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "--scenario", "micius-2016-fibre", "run"],
                cwd=ROOT, env=clean_environment() | given, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            _wait("nothing was done", lambda: done() >= 3)
            filler = fill(folder)
            _wait("nobody said that the disk is full", lambda: b"full" in log.read_bytes())
            assert process.poll() is None
            before = done()
            filler.unlink()
            disk.make_room()
            _wait("nothing was done after", lambda: done() > before + 3)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
        said = log.read_text(encoding="utf-8")
        assert "Traceback" not in said
        with Context(settings) as context:
            verified = services.verify_ledger(context)
            assert verified.ok, verified.problems
