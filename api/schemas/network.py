"""Who takes part in the scenario."""

from __future__ import annotations

from typing import ClassVar

from api.schemas.base import Answer, Column, Listing, attribute


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
