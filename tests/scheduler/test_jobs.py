"""The live clockwork on an accelerated clock: it fires, it recovers, and it stops."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from scheduler import services
from scheduler.agenda import Due, Work
from scheduler.clock import AcceleratedClock
from scheduler.domain import BookingState, JobState, NewBlock, Pool, instant_key
from scheduler.errors import LedgerUnavailable
from scheduler.jobs import JobRunner
from scheduler.ledger.books.bookings import get_bookings
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.reader import get_commands
from scheduler.services import work
from scheduler.services.context import Context
from scheduler.settings import Settings

START = datetime(2016, 12, 19, 11, 0, tzinfo=UTC)
RATE = 40_000.0  # a merge interval of six hours passes in about half a second
PATIENCE_S = 60.0

SettingsOf = Callable[..., Settings]


@contextmanager
def _running(settings: Settings, start: datetime = START) -> Iterator[JobRunner]:
    clock = AcceleratedClock(start, rate=RATE)
    with Context(settings, clock=clock) as context:
        runner = JobRunner(context, clock=clock, rate=RATE)
        runner.start()
        try:
            yield runner
        finally:
            runner.stop()


def _wait(runner: JobRunner, job: str, times: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while runner.fired.get(job, 0) < times:
        assert time.monotonic() < until, f"{job} fired {runner.fired}"
        time.sleep(0.02)


def _merges(settings: Settings) -> list[datetime]:
    with Context(settings) as context, context.ledger.view.read() as reader:
        return [command.at for command in get_commands(reader, kind="merge")]


def test_the_merge_job_fires_and_stops_when_it_is_stopped(settings_of: SettingsOf) -> None:
    settings = settings_of()
    with _running(settings) as runner:
        _wait(runner, "merge", 2)

    seen = _merges(settings)
    assert len(seen) >= 2
    assert all(after - before >= timedelta(hours=6) for before, after in pairwise(seen))
    assert all(when.hour % 6 == 0 and when.minute == 0 for when in seen)

    time.sleep(3 * 6 * 3600 / RATE)
    assert _merges(settings) == seen


def test_time_is_looked_after_before_every_merge(settings_of: SettingsOf) -> None:
    settings = settings_of()
    pool, until = Pool.pair("beijing", "nanshan"), START + timedelta(minutes=30)
    with Context(settings) as context, context.ledger.begin() as tx:
        command = tx.command("deposit", kind="deposit", at=START, digest="")
        block = NewBlock(
            block_id=context.entropy.uuid("block", "short"), pool=pool, natural_key="short",
            length_bits=1024, source="device", simulated=False,
        )  # fmt: skip
        key = context.entropy.key_bytes("key", "short", length=128)
        deposit_block(tx, command, block, material_a=key, material_b=key, expires_at=until)
        command.finish({})
    with _running(settings) as runner:
        _wait(runner, "expire", 2)
        _wait(runner, "merge", 2)

    with Context(settings) as context, context.ledger.view.read() as reader:
        (expired,) = get_commands(reader, kind="expire")
        merges = get_commands(reader, kind="merge")
        assert get_balances(reader)[pool.pool_id]["expired"] == 1024
    assert expired.request_id == f"expire/{instant_key(expired.at)}"
    assert (expired.at.hour % 6, expired.at.minute, expired.at > until) == (0, 0, True)
    assert (expired.answer["blocks_expired"], expired.answer["bits_expired"]) == (1, 1024)
    # At one instant what is over expires first, and merges see what is left.
    assert all((one.at < expired.at) == (one.command_id < expired.command_id) for one in merges)


def test_the_clockwork_books_runs_and_settles(settings_of: SettingsOf) -> None:
    settings = settings_of()
    with _running(settings) as runner:
        _wait(runner, "merge", 3)

    with Context(settings) as context, context.ledger.view.read() as reader:
        states = {booking.state for booking in get_bookings(reader)}
        settled = get_commands(reader, kind="settle")
        verified = services.verify_ledger(context)
    assert verified.ok, verified.problems
    # A pass lasts 8 ms here: one may be missed, but then it says so and is not run late.
    assert states <= {
        BookingState.BOOKED, BookingState.SETTLED, BookingState.MISSED, BookingState.RUNNING,
        BookingState.FAILED, BookingState.CANCELLED,
    }  # fmt: skip
    assert settled or BookingState.MISSED in states


def test_what_nobody_ran_is_missed_after_a_restart(settings_of: SettingsOf) -> None:
    settings = settings_of()
    with Context(settings) as context:
        answer = services.plan_window(context, start=START, end=START + timedelta(days=1))
        booked = services.bookings_of_plan(context, answer)
        services.begin_session(context, booked[0].booking_id, at=booked[0].candidate.acquires_at)
    assert len(booked) > 1

    with Context(settings) as context:
        closed = services.close_overdue(context, at=START + timedelta(days=2))
        again = services.bookings_of_plan(context, answer)

    assert set(closed) == {booking.booking_id for booking in booked}
    assert again[0].state is BookingState.FAILED
    assert {booking.state for booking in again[1:]} == {BookingState.MISSED}
    assert all(booking.reason for booking in again)


def test_a_job_that_fails_is_listed_and_the_clockwork_goes_on(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("made to fail")

    monkeypatch.setattr(work, "deposit_trunk", fails)
    with _running(settings) as runner:
        _wait(runner, "merge", 2)

    with Context(settings) as context:
        failed = services.list_jobs(context, work="trunk", state="failed").jobs
    # The kind of error alone: what others say in one may hold anything.
    assert {job.reason for job in failed} == {"RuntimeError"}
    assert max(job.attempts for job in failed) > 1


def test_a_failure_that_cannot_be_recorded_is_a_line_in_the_log(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise LedgerUnavailable("the database could not: disk I/O error")

    with Context(settings_of(), clock=AcceleratedClock(START, rate=1.0)) as context:
        runner = JobRunner(context, clock=context.clock)
        monkeypatch.setattr(services, "run_job", unreachable)
        monkeypatch.setattr(services, "fail_job", unreachable)
        due = Due(at=START, work=Work.TRUNK, since=START, until=START)
        assert runner._is_over(due)

    lines = "".join(capsys.readouterr()).splitlines()
    assert sum("failure not recorded" in line for line in lines) == 1
    assert sum("job failed" in line for line in lines) == 1
    assert len(lines) == 2


def test_every_job_is_a_row_with_how_it_ended(settings_of: SettingsOf) -> None:
    settings = settings_of()
    with _running(settings) as runner:
        _wait(runner, "merge", 2)

    with Context(settings) as context:
        jobs = services.list_jobs(context, limit=1000).jobs
        verified = services.verify_ledger(context)
        with context.ledger.view.read() as reader:
            merged = {command.at for command in get_commands(reader, kind="merge")}
    assert verified.ok, verified.problems
    assert {job.scheduled_for for job in jobs if job.job_key == "merge"} >= merged
    assert {job.job_key.partition("/")[0] for job in jobs} >= {"plan", "trunk", "expire", "merge"}
    assert not [job for job in jobs if job.state is JobState.RUNNING]
    assert all(job.reason for job in jobs if job.state is JobState.MISSED)


def test_a_decayed_satellite_is_not_planned(settings_of: SettingsOf) -> None:
    settings = settings_of()
    with Context(settings) as context:
        start = datetime(2026, 11, 1, tzinfo=UTC)
        answer = services.plan_window(context, start=start, end=start + timedelta(days=1))

    assert answer["bookings"] == []
    (part,) = answer["unplanned"]
    assert "older than 14 days" in part["reason"]


def test_a_failed_job_is_logged_without_the_key_its_frames_hold(
    settings_of: SettingsOf, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        material = b"\xabkey-bytes-of-a-link\xcd" * 4
        assert material
        raise OSError("disk full")

    with Context(settings_of(), clock=AcceleratedClock(START, rate=1.0)) as context:
        JobRunner(context, clock=context.clock)._guard("trunk", fails)

    (line,) = "".join(capsys.readouterr()).splitlines()
    assert "job failed" in line
    assert "disk full" in line
    assert "in fails" in line  # where it was raised, and no frame
    assert "key-bytes-of-a-link" not in line
