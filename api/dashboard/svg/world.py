"""The whole Earth: a pass's track, what sees the satellite, and where it is night."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

EARTH_KM = 6371.0  # mean radius: a footprint on a small map needs no ellipsoid
Place = tuple[float, float]
"""Longitude and latitude, degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPicture:
    """Paths on a plane of 360 by 180 degrees, east to the right, south down."""

    orbit: str
    seen: str
    footprint: str
    night: str
    here: Place  #: below the satellite
    station: Place


def world_picture(
    orbit: Sequence[Place],
    seen: Sequence[Place],
    *,
    below: Place,
    altitude_km: float,
    sun: Place,
    station: Place,
) -> WorldPicture:
    """The picture of one pass: its orbit, the part that is seen, and what sees it at the middle."""
    return WorldPicture(
        orbit=_line(orbit),
        seen=_line(seen),
        footprint=_line(_circle(below, math.acos(EARTH_KM / (EARTH_KM + altitude_km)))),
        night=_night(sun),
        here=_at(below),
        station=_at(station),
    )


@cache
def land_svg() -> bytes:
    """The outlines of the land as a picture of its own, on the same plane."""
    text = (files("api.data") / "land-110m.geojson").read_text(encoding="utf-8")
    polygons = json.loads(text)["features"][0]["geometry"]["coordinates"]
    path = "".join(
        "M" + "L".join(f"{lon:.1f},{-lat:.1f}" for lon, lat in ring) + "Z"
        for polygon in polygons
        for ring in polygon
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -90 360 180">'
        f'<path d="{path}" fill="#8a97a3"/></svg>'
    ).encode()


def _at(place: Place) -> Place:
    return round(place[0], 2), round(-place[1], 2)


def _line(places: Iterable[Place]) -> str:
    """A line that is taken up again on the other side where it leaves the plane."""
    parts: list[list[Place]] = []
    before: Place | None = None
    for place in places:
        if before is None or abs(place[0] - before[0]) > 180.0:
            parts.append([])
        parts[-1].append(_at(place))
        before = place
    return " ".join(
        "M" + " L".join(f"{x:g},{y:g}" for x, y in part) for part in parts if len(part) > 1
    )


def _circle(centre: Place, radius: float) -> list[Place]:
    """The points at that angle (radians) from a place."""
    lon, lat = map(math.radians, centre)
    found = []
    for step in range(73):
        bearing = math.radians(5.0 * step)
        sine = math.sin(lat) * math.cos(radius)
        sine += math.cos(lat) * math.sin(radius) * math.cos(bearing)
        there = math.asin(max(-1.0, min(1.0, sine)))
        east = math.atan2(
            math.sin(bearing) * math.sin(radius) * math.cos(lat),
            math.cos(radius) - math.sin(lat) * math.sin(there),
        )
        turned = (math.degrees(lon + east) + 180.0) % 360.0 - 180.0
        found.append((turned, math.degrees(there)))
    return found


def _night(sun: Place) -> str:
    """Where the Sun is below the horizon, as an area closed by the dark pole."""
    lon, lat = sun
    lat = math.copysign(max(abs(lat), 0.1), lat)  # at an equinox the edge runs along meridians
    edge = [
        (
            float(east),
            math.degrees(
                math.atan(-math.cos(math.radians(east - lon)) / math.tan(math.radians(lat)))
            ),
        )
        for east in range(-180, 181, 3)
    ]
    pole = -90.0 if lat > 0.0 else 90.0
    around = [(-180.0, pole), *edge, (180.0, pole)]
    return "M" + " L".join(f"{x:g},{y:g}" for x, y in map(_at, around)) + " Z"
