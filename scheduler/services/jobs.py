"""Use cases of the clockwork: a job taken, done and ended; what ran, and what is paused."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from scheduler.agenda import AT_ONCE, Due, Work
from scheduler.clock import STEP_S_MAX, SystemClock
from scheduler.domain import (
    BookingState,
    Cadence,
    Every,
    Job,
    JobPause,
    JobState,
    instant_key,
)
from scheduler.errors import InputError, UnknownName
from scheduler.ledger.books import jobs as books
from scheduler.ledger.books.bookings import find_booking
from scheduler.ledger.log.canonical import request_digest
from scheduler.ledger.reader import latest_instant
from scheduler.services.live import DAY_S, live_agenda
from scheduler.services.plans.directives import check_reason
from scheduler.services.sessions import fail_session, needs_watching, settle_key
from scheduler.services.work import ONE_TRANSACTION, Performed, perform

if TYPE_CHECKING:
    from scheduler.agenda import Agenda
    from scheduler.ledger import Transaction
    from scheduler.services.context import Context

LEASE_S = 30.0
"""Of the machine: how long a job is nobody else's after its process was last heard of."""

JOBS_MAX = 1001  # a page, and whether there is another
COUNTED_MAX = 10_000
SHOWN = timedelta(milliseconds=1)
SESSIONS = frozenset({Work.BEGIN, Work.SETTLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that does jobs: a name of its own, and how fast its clock runs."""

    name: str
    rate: float = 1.0

    @classmethod
    def here(cls, rate: float = 1.0) -> Worker:
        """This process; started again it is another one."""
        return cls(name=f"{socket.gethostname()[:40]}/{os.getpid()}/{uuid4().hex[:8]}", rate=rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """How a job stands, and what this process did of it: None if it was not its to do."""

    job: Job
    done: Performed | None = None

    @property
    def lines(self) -> list[str]:
        """What was done, in words."""
        return [
            " ".join([event, *(f"{name}={figure}" for name, figure in figures.items())])
            for event, figures in (self.done.lines if self.done else ())
        ]


class Held(Protocol):
    """Told of a job that is begun, and of its end."""

    def __call__(self, job: Job, *, ended: bool) -> None: ...


def job_id(due: Due) -> str:
    """The name of a job in logs: its key, and the instant it was due."""
    return f"{job_key(due)}@{instant_key(due.at)}"


def job_key(due: Due) -> str:
    """The name of the work that is due, the same in every process."""
    return f"{due.work}/{due.booking_id}" if due.booking_id else str(due.work)


def run_job(
    context: Context,
    due: Due,
    *,
    worker: Worker,
    begun: Held = lambda _, *, ended: None,
) -> JobOutcome:
    """Take a job, do it, and end it; leave it if it is another's, over, paused or to wait.

    Its end is written in the work's own transaction where it has one, else after it; every
    transaction of the work first sees that the job is still this worker's. What fails raises, and
    leaves the job to `fail_job`; `begun` is handed the job to hold on to, and again at its end.
    """
    now = context.clock.now()
    with context.ledger.begin() as tx:
        reason = _paused(tx, due.work)
        if reason is not None:
            return JobOutcome(job=_missed(tx, due, now, reason))
        job, taken = _claim(tx, job_key(due), due.at, worker, at=now)
    if not taken:
        return JobOutcome(job=job)
    begun(job, ended=False)
    try:
        if due.booking_id is not None and job.reason and _is_lost(context, due):
            fail_session(context, due.booking_id, at=now, reason="the process that ran it stopped")
            done = Performed()
        else:
            riding = _Riding(context, due, job, worker)
            with context.ledger.riding(riding.along):
                done = perform(context, due)
            if riding.ended is not None:
                return JobOutcome(job=riding.ended, done=done)
        return JobOutcome(job=end_job(context, job, JobState.DONE), done=done)
    finally:
        begun(job, ended=True)


def _is_lost(context: Context, due: Due) -> bool:
    """Whether what was taken over is a session that went with its process."""
    if due.booking_id is None or due.work is not Work.SETTLE:
        return False
    with context.ledger.view.read() as reader:
        return needs_watching(context, find_booking(reader, due.booking_id))


class _Riding:
    """Fences the transactions of a job's work, and ends the job in the only one."""

    def __init__(self, context: Context, due: Due, job: Job, worker: Worker) -> None:
        self._context, self._due, self._job, self._worker = context, due, job, worker
        self.ended: Job | None = None  #: as it stands after its work

    @contextmanager
    def along(self, tx: Transaction) -> Iterator[None]:
        """Raise LedgerError in a transaction of a job that was taken over."""
        books.fence_job(tx, self._job)
        yield
        if self._due.work in ONE_TRANSACTION:
            now = self._context.clock.now()
            ended = books.end_job(tx, self._job, JobState.DONE, at=now)
            if self._due.work is Work.BEGIN:
                self._watch_link(tx, now)
            self.ended = ended

    def _watch_link(self, tx: Transaction, now: datetime) -> None:
        """Who begins a session holds its settlement until then: it is nobody else's."""
        assert self._due.booking_id is not None
        booking = find_booking(tx, self._due.booking_id)
        if booking.state is BookingState.RUNNING:
            ends = booking.candidate.loses_at
            wait_s = max(0.0, (ends - now).total_seconds()) / self._worker.rate
            key = settle_key(booking.booking_id)
            _claim(tx, key, ends, self._worker, at=now, lease_s=wait_s + LEASE_S)


def _claim(
    tx: Transaction,
    key: str,
    scheduled_for: datetime,
    worker: Worker,
    *,
    at: datetime,
    lease_s: float = LEASE_S,
) -> tuple[Job, bool]:
    machine_now = SystemClock().now()
    return books.claim_job(
        tx,
        key,
        scheduled_for,
        holder=worker.name,
        at=at,
        machine_now=machine_now,
        lease_until=machine_now + timedelta(seconds=lease_s),
    )


def hold_job(context: Context, job: Job) -> None:
    """Renew the lease of a job that goes on. Raises LedgerError if it is another's, or over."""
    with context.ledger.begin() as tx:
        until = SystemClock().now() + timedelta(seconds=LEASE_S)
        books.renew_lease(tx, job, at=context.clock.now(), lease_until=until)


def end_job(context: Context, job: Job, state: JobState, *, reason: str = "") -> Job:
    """Bring a job that this worker runs to its end. Raises LedgerError if it is another's."""
    with context.ledger.begin() as tx:
        return books.end_job(tx, job, state, at=context.clock.now(), reason=reason)


def fail_job(context: Context, due: Due, *, worker: Worker, reason: str) -> Job:
    """Write down that a job failed and why; it is tried again by and by."""
    now, key = context.clock.now(), job_key(due)
    with context.ledger.begin() as tx:
        known = books.find_job(tx, key, due.at)
        if known is not None and (known.state, known.holder) == (JobState.RUNNING, worker.name):
            failed = books.end_job(tx, known, JobState.FAILED, at=now, reason=reason)
        else:
            failed = books.note_job(tx, key, due.at, JobState.FAILED, at=now, reason=reason)
    if due.work is Work.SETTLE and failed.state is JobState.FAILED and failed.retry_at is None:
        assert due.booking_id is not None  # nobody knows how it went, and nobody guesses
        fail_session(context, due.booking_id, at=now, reason=f"given up: {reason}")
    return failed


def note_failure(context: Context, key: str, *, reason: str) -> Job:
    """Write down that what is no job of the agenda failed, such as the care of data keys."""
    now = context.clock.now()
    with context.ledger.begin() as tx:
        return books.note_job(tx, key, now, JobState.FAILED, at=now, reason=reason)


def miss_job(context: Context, due: Due, *, reason: str) -> Job:
    """Write down that a job was not done at its time, and why."""
    with context.ledger.begin() as tx:
        return _missed(tx, due, context.clock.now(), reason)


def _missed(tx: Transaction, due: Due, now: datetime, reason: str) -> Job:
    """Write down that a job was missed; one that is under way stays so while its lease lasts."""
    known = books.find_job(tx, job_key(due), due.at)
    if known is not None and books.is_lapsed(known, machine_now=SystemClock().now()):
        lost = f"{known.holder} is gone; {reason}"
        books.abandon_job(tx, known.job_key, known.scheduled_for, at=now, reason=lost)
    return books.note_job(tx, job_key(due), due.at, JobState.MISSED, at=now, reason=reason)


def miss_idle_time(context: Context, agenda: Agenda) -> list[Job]:
    """Write down what was due since a work was last seen to and now, once for each work.

    Nobody ran then. The last instant stands for all of them, its reason says how many they are.
    """
    now, missed = context.clock.now(), []
    with context.ledger.begin() as tx:
        for work, cadence in agenda.cadences.items():
            last = books.get_jobs(tx, work=str(work), limit=1)
            at = cadence.last(now)
            if work in AT_ONCE:  # the interval goes on, and its work is done at once
                at = cadence.last(at - SHOWN)
            if not last or last[0].scheduled_for >= at:
                continue
            since = last[0].scheduled_for
            due = Due(at=at, work=work, since=since, until=at)
            reason = f"nobody ran: {_times(cadence, since, at)} times since {since.isoformat()}"
            missed.append(_missed(tx, due, now, reason))
    return missed


def _times(cadence: Cadence, since: datetime, until: datetime) -> str:
    """How often a cadence came after `since`, up to `until`; no further than COUNTED_MAX."""
    count = 0
    while (since := cadence.following(since)) <= until:
        count += 1
        if count == COUNTED_MAX:
            return f"over {COUNTED_MAX}"
    return str(count)


def release_jobs(context: Context, worker: Worker) -> list[Job]:
    """Let go of what a worker that stops still holds; whoever stands by may go on with it."""
    now = context.clock.now()
    with context.ledger.begin() as tx:
        held = books.get_jobs(tx, state=JobState.RUNNING, holder=worker.name, limit=JOBS_MAX)
        return [
            books.end_job(tx, job, JobState.DUE, at=now, reason=f"{worker.name} stopped")
            for job in held
        ]


def _paused(tx: Transaction, work: Work) -> str | None:
    for one in books.paused(tx):
        if one.work == str(work):
            return f"paused since {one.since.isoformat()}: {one.reason}"
    return None


def refuse_earlier(context: Context) -> None:
    """Raise InputError if the clock shows an earlier time than the ledger's newest key.

    Key that was spent or is over by then would be spent, made or expired anew.
    """
    with context.ledger.view.read() as reader:
        newest = latest_instant(reader, ("trunk", "settle", "close-block"))
    now = context.clock.now()
    if newest is not None and now < newest - timedelta(seconds=STEP_S_MAX):
        raise InputError(
            f"the clock shows {now.isoformat()}, the ledger's newest key is of"
            f" {newest.isoformat()}; allowed: a later --clock-start, another ledger, or"
            " --allow-earlier"
        )


def pause_job(context: Context, work: str, *, reason: str) -> JobPause:
    """Have a kind of work not done until it is resumed; its instants are missed with this reason.

    Raises UnknownName, InputError for sessions or without a reason, LedgerError if it is paused.
    """
    check_reason(reason)
    if not reason.strip():
        raise InputError(f"reason {reason!r} of a pause; allowed: why it is made")
    name = str(work_of(work, frozenset(Work) - SESSIONS))
    with context.ledger.begin() as tx:
        now, digest = context.clock.now(), request_digest(name, reason)
        command = tx.command(f"pause/{uuid4()}", kind="job-paused", at=now, digest=digest)
        made = books.pause(tx, command, name, reason=reason)
        command.finish({"work": name, "reason": reason})
    return made


def resume_job(context: Context, work: str) -> JobPause:
    """Have a kind of work done again. Raises UnknownName if it is not paused."""
    name = str(work_of(work, frozenset(Work)))
    with context.existing_ledger.begin() as tx:
        now, digest = context.clock.now(), request_digest(name)
        command = tx.command(f"resume/{uuid4()}", kind="job-resumed", at=now, digest=digest)
        ended = books.resume(tx, command, name)
        command.finish({"work": name})
    return ended


def run_job_now(context: Context, work: str) -> JobOutcome:
    """Do work that repeats at once, as if it were due now. Raises UnknownName, and what it does."""
    wanted = work_of(work, frozenset(Work) - SESSIONS)
    now, worker = context.clock.now(), Worker.here()
    due = _due_now(context, wanted, now)
    try:
        return run_job(context, due, worker=worker)
    except Exception as error:
        fail_job(context, due, worker=worker, reason=failure_reason(error))
        raise


def failure_reason(error: Exception) -> str:
    """Why a job failed, as the ledger keeps it: our own words, else the kind of error alone.

    What others say in an error may hold anything, key among it.
    """
    ours = type(error).__module__.partition(".")[0] in {"scheduler", "orbits", "qkd"}
    words = f": {' '.join(str(error).split())}" if ours else ""
    return f"{type(error).__name__}{words}"[:500]


def _due_now(context: Context, work: Work, now: datetime) -> Due:
    agenda = live_agenda(context, start=now)
    agenda.cadences.setdefault(work, Every(DAY_S))  # by hand, whatever `run` does
    return agenda.due_now(work, now)


def work_of(name: str, allowed: frozenset[Work]) -> Work:
    """The kind of work of that name. Raises UnknownName for one that is not allowed."""
    for work in sorted(allowed):
        if str(work) == name:
            return work
    known = ", ".join(str(work) for work in sorted(allowed))
    raise UnknownName(f"work {name!r:.60} is not known here; known: {known}")
