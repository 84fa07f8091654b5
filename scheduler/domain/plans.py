"""A stored plan as every interface shows it: its quality, and every pass with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from scheduler.domain.bookings import BookingState


class Verdict(StrEnum):
    """What a plan made of a pass."""

    BOOKED = "booked"
    LEFT_OUT = "left-out"
    DAYLIGHT = "daylight"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOption:
    """One session that a plan could book, and why it did or did not."""

    candidate_id: str
    acquires_at: datetime
    loses_at: datetime
    secret_bits: float  #: under a clear sky
    clear_probability: float
    booked: bool  #: by this plan; a locked booking stands without it
    booking_id: UUID | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPass:
    """One pass of a plan's window; without options it is in daylight."""

    pass_id: str
    satellite_id: str
    station_id: str
    rises_at: datetime
    sets_at: datetime
    max_elevation_deg: float
    sun_elevation_deg: float  #: at culmination
    options: tuple[PlanOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPass:
    """One pass of a plan's window, and why it was or was not booked.

    AOS, LOS and bits are those of the part that was booked, or else of the best that could be;
    all None for a pass in daylight.
    """

    pass_id: str
    satellite: str
    station: str
    rises_at: datetime
    sets_at: datetime
    max_elevation_deg: float
    sun_elevation_deg: float  #: at culmination
    verdict: Verdict
    why: str
    candidate_id: str | None = None
    acquires_at: datetime | None = None
    loses_at: datetime | None = None
    secret_bits: float | None = None  #: under a clear sky
    clear_probability: float | None = None
    booking_id: UUID | None = None
    booking_state: BookingState | None = None

    @property
    def expected_bits(self) -> float | None:
        """Secret bits expected of it, weather included."""
        if self.secret_bits is None or self.clear_probability is None:
            return None
        return self.secret_bits * self.clear_probability


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDemand:
    """What a plan expects to serve of one demand."""

    demand_id: str
    served_bits: float
    served_share: float  #: of what it wants in the window, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """One run of the planner, as it was stored."""

    plan_id: str
    at: datetime
    start: datetime
    end: datetime
    objective: str
    asked_solver: str
    solver: str  #: the one that found the plan
    seed: int
    value: float  #: of the objective
    bound: float | None
    gap: float | None
    expected_bits: float
    booked: int
    kept: int  #: bookings that stood before
    cancelled: int
    fallback: str
    notes: tuple[str, ...]
    withdrawn: tuple[str, ...]  #: a sentence for each of its element sets that serves no more
    demands: tuple[PlannedDemand, ...] = ()
    passes: tuple[PlannedPass, ...] = ()
    link_prices: tuple[tuple[str, float], ...] = ()  #: worth of one more bit on a link


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span of time, [start, end)."""

    start: datetime
    end: datetime
