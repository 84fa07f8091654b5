"""Who takes part in the scenario."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from api.schemas.base import Answer, Column, Listing, attribute
from orbits import HorizonMask


def _corners(horizon: HorizonMask | None) -> list[tuple[float, float]] | None:
    if not isinstance(horizon, HorizonMask):
        return horizon
    return list(zip(horizon.azimuth_deg, horizon.elevation_deg, strict=True))


class Satellite(Answer):
    """A satellite that downlinks key."""

    satellite: str = attribute("satellite_id")
    name: str
    norad_id: int

    columns: ClassVar = (
        Column("satellite", "satellite"),
        Column("name", "name", rank=1),
        Column("NORAD id", "norad_id", "d"),
    )


class Satellites(Listing):
    """The satellites of a scenario."""

    satellites: list[Satellite]

    noun: ClassVar = "satellite"


class Station(Answer):
    """A ground station."""

    station: str = attribute("station_id")
    name: str
    lat_deg: float
    lon_deg: float
    height_m: float
    mask_deg: float
    horizon: Annotated[list[tuple[float, float]] | None, BeforeValidator(_corners)]
    """Corners of what stands around it, azimuth and true elevation in degrees, if known."""
    telescope_m: float | None
    """Diameter of its telescope; null where its receiver says."""

    columns: ClassVar = (
        Column("station", "station"),
        Column("name", "name", rank=1),
        Column("latitude°", "lat_deg", ".7f"),
        Column("longitude°", "lon_deg", ".7f"),
        Column("height m", "height_m", "g", rank=2),
        Column("mask°", "mask_deg", "g", rank=3),
        Column("telescope m", "telescope_m", "g", rank=4),
    )


class Stations(Listing):
    """The ground stations of a scenario."""

    stations: list[Station]

    noun: ClassVar = "ground station"
