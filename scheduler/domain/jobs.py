"""Jobs of the clockwork: work that was due at an instant, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ATTEMPTS_MAX = 8
"""Times that a job is tried before it stays failed."""

BACK_OFF_S = 60
BACK_OFF_S_MAX = 3600


class JobState(StrEnum):
    """What became of a job; `done` and `missed` are final."""

    DUE = "due"  #: it was let go of by whoever ran it
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  #: to be tried again, up to ATTEMPTS_MAX times
    MISSED = "missed"


FINAL_JOB_STATES = frozenset({JobState.DONE, JobState.MISSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work at the instant it was due.

    Its instants are those of the clock that the work goes by; a lease is the machine's.
    """

    job_key: str  #: the work, `merge`; of a session with its booking, `settle/BOOKING`
    scheduled_for: datetime
    state: JobState
    reason: str = ""  #: why it was missed or failed
    attempts: int = 0  #: how often it was begun: the fencing token of who runs it
    holder: str = ""  #: the process that runs it, or ran it last
    lease_until: datetime | None = None  #: until when nobody else may begin it
    changed_at: datetime
    started_at: datetime | None = None  #: of the last attempt

    @property
    def retry_at(self) -> datetime | None:
        """When a failed job is tried again; None for any other, and for one given up."""
        if self.state is not JobState.FAILED or self.attempts >= ATTEMPTS_MAX:
            return None
        wait_s = min(BACK_OFF_S * 2 ** (self.attempts - 1), BACK_OFF_S_MAX)
        return self.changed_at + timedelta(seconds=wait_s)

    @property
    def duration_s(self) -> float | None:
        """How long the last attempt took; None of one that goes on, or never began."""
        if self.started_at is None or self.state in {JobState.RUNNING, JobState.DUE}:
            return None
        return (self.changed_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPause:
    """Work that is not done until somebody resumes it; its instants are missed meanwhile."""

    work: str
    reason: str
    since: datetime
