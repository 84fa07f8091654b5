"""Two clockworks on one ledger, on every store: each job is done once, and nothing is an error."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from scheduler import services
from scheduler.clock import AcceleratedClock
from scheduler.domain import BookingState, JobState
from scheduler.jobs import JobRunner
from scheduler.ledger.books.bookings import get_bookings
from scheduler.ledger.reader import get_commands
from tests.scheduler.services.conftest import Open

START = datetime(2016, 12, 19, 11, 0, tzinfo=UTC)
RATE = 10_000.0  # a merge interval of six hours passes in about two seconds
PATIENCE_S = 120.0


@pytest.mark.walks
def test_two_runs_share_the_work_and_neither_logs_an_error(
    open_context: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    contexts = [open_context(), open_context()]
    clock = AcceleratedClock(START, rate=RATE)
    for context in contexts:
        context.clock = clock
        assert context.ledger
    runners = [JobRunner(context, clock=clock, rate=RATE) for context in contexts]
    until = time.monotonic() + PATIENCE_S
    try:
        for runner in runners:
            runner.start()
        while clock.now() < START + timedelta(days=1) or not runners[0].fired.get("merge", 0) + (
            runners[1].fired.get("merge", 0)
        ):
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        for runner in runners:
            runner.stop()

    lines = "".join(capsys.readouterr()).splitlines()
    assert [line for line in lines if "failed" in line or "error" in line] == []
    with contexts[0].view.read() as reader:
        merges = Counter(command.at for command in get_commands(reader, kind="merge"))
        states = {booking.state for booking in get_bookings(reader)}
    assert merges
    assert set(merges.values()) == {1}
    assert BookingState.FAILED not in states
    jobs = services.list_jobs(contexts[0], limit=1000).jobs
    assert {job.state for job in jobs} <= {JobState.DONE, JobState.MISSED, JobState.DUE}
    assert not [job for job in jobs if job.attempts > 1]
    verified = services.verify_ledger(contexts[0])
    assert verified.ok, verified.problems
