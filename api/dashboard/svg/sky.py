"""Passes over one station as a sky plot: north up, east to the right, the rim is the horizon."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scheduler.domain import TrackAnswer

SIZE, CENTRE, RADIUS = 320.0, 160.0, 132.0
RINGS_DEG = (0, 30, 60)


@dataclass(frozen=True, slots=True)
class SkyPath:
    """One pass: its line, where it rises, and its label."""

    line: str
    x: float
    y: float
    label: str
    number: int


def sky_paths(tracks: Iterable[tuple[str, TrackAnswer]]) -> list[SkyPath]:
    """The lines of some passes, each with its label; instants below the horizon are left out."""
    found = []
    for number, (label, track) in enumerate(tracks):
        points = [
            _place(point.azimuth_deg, point.elevation_deg)
            for point in track.points
            if point.azimuth_deg is not None
            and point.elevation_deg is not None
            and point.elevation_deg >= 0.0
        ]
        if points:
            line = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
            found.append(SkyPath(line, *points[0], label, number % 6))
    return found


def rings() -> list[tuple[float, str]]:
    """Radius and name of the circles of elevation."""
    return [(RADIUS * (90 - ring) / 90.0, f"{ring}°") for ring in RINGS_DEG]


def _place(azimuth_deg: float, elevation_deg: float) -> tuple[float, float]:
    r = RADIUS * (90.0 - elevation_deg) / 90.0
    angle = math.radians(azimuth_deg)
    return round(CENTRE + r * math.sin(angle), 1), round(CENTRE - r * math.cos(angle), 1)
