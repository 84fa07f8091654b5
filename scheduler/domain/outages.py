"""Stations and satellites out of service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orbits import as_utc
from scheduler.errors import FactError


class OutageKind(StrEnum):
    """What is out of service."""

    STATION = "station"
    SATELLITE = "satellite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A station or satellite that is out of service in [starts_at, ends_at)."""

    kind: OutageKind
    name: str  #: station_id or satellite_id
    starts_at: datetime
    ends_at: datetime
    reason: str = ""
    outage_id: str = ""

    def __post_init__(self) -> None:
        for name in ("starts_at", "ends_at"):
            object.__setattr__(self, name, as_utc(getattr(self, name)))
        if not self.starts_at < self.ends_at:
            raise FactError(
                f"outage of {self.name}: start {self.starts_at} is not before end {self.ends_at}"
            )
