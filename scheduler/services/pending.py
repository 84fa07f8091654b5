"""Use case: what is due within a span and not seen to yet, for whoever wakes workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from scheduler.agenda import Due, Work
from scheduler.clock import SystemClock
from scheduler.domain import Job, JobState
from scheduler.ledger.books import jobs as books
from scheduler.services.jobs import JOBS_MAX, SHOWN, job_key
from scheduler.services.live import live_agenda
from scheduler.services.plans.changes import plan_changes
from scheduler.services.sessions import open_bookings

if TYPE_CHECKING:
    from scheduler.agenda import Agenda
    from scheduler.ledger import Reader
    from scheduler.services.context import Context


def pending_work(context: Context, *, since: datetime, until: datetime) -> list[Due]:
    """What is due in (since, until] that no job was made of, and what is to be tried again.

    What somebody is at, or was done, is left out: the job's row says so.
    """
    agenda = live_agenda(context, start=since)
    for booking in open_bookings(context):
        agenda.add_session(
            booking.booking_id,
            begins=booking.candidate.acquires_at,
            ends=booking.candidate.loses_at,
        )
    found, _ = agenda.take_until(until)
    if Work.PLAN in agenda.cadences and plan_changes(context, at=context.clock.now()):
        due = agenda.due_now(Work.PLAN, context.clock.now())
        found.append(replace(due, if_changed=True))
    with context.view.read() as reader:
        new = [due for due in found if books.find_job(reader, job_key(due), due.at) is None]
        return [*new, *_again(context, reader)]


def left_over(context: Context) -> list[Due]:
    """The jobs that somebody began and nobody is at: failed, let go of, or their worker is gone."""
    with context.view.read() as reader:
        return list(_again(context, reader))


def _again(context: Context, reader: Reader) -> Iterator[Due]:
    """The jobs that failed and whose time has come, were let go of, or whose worker is gone."""
    now, machine_now = context.clock.now(), SystemClock().now()
    agenda = live_agenda(context, start=now)
    for state in (JobState.FAILED, JobState.DUE, JobState.RUNNING):
        for job in books.get_jobs(reader, state=state, limit=JOBS_MAX):
            free = books.is_free(job, "", at=now, machine_now=machine_now)
            if free and job.scheduled_for <= now and (due := _due_of(agenda, job)):
                yield due


def _due_of(agenda: Agenda, job: Job) -> Due | None:
    """What a job was made of; None for one that is no work of the agenda, such as an alert told."""
    name, _, booking = job.job_key.partition("/")
    work = next((one for one in Work if str(one) == name), None)
    at = job.scheduled_for
    if work is not None and booking:
        return Due(at=at, work=work, since=at, until=at, booking_id=UUID(booking))
    if work is None or work not in agenda.cadences:
        return None
    return replace(agenda.due_now(work, at), since=agenda.cadences[work].last(at - SHOWN))
