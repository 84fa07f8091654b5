"""Where a satellite is, instant by instant."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas.base import Answer, Column, Instant, Table, WholeSpan, digits, plural


class TrackRequest(WholeSpan):
    """A question about a track, the same that `skytrunk track` asks."""

    satellite: Annotated[str, Field(max_length=64)]
    """Its id, name or catalogue number."""
    station: Annotated[str | None, Field(max_length=64)] = None
    """A station's id: gives azimuth, elevation and range as well."""
    step_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 10.0
    """Seconds between two points; there are 20,000 at most."""


class TrackPoint(Answer):
    """One instant; what a station sees is there only if one was named."""

    at: Instant
    lat_deg: Annotated[float, digits(5)]
    """Of the point of the ground below the satellite, WGS84."""
    lon_deg: Annotated[float, digits(5)]
    altitude_km: Annotated[float, digits(3)]
    """Of the satellite, above the WGS84 ellipsoid."""
    azimuth_deg: Annotated[float | None, digits(3)]
    """Clockwise from north."""
    elevation_deg: Annotated[float | None, digits(3)]
    range_km: Annotated[float | None, digits(3)]
    sun_elevation_deg: Annotated[float | None, digits(3)]
    """At the station."""
    satellite_sunlit: bool | None


class Track(Answer):
    """A satellite's way."""

    satellite: str
    norad_id: int
    station: str | None
    elements_epoch: Instant
    """Epoch of the element set, the one nearest to the first instant."""
    notes: list[str]
    points: list[TrackPoint]

    def table(self) -> Table:
        """Return the points as a table."""
        columns = [
            Column("UTC", lambda row: f"{row.at:%Y-%m-%d %H:%M:%S}"),
            Column("latitude°", "lat_deg", ".3f"),
            Column("longitude°", "lon_deg", ".3f"),
        ]
        if self.station is not None:
            columns += [
                Column("azimuth°", "azimuth_deg", ".3f"),
                Column("elevation°", "elevation_deg", ".3f"),
                Column("range km", "range_km", ".1f", rank=1),
                Column("Sun°", "sun_elevation_deg", ".1f", rank=2),
            ]
        over = f" over {self.station}" if self.station else ""
        epoch = self.document()["elements_epoch"]
        return Table(
            f"{plural(len(self.points), 'point')} of {self.satellite}{over}",
            columns,
            self.points,
            f"element set of {epoch}",
        )
