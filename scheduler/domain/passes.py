"""Passes as every interface shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from scheduler.domain.bookings import BookingState
from scheduler.domain.instants import instant_key


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRow:
    """One pass as every door shows it: table, JSON, CSV and HTTP give these very numbers."""

    satellite: str  #: satellite id, e.g. micius
    norad_id: int
    station: str  #: station id, e.g. xinglong
    rises_at: datetime
    culminates_at: datetime
    sets_at: datetime
    max_elevation_deg: float
    max_elevation_azimuth_deg: float
    range_km_min: float
    nearest_at: datetime  #: TCA, instant of the least range
    rise_azimuth_deg: float
    set_azimuth_deg: float
    cut_at_start: bool
    cut_at_end: bool
    sun_elevation_deg: float  #: of the Sun at the station, at culmination
    dark: bool  #: some part above the mask has the Sun below the limit
    elements_epoch: datetime
    time_sigma_s: float | None  #: timing uncertainty from the age of the elements; None: unknown
    acquires_at: datetime | None = None  #: start of the longest dark part; None if none
    loses_at: datetime | None = None
    sifted_bits: float | None = None  #: the five below only when a forecast was asked for
    secret_bits: int | None = None  #: the median
    secret_bits_10: int | None = None  #: with a probability of 10 % it is no more than this
    secret_bits_90: int | None = None
    qber: float | None = None
    why_not: str | None = None  #: why it cannot be used, in a sentence; None if it can
    booking_id: UUID | None = None  #: of the session booked in it, where a forecast was asked for
    booking_state: BookingState | None = None

    @property
    def pass_id(self) -> str:
        """Natural key of the pass: satellite/station/rise."""
        return f"{self.satellite}/{self.station}/{instant_key(self.rises_at)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassAnswer:
    """The passes of one question, and by which rule the element sets were picked."""

    rows: tuple[PassRow, ...]
    rule: str  #: "nearest" or "known_at"
    as_known_at: datetime | None
    epochs: tuple[datetime, ...]  #: of every element set used, in order
    notes: tuple[str, ...] = ()  #: what the rows do not tell: decay, no position, always up


@dataclass(frozen=True, slots=True, kw_only=True)
class UnplannedSpan:
    """A time for which nothing was planned since no element set was young enough."""

    start: datetime
    end: datetime
    newest_epoch: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPass:
    """The next pass that a link could use, if there is one within so many days."""

    at: datetime  #: the present that the question was asked in
    row: PassRow | None
    days: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPoint:
    """Where a satellite is at an instant; what a station sees is None where none was named."""

    at: datetime
    lat_deg: float  #: of the point of the ground below it
    lon_deg: float
    altitude_km: float  #: of the satellite, above the WGS84 ellipsoid
    azimuth_deg: float | None
    elevation_deg: float | None
    range_km: float | None
    sun_elevation_deg: float | None
    satellite_sunlit: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackAnswer:
    """A satellite's way, instant by instant."""

    satellite: str
    norad_id: int
    station: str | None
    elements_epoch: datetime
    points: tuple[TrackPoint, ...]
    notes: tuple[str, ...] = ()
