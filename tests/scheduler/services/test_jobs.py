"""Jobs as use cases: two workers on one ledger, hand-over, what was missed, pause and resume."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from scheduler import services
from scheduler.agenda import Agenda, Due, Work, cadences_of
from scheduler.clock import SimulatedClock
from scheduler.domain import Booking, BookingState, JobState
from scheduler.errors import InputError, LedgerError, UnknownName
from scheduler.ledger.books.jobs import claim_job, find_job
from scheduler.ledger.reader import get_commands
from scheduler.services import jobs, work
from scheduler.services.context import Context
from scheduler.settings import Settings

START = datetime(2016, 12, 19, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE, TWO = services.Worker(name="one"), services.Worker(name="two")


@pytest.fixture
def context(settings_of: Callable[..., Settings]) -> Iterator[Context]:
    with Context(settings_of(), clock=SimulatedClock(START)) as context:
        yield context


def _at(context: Context, when: datetime) -> None:
    assert isinstance(context.clock, SimulatedClock)
    context.clock.advance_to(when)


def _due(kind: Work, at: datetime, *, booking_id: UUID | None = None) -> Due:
    return Due(at=at, work=kind, since=at - HOUR, until=at + HOUR, booking_id=booking_id)


def _booked(context: Context) -> Booking:
    """The first session of a night."""
    answer = services.plan_window(context, start=START, end=START + timedelta(days=1))
    return services.bookings_of_plan(context, answer)[0]


def _begun(context: Context, worker: services.Worker) -> tuple[Booking, Due, Due]:
    booking = _booked(context)
    first, last = booking.candidate.acquires_at, booking.candidate.loses_at
    begin = _due(Work.BEGIN, first, booking_id=booking.booking_id)
    settle = _due(Work.SETTLE, last, booking_id=booking.booking_id)
    _at(context, first)
    assert services.run_job(context, begin, worker=worker).job.state is JobState.DONE
    return booking, begin, settle


def _state(context: Context, booking: Booking) -> BookingState:
    (now,) = services.bookings_of_plan(context, {"bookings": [str(booking.booking_id)]})
    return now.state


def test_of_two_workers_one_does_the_plan_and_the_other_is_told(context: Context) -> None:
    plan = Due(at=START, work=Work.PLAN, since=START, until=START + timedelta(days=1))
    first = services.run_job(context, plan, worker=ONE)
    second = services.run_job(context, plan, worker=TWO)
    assert first.done is not None
    assert first.done.bookings
    assert second.done is None
    assert second.job.state is JobState.DONE
    assert second.job.holder == "one"


def test_the_end_of_a_job_is_written_with_its_work(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = _due(Work.TRUNK, START + HOUR)
    _at(context, due.at)
    # Nothing may come after the work's own transaction: a process may be killed there.
    monkeypatch.setattr(jobs, "end_job", lambda *_, **__: pytest.fail("a second transaction"))
    services.run_job(context, due, worker=ONE)
    with context.view.read() as reader:
        job = find_job(reader, "trunk", due.at)
        (command,) = get_commands(reader, kind="trunk")
    assert job is not None
    assert (job.state, job.changed_at) == (JobState.DONE, command.at)


def test_work_whose_job_was_taken_over_is_undone(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = _due(Work.TRUNK, START + HOUR)
    _at(context, due.at)
    deposit = work.deposit_trunk

    def taken_over_meanwhile(*_: object, **given: datetime) -> dict[str, object]:
        later = datetime.now(UTC) + timedelta(seconds=jobs.LEASE_S + 1)

        def take() -> None:
            with context.ledger.begin() as tx:
                claim_job(
                    tx, "trunk", due.at, holder="two", at=due.at, machine_now=later,
                    lease_until=later,
                )  # fmt: skip

        other = threading.Thread(target=take)
        other.start()
        other.join()
        return deposit(context, **given)

    monkeypatch.setattr(work, "deposit_trunk", taken_over_meanwhile)
    with pytest.raises(LedgerError, match="is running by two"):
        services.run_job(context, due, worker=ONE)
    with context.view.read() as reader:
        assert get_commands(reader, kind="trunk") == []


def test_a_session_under_way_is_its_workers_until_it_ends(context: Context) -> None:
    booking, begin, settle = _begun(context, ONE)
    # A second process that starts now, and looks for what nobody ran.
    assert booking.booking_id not in services.close_overdue(context, at=context.clock.now())
    assert services.run_job(context, begin, worker=TWO).done is None
    _at(context, settle.at)
    assert services.run_job(context, settle, worker=TWO).job.state is JobState.RUNNING
    assert _state(context, booking) is BookingState.RUNNING

    assert services.run_job(context, settle, worker=ONE).job.state is JobState.DONE
    assert _state(context, booking) is BookingState.SETTLED
    assert services.run_job(context, settle, worker=TWO).job.state is JobState.DONE


def test_a_session_goes_over_to_who_stands_by_when_its_worker_stops(context: Context) -> None:
    booking, _, settle = _begun(context, ONE)
    (released,) = services.release_jobs(context, ONE)
    assert released.job_key == f"settle/{booking.booking_id}"
    _at(context, settle.at)
    assert services.run_job(context, settle, worker=TWO).done is not None
    assert _state(context, booking) is BookingState.SETTLED


def test_a_session_that_nobody_took_over_is_failed_at_the_next_start(context: Context) -> None:
    booking, _, settle = _begun(context, ONE)
    services.release_jobs(context, ONE)
    assert services.close_overdue(context, at=context.clock.now()) == [booking.booking_id]
    assert _state(context, booking) is BookingState.FAILED
    (*_, last) = services.job_events(context, f"settle/{booking.booking_id}")
    assert (last.state, last.reason) == (
        JobState.MISSED,
        "the process stopped during the session",
    )
    _at(context, settle.at)
    assert services.run_job(context, settle, worker=TWO).done is None
    assert services.verify_ledger(context).ok


def test_a_session_whose_worker_died_is_failed_not_guessed(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking, _, settle = _begun(context, ONE)
    _at(context, settle.at)
    gone = timedelta(seconds=booking.candidate.duration_s + 2 * jobs.LEASE_S)

    class Later:
        def now(self) -> datetime:
            return datetime.now(UTC) + gone

    monkeypatch.setattr(jobs, "SystemClock", Later)
    outcome = services.run_job(context, settle, worker=TWO)
    assert outcome.job.state is JobState.DONE
    key = f"settle/{booking.booking_id}"
    assert "taken over from one" in [one.reason for one in services.job_events(context, key)]
    assert _state(context, booking) is BookingState.FAILED


def test_a_failed_job_is_tried_again_after_a_while_and_then_done(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = _due(Work.TRUNK, START + HOUR)
    _at(context, due.at)
    with monkeypatch.context() as patch:

        def broken(*_: object, **__: object) -> None:
            raise InputError("no such span")

        patch.setattr(work, "deposit_trunk", broken)
        with pytest.raises(InputError) as raised:
            services.run_job(context, due, worker=ONE)
    reason = services.failure_reason(raised.value)
    failed = services.fail_job(context, due, worker=ONE, reason=reason)
    assert (failed.state, failed.reason) == (JobState.FAILED, "InputError: no such span")

    assert services.run_job(context, due, worker=TWO).done is None
    assert failed.retry_at is not None
    _at(context, failed.retry_at)
    assert services.run_job(context, due, worker=TWO).done is not None
    (listed,) = services.list_jobs(context, work="trunk").jobs
    assert (listed.state, listed.attempts, listed.holder) == (JobState.DONE, 2, "two")


def test_what_was_due_while_nobody_ran_is_listed_once_for_each_work(context: Context) -> None:
    interval = timedelta(seconds=context.scenario.schedule.merge_interval_s)
    _at(context, START + interval)
    services.run_job(context, _due(Work.MERGE, START + interval), worker=ONE)
    _at(context, START + 5 * interval + HOUR)
    agenda = Agenda(cadences_of(context.scenario.schedule), start=context.clock.now())

    (missed,) = services.miss_idle_time(context, agenda)

    assert (missed.job_key, missed.scheduled_for) == ("merge", START + 5 * interval)
    assert missed.reason.startswith("nobody ran: 4 times since 2016-12-19T")
    assert services.miss_idle_time(context, agenda) == []


def test_paused_work_is_missed_with_the_reason_and_done_again_after(context: Context) -> None:
    with pytest.raises(InputError, match="allowed: why it is made"):
        services.pause_job(context, "merge", reason=" ")
    with pytest.raises(UnknownName, match="known: trunk"):
        services.pause_job(context, "settle", reason="never")
    services.pause_job(context, "merge", reason="maintenance")
    _at(context, START + HOUR)

    outcome = services.run_job(context, _due(Work.MERGE, START + HOUR), worker=ONE)
    assert outcome.done is None
    assert outcome.job.state is JobState.MISSED
    assert "maintenance" in outcome.job.reason
    (status,) = services.list_jobs(context, work="merge").works
    assert status.paused is not None

    services.resume_job(context, "merge")
    _at(context, START + 2 * HOUR)
    assert services.run_job_now(context, "merge").done is not None
    events = services.job_events(context, "merge", START + 2 * HOUR)
    assert [one.state for one in events] == [JobState.RUNNING, JobState.DONE]


def test_a_ledger_is_not_run_at_an_earlier_time_than_its_newest_key(context: Context) -> None:
    services.refuse_earlier(context)  # an empty one has none
    _at(context, START + 2 * HOUR)
    services.run_job(context, _due(Work.TRUNK, START + 2 * HOUR), worker=ONE)
    services.refuse_earlier(context)
    with Context(context.settings, clock=SimulatedClock(START)) as earlier:
        # A demand of a person, at whatever time, is no key.
        services.add_token(earlier, name="anna", role="admin", days=30)
        with pytest.raises(InputError, match=r"newest key is of 2016-12-19T02.*--allow-earlier"):
            services.refuse_earlier(earlier)


def test_a_checkpoint_is_a_job_too(context: Context) -> None:
    services.run_job(context, _due(Work.TRUNK, START), worker=ONE)
    services.run_job_now(context, "checkpoint")
    assert services.last_checkpoint(context)
    (job,) = services.list_jobs(context, work="checkpoint").jobs
    assert job.state is JobState.DONE
