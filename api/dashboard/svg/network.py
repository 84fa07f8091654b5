"""The network as a map: nodes where they stand, links by how full they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scheduler.network import Link, Scenario

WIDTH, HEIGHT, MARGIN = 900.0, 460.0, 46.0
LEVELS = 5
LETTER, LINE = 7.0, 14.0
"""About how wide a letter and how tall a line of a name is."""
SIDES = {"start": (8.0, 4.0), "end": (-8.0, 4.0), "middle": (0.0, -10.0)}
"""Where a name may stand, by its anchor: right of its dot, left of it, above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A node."""

    x: float
    y: float
    kind: str
    name: str
    label: Label | None  #: None for relays and users, which are many


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Where the name of a dot stands."""

    x: float
    y: float
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A link between two nodes; the level is 0 (empty) to LEVELS (full)."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: str
    level: int
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPicture:
    """Dots and lines."""

    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    width: float = WIDTH
    height: float = HEIGHT


def network_picture(
    scenario: Scenario, stock: Mapping[str, int], full: Mapping[str, int]
) -> NetworkPicture:
    """The picture of a network; satellites stand in a row above, which is no place.

    stock, full : pool -> bits that it holds, and could hold
    """
    places = {
        node.node_id: (node.lon_deg, node.lat_deg)
        for node in scenario.nodes
        if node.lat_deg is not None and node.lon_deg is not None
    }
    if not places:
        return NetworkPicture(dots=(), lines=())
    west, east = min(lon for lon, _ in places.values()), max(lon for lon, _ in places.values())
    south, north = min(lat for _, lat in places.values()), max(lat for _, lat in places.values())
    shrink = math.cos(math.radians((south + north) / 2.0))
    scale = min(
        (WIDTH - 2 * MARGIN) / max((east - west) * shrink, 1e-3),
        (HEIGHT - 3 * MARGIN) / max(north - south, 1e-3),
    )
    found = {
        name: (
            WIDTH / 2 + (lon - (west + east) / 2) * shrink * scale,
            HEIGHT - MARGIN - (lat - south) * scale,
        )
        for name, (lon, lat) in places.items()
    }
    satellites = [one.satellite_id for one in scenario.satellites]
    for number, name in enumerate(satellites, start=1):
        found[name] = (WIDTH * number / (len(satellites) + 1), MARGIN / 2)
    kinds = {node.node_id: node.kind.value for node in scenario.nodes}
    names = {node.node_id: node.name for node in scenario.nodes}
    dots = tuple(
        Dot(
            x=round(x, 1),
            y=round(y, 1),
            kind=kinds.get(name, "satellite"),
            name=names.get(name, name),
            label=None
            if kinds.get(name) in {"relay", "user"}
            else _label(names.get(name, name), (x, y), found.values()),
        )
        for name, (x, y) in found.items()
    )
    lines = tuple(
        _line(link, found, stock, full)
        for link in scenario.links
        if link.pool.node_a in found and link.pool.node_b in found
    )
    return NetworkPicture(dots=dots, lines=lines)


def _label(name: str, dot: tuple[float, float], places: Iterable[tuple[float, float]]) -> Label:
    """The side on which a name covers the fewest other dots; the right one of equals."""
    others = [place for place in places if place != dot]
    wide = LETTER * len(name)

    def covered(anchor: str) -> int:
        x, y = (a + b for a, b in zip(dot, SIDES[anchor], strict=True))
        left = {"start": x, "end": x - wide, "middle": x - wide / 2}[anchor]
        outside = left < 0 or left + wide > WIDTH or y < LINE
        return len(others) * outside + sum(
            left <= a <= left + wide and y - LINE <= b <= y + 4.0 for a, b in others
        )

    anchor = min(SIDES, key=covered)
    across, down = SIDES[anchor]
    return Label(x=round(dot[0] + across, 1), y=round(dot[1] + down, 1), anchor=anchor)


def _line(
    link: Link,
    places: Mapping[str, tuple[float, float]],
    stock: Mapping[str, int],
    full: Mapping[str, int],
) -> Line:
    (x1, y1), (x2, y2) = places[link.pool.node_a], places[link.pool.node_b]
    bits, most = stock.get(link.pool.pool_id, 0), full.get(link.pool.pool_id, 0)
    level = min(LEVELS, math.ceil(LEVELS * bits / most)) if most else (LEVELS if bits else 0)
    return Line(
        x1=round(x1, 1), y1=round(y1, 1), x2=round(x2, 1), y2=round(y2, 1),
        kind="fibre" if link.is_fibre else "satellite",
        level=level,
        told=f"{link.pool.node_a} to {link.pool.node_b}: {bits:,} bits in stock",
    )  # fmt: skip
