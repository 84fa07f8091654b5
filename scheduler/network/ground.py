"""Stations of a scenario as `orbits` knows them."""

from __future__ import annotations

from collections.abc import Iterable

from orbits import GroundStation
from scheduler.network.ends import Station


def ground_station(
    station: Station, *, least_deg: float = -90.0, mask_deg: float | None = None
) -> GroundStation:
    """The station as `orbits` knows it, its mask raised to an elevation that passes must have.

    Another `mask_deg` takes the place of its own; what stands around it stays.
    """
    own_deg = station.mask_deg if mask_deg is None else mask_deg
    return GroundStation(
        station_id=station.station_id,
        name=station.name,
        lat_deg=station.lat_deg,
        lon_deg=station.lon_deg,
        height_m=station.height_m,
        mask=station.horizon_above(max(own_deg, least_deg)),
    )


def grounds_of(stations: Iterable[Station]) -> dict[int, GroundStation]:
    """Stations as `orbits` knows them, each made once, by identity."""
    found: dict[int, GroundStation] = {}
    for station in stations:
        if id(station) not in found:
            found[id(station)] = ground_station(station)
    return found
