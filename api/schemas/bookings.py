"""Bookings as they stand, and what people decide about them."""

from __future__ import annotations

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from api.schemas.base import (
    Answer,
    Column,
    Instant,
    Listing,
    OpenSpan,
    Paged,
    Request,
    attribute,
    digits,
)
from scheduler.domain import BookingState

Elevation = Annotated[float, digits(3)]
ALARM_MIN_MAX = 1440
Probability = Annotated[float, digits(4)]


class BookingsRequest(OpenSpan, Paged):
    """Which bookings to list."""

    state: Annotated[str | None, Field(max_length=16)] = None
    """proposed, booked, preparing, running, settled, failed, missed or cancelled."""
    satellite: Annotated[str | None, Field(max_length=64)] = None
    station: Annotated[str | None, Field(max_length=64)] = None
    plan: Annotated[str | None, Field(max_length=128)] = None
    """The plan that made or kept them."""


class CalendarRequest(Request):
    """Which bookings a calendar shows, and how early it says so."""

    station: Annotated[str | None, Field(max_length=64)] = None
    """Of one station alone."""
    alarm_min: Annotated[int, Field(ge=0, le=ALARM_MIN_MAX)] = 10
    """Minutes before AOS at which an alarm rings; none for 0."""
    token: Annotated[str | None, Field(max_length=80)] = None
    """Secret of a token of the role calendar; calendars can send no header."""


class LockRequest(Request):
    """A lock, or its end."""

    locked: bool = True
    reason: Annotated[str, Field(max_length=200)] = ""


class CancelRequest(Request):
    """A cancellation needs a reason."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]


class Booking(Answer):
    """One booking as it stands."""

    booking: UUID = attribute("booking.booking_id")
    pass_: str = attribute("booking.candidate.pass_id", "pass")
    """Id of the pass that it is in."""
    satellite: str = attribute("booking.candidate.satellite_id")
    station: str = attribute("booking.candidate.station_id")
    acquires_at: Instant = attribute("booking.candidate.acquires_at")
    loses_at: Instant = attribute("booking.candidate.loses_at")
    max_elevation_deg: Elevation = attribute("booking.candidate.max_elevation_deg")
    state: BookingState = attribute("booking.state")
    locked: bool = attribute("booking.locked")
    out_of_service: str
    expected_bits: Annotated[float, digits(1)] = attribute("booking.candidate.expected_bits")
    clear_probability: Probability = attribute("booking.candidate.clear_probability")
    reason: str = attribute("booking.reason")
    plan: str = attribute("booking.plan_id")
    booked_at: Instant = attribute("booking.booked_at")
    changed_at: Instant = attribute("booking.changed_at")
    changes: int

    columns: ClassVar = (
        Column("booking", "booking", short=True),
        Column("station", "station"),
        Column("AOS", "acquires_at", "%Y-%m-%d %H:%M:%S"),
        Column("LOS (UTC)", "loses_at", "%H:%M:%S", rank=3),
        Column("state", "state"),
        Column("locked", lambda row: "locked" if row.locked else "", rank=1),
        Column("expected bits", "expected_bits", ",.0f", rank=2),
        Column("reason", "reason", text=True),
    )


class Bookings(Listing):
    """Bookings by AOS."""

    bookings: list[Booking]

    noun: ClassVar = "booking"


class BookingEvent(Answer):
    """One change in the life of a booking."""

    at: Instant
    from_state: BookingState | None
    to_state: BookingState
    reason: str

    columns: ClassVar = (
        Column("at (UTC)", "at"),
        Column("from", "from_state"),
        Column("to", "to_state"),
        Column("reason", "reason", text=True),
    )


class BookingEvents(Listing):
    """The life of a booking, first event first."""

    events: list[BookingEvent]

    noun: ClassVar = "event"
