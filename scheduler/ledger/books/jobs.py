"""Jobs: taken under a lease, fenced, and brought to an end; every change is an event."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from orbits import as_utc
from scheduler.domain import FINAL_JOB_STATES, Job, JobPause, JobState
from scheduler.errors import LedgerError, UnknownName, WrongState
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.log.canonical import instant_text
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.records import record_of
from scheduler.ledger.schema import JobEventRow, JobPauseRow, JobRow
from scheduler.ledger.transaction import Transaction

_STARTED = (
    select(func.min(JobEventRow.changed_at))
    .where(
        JobEventRow.job_key == JobRow.job_key,
        JobEventRow.scheduled_for == JobRow.scheduled_for,
        JobEventRow.attempts == JobRow.attempts,
        JobEventRow.state == JobState.RUNNING.value,
    )
    .scalar_subquery()
    .label("started_at")
)
_JOBS = select(*JobRow.__table__.c, _STARTED)
# A statement costs more to build than to run, so each is built once.
_THIS = (JobRow.job_key == bindparam("key_"), JobRow.scheduled_for == bindparam("at_"))
_JOB = select(*JobRow.__table__.c).where(*_THIS)
_CHANGED = ("state", "reason", "attempts", "holder", "lease_until", "changed_at")
_MOVE = update(JobRow).where(*_THIS).values({name: bindparam(f"{name}_") for name in _CHANGED})
_INSERT, _INSERT_EVENT = insert(JobRow), insert(JobEventRow)
_LAST = select(func.max(JobEventRow.position)).where(
    JobEventRow.job_key == bindparam("key_"), JobEventRow.scheduled_for == bindparam("at_")
)


def find_job(reader: Reader, job_key: str, scheduled_for: datetime) -> Job | None:
    """The job of that key and instant, without when it began; None if nobody took it yet."""
    # What a transaction holds back is no job: these are written at once.
    row = reader.raw.execute(_JOB, {"key_": job_key, "at_": as_utc(scheduled_for)}).one_or_none()
    return None if row is None else record_of(Job, row, state=JobState(row.state), started_at=None)


def get_jobs(
    reader: Reader,
    *,
    work: str | None = None,
    state: JobState | None = None,
    limit: int,
    holder: str | None = None,
    before: tuple[datetime, str] | None = None,
) -> list[Job]:
    """The jobs due last first; those of one kind of work, state or holder where these are named.

    Those behind the instant and key of `before` in that order, where it is named.
    """
    query = _JOBS.order_by(JobRow.scheduled_for.desc(), JobRow.job_key).limit(limit)
    if work is not None:
        mine = JobRow.job_key.startswith(f"{work}/", autoescape=True)
        query = query.where((JobRow.job_key == work) | mine)
    if state is not None:
        query = query.where(JobRow.state == state.value)
    if holder is not None:
        query = query.where(JobRow.holder == holder)
    if before is not None:
        at, key = before
        same = (JobRow.scheduled_for == at) & (JobRow.job_key > key)
        query = query.where((JobRow.scheduled_for < at) | same)
    return [_job(row) for row in reader.connection.execute(query)]


def get_job_events(reader: Reader, job_key: str, scheduled_for: datetime) -> list[Job]:
    """The life of one job, how it stood after each change, first change first."""
    query = (
        select(*JobEventRow.__table__.c)
        .where(JobEventRow.job_key == job_key, JobEventRow.scheduled_for == as_utc(scheduled_for))
        .order_by(JobEventRow.position)
    )
    rows = reader.connection.execute(query)
    return [record_of(Job, row, state=JobState(row.state), started_at=None) for row in rows]


def _job(row: Any) -> Job:
    return record_of(Job, row, state=JobState(row.state))


def claim_job(
    tx: Transaction,
    job_key: str,
    scheduled_for: datetime,
    *,
    holder: str,
    at: datetime,
    machine_now: datetime,
    lease_until: datetime,
) -> tuple[Job, bool]:
    """Take a job that is due, and say how it stands and whether it was taken.

    Nobody gets one that is over, that another one holds under a lease that lasts, or that waits
    to be tried again. One of one's own is gone on with under the same token; any other taken
    over has the next.
    """
    known = find_job(tx, job_key, scheduled_for)
    if known is not None and not is_free(known, holder, at=at, machine_now=machine_now):
        return known, False
    running = known is not None and known.state is JobState.RUNNING
    mine = known is not None and running and known.holder == holder
    attempts = 1 if known is None else known.attempts + (0 if mine else 1)
    lost = known is not None and running and not mine
    job = Job(
        job_key=job_key,
        scheduled_for=as_utc(scheduled_for),
        state=JobState.RUNNING,
        reason=f"taken over from {known.holder}" if known is not None and lost else "",
        attempts=attempts,
        holder=holder,
        lease_until=lease_until,
        changed_at=as_utc(at),
    )
    return _write(tx, job, known), True


def is_free(job: Job, holder: str, *, at: datetime, machine_now: datetime) -> bool:
    """Whether a worker may take a job that is there."""
    if job.state is JobState.RUNNING:
        return job.holder == holder or is_lapsed(job, machine_now=machine_now)
    if job.state is JobState.FAILED:
        return job.retry_at is not None and job.retry_at <= at
    return job.state is JobState.DUE


def is_lapsed(job: Job, *, machine_now: datetime) -> bool:
    """Whether a job is under way by whoever was not heard of for the time of a lease."""
    if job.state is not JobState.RUNNING:
        return False
    return job.lease_until is None or job.lease_until <= machine_now


def fence_job(tx: Transaction, job: Job) -> Job:
    """Return a job as it stands if it is still run under that token. Raises LedgerError if not."""
    known = find_job(tx, job.job_key, job.scheduled_for)
    token = (JobState.RUNNING, job.attempts, job.holder)
    if known is None or (known.state, known.attempts, known.holder) != token:
        stands = "not there" if known is None else f"{known.state} by {known.holder or 'nobody'}"
        raise LedgerError(
            f"job {job.job_key} of {instant_text(job.scheduled_for)} is {stands}; allowed: running"
            f" by {job.holder}, attempt {job.attempts}"
        )
    return known


def end_job(tx: Transaction, job: Job, state: JobState, *, at: datetime, reason: str = "") -> Job:
    """Bring a job that one runs to an end, or let go of it. Raises LedgerError as `fence_job`."""
    known = fence_job(tx, job)
    ended = replace(known, state=state, reason=reason, lease_until=None, changed_at=as_utc(at))
    return _write(tx, ended, known)


def renew_lease(tx: Transaction, job: Job, *, at: datetime, lease_until: datetime) -> Job:
    """Hold a job on. Raises LedgerError as `fence_job`."""
    known = fence_job(tx, job)
    return _write(tx, replace(known, lease_until=lease_until, changed_at=as_utc(at)), known)


def note_job(
    tx: Transaction,
    job_key: str,
    scheduled_for: datetime,
    state: JobState,
    *,
    at: datetime,
    reason: str,
) -> Job:
    """Write down how work ended that nobody took: missed, or failed on its way.

    One that somebody took stays as it is, unless it failed or was let go of.
    """
    known = find_job(tx, job_key, scheduled_for)
    if known is not None and (known.state in FINAL_JOB_STATES or known.state is JobState.RUNNING):
        return known
    job = Job(
        job_key=job_key,
        scheduled_for=as_utc(scheduled_for),
        state=state,
        reason=reason,
        attempts=known.attempts if known else int(state is JobState.FAILED),
        changed_at=as_utc(at),
    )
    return _write(tx, job, known)


def abandon_job(
    tx: Transaction, job_key: str, scheduled_for: datetime, *, at: datetime, reason: str
) -> None:
    """Miss a job whose holder is gone; one that is over, or that nobody took, stays as it is."""
    known = find_job(tx, job_key, scheduled_for)
    if known is None or known.state in FINAL_JOB_STATES:
        return
    missed = replace(
        known, state=JobState.MISSED, reason=reason, lease_until=None, changed_at=as_utc(at)
    )
    _write(tx, missed, known)


def _write(tx: Transaction, job: Job, known: Job | None) -> Job:
    """Write an event, and the row as it stands from there on."""
    connection = tx.raw
    names = {"job_key": job.job_key, "scheduled_for": job.scheduled_for}
    stands = {
        "state": job.state.value,
        "reason": job.reason,
        "attempts": job.attempts,
        "holder": job.holder,
        "lease_until": job.lease_until,
        "changed_at": job.changed_at,
    }
    subject = f"{job.job_key}@{instant_text(job.scheduled_for)}"
    mine = {"key_": job.job_key, "at_": job.scheduled_for}
    if known is None:
        row = sealed("job", names | stands)
        connection.execute(_INSERT, [row])
        tx.trail.record("job", subject, row["sha256"])
        position = 1
    else:
        connection.execute(_MOVE, mine | {f"{name}_": stands[name] for name in _CHANGED})
        position = connection.execute(_LAST, mine).scalar_one() + 1
    event = sealed("job_event", names | {"position": position} | stands)
    connection.execute(_INSERT_EVENT, [event])
    tx.trail.record("job_event", f"{subject}@{position}", event["sha256"])
    return job


def pause(tx: Transaction, handle: CommandHandle, work: str, *, reason: str) -> JobPause:
    """Let a command pause a kind of work. Raises WrongState if it is paused."""
    if any(one.work == work for one in paused(tx)):
        raise WrongState(f"{work} is paused already")
    tx.flush()
    named = {"command_id": handle.command_id, "work": work}
    row = sealed("job_pause", named | {"reason": reason, "since": handle.at})
    tx.raw.execute(insert(JobPauseRow), [row])
    handle.wrote("paused", row["sha256"])
    return JobPause(work=work, reason=reason, since=handle.at)


def resume(tx: Transaction, handle: CommandHandle, work: str) -> JobPause:
    """Let a command end the pause of a kind of work. Raises UnknownName if it is not paused."""
    tx.flush()
    standing = JobPauseRow.work == work, JobPauseRow.lifted_by.is_(None)
    row = tx.raw.execute(select(*JobPauseRow.__table__.c).where(*standing)).one_or_none()
    if row is None:
        raise UnknownName(f"{work} is not paused; `skytrunk jobs list` shows what is")
    tx.raw.execute(update(JobPauseRow).where(*standing).values(lifted_by=handle.command_id))
    handle.marked("resumed", (row.command_id, ""), row.sha256)
    return record_of(JobPause, row)


def paused(reader: Reader) -> list[JobPause]:
    """The pauses that hold, by the kind of work."""
    query = select(*JobPauseRow.__table__.c).where(JobPauseRow.lifted_by.is_(None))
    return [record_of(JobPause, row) for row in reader.connection.execute(query.order_by("work"))]
