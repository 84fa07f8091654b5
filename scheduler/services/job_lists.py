"""Use cases: what repeats, and the jobs there were with what became of each."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from scheduler.agenda import Work
from scheduler.domain import Job, JobPause, JobState, cadence_text
from scheduler.errors import InputError, LedgerMissing, UnknownName
from scheduler.ledger.books import jobs as books
from scheduler.services.jobs import JOBS_MAX, SHOWN, work_of
from scheduler.services.live import live_agenda
from scheduler.services.viewing import shown_booking, shown_rows

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.services.context import Context

LAST = 100
_OF_BOOKING = re.compile(r"\w+/([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkStatus:
    """Work that repeats: how often, when next, and whether it is paused."""

    work: str
    cadence: str  #: as the setting `schedules` has it
    next_at: datetime
    paused: JobPause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsAnswer:
    """What repeats, and the jobs there were."""

    at: datetime
    works: list[WorkStatus]
    jobs: list[Job]


def list_jobs(
    context: Context,
    *,
    work: str | None = None,
    state: str | None = None,
    limit: int = LAST,
    before: tuple[datetime, str] | None = None,
) -> JobsAnswer:
    """What repeats, and the jobs due last, those of one kind of work or state where named.

    Behind the instant and key of `before`, where it is named: the last ones come first.
    """
    if work is not None:
        work_of(work, frozenset(Work))
    try:
        wanted = None if state is None else JobState(state)
    except ValueError:
        raise InputError(f"state {state!r}; allowed: {', '.join(JobState)}") from None
    if not 1 <= limit <= JOBS_MAX:
        raise InputError(f"limit {limit}; allowed: 1 to {JOBS_MAX}")
    now = context.clock.now()
    pauses: dict[str, JobPause] = {}
    jobs: list[Job] = []
    with suppress(LedgerMissing), context.view.read() as reader:
        pauses = {one.work: one for one in books.paused(reader)}
        jobs = [
            replace(one, reason=context.viewer.shown(one.reason))
            for one in shown_rows(
                lambda last, most: books.get_jobs(
                    reader, work=work, state=wanted, limit=most, before=last
                ),
                key=lambda one: (one.scheduled_for, one.job_key),
                shows=lambda one: _shows(context, reader, one),
                after=before,
                limit=limit,
            )
        ]
    works = [
        WorkStatus(
            work=str(one),
            cadence=cadence_text(cadence),
            next_at=cadence.following(now),
            paused=pauses.get(str(one)),
        )
        for one, cadence in live_agenda(context, start=now).cadences.items()
        if work in {None, str(one)}
    ]
    return JobsAnswer(at=now, works=works, jobs=jobs)


def _shows(context: Context, reader: Reader, job: Job) -> bool:
    """Whether whoever asks is shown a job: that of a session where it is shown the session."""
    if context.viewer.sees_all or (match := _OF_BOOKING.fullmatch(job.job_key)) is None:
        return True
    with suppress(UnknownName):
        return bool(shown_booking(context, reader, UUID(match[1])))
    return False


def job_events(context: Context, key: str, scheduled_for: datetime | None = None) -> list[Job]:
    """The life of one job, the last of its key if no instant is given; first change first.

    Raises UnknownName.
    """
    with context.view.read() as reader:
        for job in books.get_jobs(reader, work=key, limit=JOBS_MAX):
            # Instants are shown in milliseconds, and asked for as they are shown.
            near = scheduled_for is None or abs(job.scheduled_for - scheduled_for) < SHOWN
            if near and _shows(context, reader, job):
                events = books.get_job_events(reader, job.job_key, job.scheduled_for)
                return [replace(one, reason=context.viewer.shown(one.reason)) for one in events]
    when = "" if scheduled_for is None else f" of {scheduled_for.isoformat()}"
    raise UnknownName(f"no job {key!r:.100}{when}; `skytrunk jobs list` shows them")
