"""Where things are that a scenario invents: distances and directions on the ground."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from scheduler.network.model import Node

EARTH_RADIUS_KM = 6371.0088  # IUGG mean radius
KM_PER_DEG = EARTH_RADIUS_KM * radians(1.0)


def distance_km(one: Node, other: Node) -> float:
    """Return the great circle between two nodes that have a place, on a sphere.

    Source: Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 158 (1984).
    """
    lat, lon = place_of(one)
    to_lat, to_lon = place_of(other)
    half_lat, half_lon = radians(to_lat - lat) / 2.0, radians(to_lon - lon) / 2.0
    part = sin(half_lat) ** 2 + cos(radians(lat)) * cos(radians(to_lat)) * sin(half_lon) ** 2
    return 2.0 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(part)))


def place_of(node: Node) -> tuple[float, float]:
    """Return latitude and longitude in degrees of a node that has a place."""
    assert node.lat_deg is not None
    assert node.lon_deg is not None
    return node.lat_deg, node.lon_deg


def moved(node: Node, *, distance_km: float, bearing_rad: float) -> tuple[float, float]:
    """Return latitude and longitude, degrees, so far from a node; for tens of kilometres."""
    lat, lon = place_of(node)
    north_deg = distance_km * cos(bearing_rad) / KM_PER_DEG
    # A degree of longitude is shorter than one of latitude; near a pole it is none at all.
    east_deg = distance_km * sin(bearing_rad) / (KM_PER_DEG * max(0.01, cos(radians(lat))))
    to_lat = max(-90.0, min(90.0, lat + north_deg))
    return round(to_lat, 6), round(within_half_turn(lon + east_deg), 6)


def within_half_turn(lon_deg: float) -> float:
    """Return the same longitude, or step of one, within -180 to 180."""
    if -180.0 <= lon_deg <= 180.0:
        return lon_deg
    return (lon_deg + 180.0) % 360.0 - 180.0
