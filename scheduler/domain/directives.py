"""What people decide about passes and bookings: pins, vetoes, locks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from orbits import as_utc
from scheduler.domain.bookings import Candidate

SLACK = timedelta(seconds=60)
"""New elements shift a pass by moments; a name still means it within this."""


class DirectiveKind(StrEnum):
    """What is wanted; `NONE` takes an earlier directive back."""

    PIN = "pin"
    VETO = "veto"
    LOCK = "lock"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassName:
    """A pass by an instant inside it, which holds though new elements shift its ends."""

    satellite_id: str
    station_id: str
    at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", as_utc(self.at))

    @classmethod
    def of(cls, candidate: Candidate) -> Self:
        """The pass of a candidate, by the middle of its link."""
        middle = candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
        return cls(satellite_id=candidate.satellite_id, station_id=candidate.station_id, at=middle)

    def means(self, candidate: Candidate) -> bool:
        """Whether a candidate is (part of) that pass."""
        names = (candidate.satellite_id, candidate.station_id)
        return names == (self.satellite_id, self.station_id) and self.within(
            candidate.acquires_at, candidate.loses_at
        )

    def within(self, start: datetime, end: datetime) -> bool:
        """Whether its instant lies in [start, end], give or take `SLACK`."""
        return start - SLACK <= self.at <= end + SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """A decision about a pass, or, with `booking_id`, about that very booking; the last holds."""

    kind: DirectiveKind
    subject: PassName
    booking_id: UUID | None = None
    reason: str = ""
