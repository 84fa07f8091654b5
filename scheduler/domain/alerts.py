"""Alerts: something that somebody should look at, with an id of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5


class AlertKind(StrEnum):
    """What an alert is about."""

    SESSION_MISSED = "session-missed"  #: or failed: no key came of a booking
    POOL_LOW = "pool-low"
    ELEMENTS_STALE = "elements-stale"
    VERIFICATION_FAILED = "verification-failed"
    CLOCK_STEPPED = "clock-stepped"
    JOB_FAILED = "job-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One event; whatever is told of it again has the same id."""

    kind: AlertKind
    subject: str  #: what it is about: a booking, a pool, a satellite, a job
    at: datetime  #: of the clock in use; with kind and subject it says which event this is
    words: str

    @property
    def alert_id(self) -> UUID:
        """The id of the event, the same in every process."""
        name = f"skytrunk:alert/{self.kind}/{self.subject}/{self.at.isoformat()}"
        return uuid5(NAMESPACE_URL, name)
