"""Bookings, their lives, and the candidates that they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from orbits import as_utc
from scheduler.errors import FactError


class BookingState(StrEnum):
    """Life of a booking (terminal: settled, failed, missed, cancelled)."""

    PROPOSED = "proposed"
    BOOKED = "booked"
    PREPARING = "preparing"
    RUNNING = "running"
    SETTLED = "settled"
    FAILED = "failed"
    MISSED = "missed"
    CANCELLED = "cancelled"


TERMINAL_STATES = frozenset(
    {BookingState.SETTLED, BookingState.FAILED, BookingState.MISSED, BookingState.CANCELLED}
)


PAIR_MARK = "+"
"""Between the two stations of a dual downlink, where one name stands for both."""


def pair_name(one: str, other: str) -> str:
    """The name of two stations together, in order."""
    return PAIR_MARK.join(sorted((one, other)))


def station_ids(name: str) -> tuple[str, ...]:
    """The stations that a name stands for: one, or the two of a dual downlink, `a+b`."""
    return tuple(name.split(PAIR_MARK)) if PAIR_MARK in name else (name,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pass, or part of one, that could be booked, with the key it is expected to give.

    A dual downlink takes two stations at once: its `station_id` is `a+b`, in order of name.

    AOS and LOS (`acquires_at`, `loses_at`) bound the link itself: above the mask and dark.
    Expected bits are those of the forecast, before the weather: `clear_probability` is apart.
    """

    candidate_id: str  #: natural key: satellite/station/AOS, e.g. micius/xinglong/2016-12-19T...Z
    pass_id: str  #: natural key of the whole pass: satellite/station/rise
    satellite_id: str
    station_id: str
    acquires_at: datetime
    loses_at: datetime
    max_elevation_deg: float  #: of a dual downlink the lower station's, at its best
    range_km_min: float
    elements_epoch: datetime
    sifted_bits: float
    secret_bits: float
    qber: float
    secret_bits_spread: float = 0.0  #: one standard deviation
    clear_probability: float = 1.0
    acquires_azimuth_deg: float | None = None  #: where the track is known, for slews
    acquires_elevation_deg: float | None = None
    loses_azimuth_deg: float | None = None
    loses_elevation_deg: float | None = None
    commissioning: bool = False  #: of a pass that is there to be tried out: no key

    def __post_init__(self) -> None:
        for name in ("acquires_at", "loses_at", "elements_epoch"):
            object.__setattr__(self, name, as_utc(getattr(self, name)))
        if not self.acquires_at < self.loses_at:
            raise FactError(f"AOS {self.acquires_at} is not before LOS {self.loses_at}")
        if not 0.0 <= self.clear_probability <= 1.0:
            raise FactError(f"clear_probability {self.clear_probability}, not 0..1")
        if not self.secret_bits >= 0.0:
            raise FactError(f"secret_bits {self.secret_bits}; allowed: 0 and up")

    @property
    def station_ids(self) -> tuple[str, ...]:
        """Every station that it takes."""
        return station_ids(self.station_id)

    @property
    def expected_bits(self) -> float:
        """Secret bits expected of it, weather included."""
        return self.secret_bits * self.clear_probability

    @property
    def duration_s(self) -> float:
        """Seconds from AOS to LOS."""
        return (self.loses_at - self.acquires_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A pass that was decided on, and what became of it."""

    booking_id: UUID
    candidate: Candidate
    state: BookingState
    reason: str
    booked_at: datetime
    changed_at: datetime
    locked: bool = False
    plan_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingEvent:
    """One change in the life of a booking."""

    booking_id: UUID
    at: datetime
    from_state: BookingState | None
    to_state: BookingState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingView:
    """A booking as every door shows it."""

    booking: Booking
    out_of_service: str  #: the outage it meets, in words; empty if none
    changes: int  #: events since it was made


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """What a session or a span interval gave: whole bits, floored here and nowhere else."""

    sifted_bits: int
    secret_bits: int
    qber: float
    source: str  #: which key source it was, e.g. "simulator"
    simulated: bool  #: the bytes come from a seeded or otherwise simulated source, for ever
    eps_total: float = 0.0  #: failure probability of the key, secrecy and correctness together
    tag_bits: int = 0  #: of the key, for the tags of the session's own messages; whole bytes
    expected_sifted_bits: float = 0.0  #: by the preset alone, whatever was learned of the link
