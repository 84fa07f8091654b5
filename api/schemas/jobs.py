"""Jobs of the clockwork: what repeats, and what became of each."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from api.schemas.base import (
    Answer,
    AskedInstant,
    Column,
    Instant,
    Listing,
    Paged,
    Request,
    Table,
    attribute,
    plural,
)
from scheduler.domain import JobState

Reason = Annotated[str, Field(min_length=1, max_length=200)]
Key = Annotated[str, Field(min_length=1, max_length=200)]


class JobsRequest(Paged):
    """Which jobs to list; the last ones come first."""

    work: Annotated[str, Field(max_length=60)] | None = None
    """Kind of work, e.g. merge; all if not given."""
    state: JobState | None = None
    """State; all if not given."""


class JobEventsRequest(Request):
    """Which job to show."""

    job: Key
    """Its key: the work, of a session with its booking."""
    at: AskedInstant | None = None
    """The instant it was due; the last one if not given."""


class PauseRequest(Request):
    """Why work is paused."""

    reason: Reason


class Job(Answer):
    """A job at the instant it was due, and how it stands or stood."""

    job: str = attribute("job_key")
    scheduled_for: Instant
    state: JobState
    reason: str
    attempts: int
    holder: str
    """The process that runs it, or ran it last."""
    lease_until: Instant | None
    """Of the machine: until when no other process may begin it."""
    started_at: Instant | None
    changed_at: Instant
    duration_s: float | None
    retry_at: Instant | None
    """When a failed one is tried again."""

    columns: ClassVar = (
        Column("job", "job", text=True),
        Column("due", "scheduled_for"),
        Column("state", "state"),
        Column("tries", "attempts", "d", rank=1),
        Column("took s", "duration_s", ".1f", rank=1),
        Column("tried again", "retry_at", rank=2),
        Column("reason", "reason", text=True),
    )


class Pause(Answer):
    """Work that is paused, why and since when."""

    work: str
    reason: str
    since: Instant


class Work(Answer):
    """Work that repeats: how often, when next, and whether it is paused."""

    work: str
    cadence: str
    next_at: Instant
    paused: Pause | None

    columns: ClassVar = (
        Column("work", "work"),
        Column("when", "cadence"),
        Column("next", "next_at"),
        Column("paused", lambda row: row.paused and row.paused.reason, text=True),
    )


class Jobs(Answer):
    """What repeats, and the jobs due last."""

    at: Instant
    works: list[Work]
    jobs: list[Job]

    def tables(self) -> tuple[Table, Table]:
        """Return what repeats and what ran as tables."""
        return (
            Table("what repeats", Work.columns, self.works),
            Table(plural(len(self.jobs), "job"), Job.columns, self.jobs),
        )


class JobEvents(Listing):
    """How a job stood after each change, first change first."""

    events: list[Job]

    noun: ClassVar = "change"


class JobRun(Answer):
    """A job that was done by hand: how it stands now, and what it did."""

    job: Job
    lines: list[str]
