"""The map: coastlines, stations, trunk, and the path below the satellite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from api.plots.names import part_names
from api.plots.style import BLACK, BLUE, GREEN, GREY, LAND, ORANGE, PURPLE, SEA, VERMILION, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from numpy.typing import NDArray

MARGIN_DEG = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPlace:
    """A point with a name: a ground station, a backbone node or a relay."""

    name: str  #: written beside it; "" for none
    kind: str  #: "station", "backbone" or "relay"
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MapLink:
    """A fibre span between two points, (lat_deg, lon_deg) each."""

    one: tuple[float, float]
    other: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundTrack:
    """The path of the point below the satellite, and which part of it a station sees."""

    label: str
    lat_deg: NDArray[np.float64]
    lon_deg: NDArray[np.float64]
    visible: NDArray[np.bool_]  #: the satellite stands above the mask of some station
    marks: tuple[tuple[int, str], ...] = ()  #: samples to mark, with what to write there


@cache
def land_rings() -> tuple[NDArray[np.float64], ...]:
    """Return the outlines of the land, each (N, 2) of longitude and latitude in degrees."""
    text = (files("api.data") / "land-110m.geojson").read_text(encoding="utf-8")
    polygons = json.loads(text)["features"][0]["geometry"]["coordinates"]
    return tuple(np.asarray(ring, dtype=np.float64) for polygon in polygons for ring in polygon)


def network_map(
    path: Path,
    *,
    title: str,
    places: Sequence[MapPlace],
    links: Sequence[MapLink],
    tracks: Sequence[GroundTrack],
) -> Path:
    """Write the map: the region of the places large, the whole Earth small below it."""

    def paint(figure: Figure) -> None:
        region, world = figure.subplots(2, 1, height_ratios=[2.55, 1.0])
        _region(region, places, links, tracks)
        region.set_title(title)
        _world(world, places, tracks, region)

    return draw(path, (9.0, 9.6), paint)


def _region(
    axes: Axes, places: Sequence[MapPlace], links: Sequence[MapLink], tracks: Sequence[GroundTrack]
) -> None:
    west, east, south, north = map_bounds(places)
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    if east > 180.0:
        axes.xaxis.set_major_formatter(lambda lon, _: f"{eastward(lon, -180.0):g}")
    # A degree of longitude is shorter than one of latitude by the cosine of the latitude.
    axes.set_aspect(1.0 / np.cos(np.radians((south + north) / 2.0)))
    draw_land(axes, beyond=east > 180.0)
    for index, link in enumerate(links):
        (lat0, lon0), (lat1, lon1) = link.one, link.other
        lon0, lon1 = eastward(lon0, west), eastward(lon1, west)
        label = "fibre trunk" if index == 0 else None
        axes.plot([lon0, lon1], [lat0, lat1], color=ORANGE, lw=2.2, zorder=3, label=label)
    times: list[Annotation] = []
    for track in tracks:
        times += _track(axes, replace(track, lon_deg=_around_all(track.lon_deg, west)))
    names = _places(axes, [replace(at, lon_deg=eastward(at.lon_deg, west)) for at in places])
    axes.set_xlabel("longitude, degrees east")
    axes.set_ylabel("latitude, degrees north")
    if places or tracks:
        axes.legend(loc="lower left")
    part_names(axes, names, others=times)


def map_bounds(places: Sequence[MapPlace]) -> tuple[float, float, float, float]:
    """Return west, east, south and north of the region around some places, degrees.

    East is beyond 180 where the region lies across the date line.
    """
    lats = [place.lat_deg for place in places] or [-60.0, 75.0]
    south, north = max(-90.0, min(lats) - MARGIN_DEG), min(90.0, max(lats) + MARGIN_DEG)
    if not places:
        return -180.0, 180.0, south, north
    west, east = span_of([place.lon_deg for place in places])
    if east <= 180.0:
        return max(-180.0, west - MARGIN_DEG), min(180.0, east + MARGIN_DEG), south, north
    return west - MARGIN_DEG, east + MARGIN_DEG, south, north


def span_of(lons_deg: Sequence[float]) -> tuple[float, float]:
    """Return the westernmost and the easternmost longitude of some places, at least one.

    What a map leaves out is the widest gap between neighbours; where that is not the one at the
    date line, the places lie across it, and the easternmost is beyond 180.
    """
    lons = sorted({*lons_deg})
    gaps = [east - west for west, east in pairwise([*lons, lons[0] + 360.0])]
    widest = int(np.argmax(gaps))
    if gaps[-1] >= gaps[widest]:
        return lons[0], lons[-1]
    return lons[widest + 1], lons[widest] + 360.0


def eastward(lon_deg: float, west_deg: float) -> float:
    """The same longitude within the 360 degrees that begin at a map's western edge."""
    return west_deg + (lon_deg - west_deg) % 360.0


def _around_all(lon_deg: NDArray[np.float64], west_deg: float) -> NDArray[np.float64]:
    return np.asarray(west_deg + np.mod(lon_deg - west_deg, 360.0))


def draw_land(axes: Axes, *, beyond: bool = False) -> None:
    """Fill the sea and the land of a map whose axes are degrees east and north.

    `beyond` draws them once more to the east of 180 degrees.
    """
    from matplotlib.collections import PolyCollection

    rings = list(land_rings())
    if beyond:
        rings += [np.add(ring, (360.0, 0.0)) for ring in rings]

    axes.set_facecolor(SEA)
    axes.grid(visible=True, color="#d5dde5", lw=0.6)
    axes.add_collection(
        PolyCollection(rings, facecolors=LAND, edgecolors="#a8a08c", lw=0.7, zorder=1),
        autolim=False,
    )


def _pieces(track: GroundTrack) -> list[slice]:
    """Return the slices of a track between its jumps over the date line."""
    jumps = np.flatnonzero(np.abs(np.diff(track.lon_deg)) > 180.0) + 1
    edges = [0, *jumps.tolist(), len(track.lon_deg)]
    return [slice(start, end) for start, end in pairwise(edges)]


def _track(axes: Axes, track: GroundTrack) -> list[Annotation]:
    times = []
    for number, piece in enumerate(_pieces(track)):
        lat, lon, seen = track.lat_deg[piece], track.lon_deg[piece], track.visible[piece]
        label = track.label if number == 0 else None
        axes.plot(lon, lat, color=BLUE, lw=1.2, ls=(0, (5, 2)), zorder=4, label=label)
        axes.plot(
            np.where(seen, lon, np.nan), np.where(seen, lat, np.nan), color=BLUE, lw=3.2, zorder=4,
            label="in sight of a station" if number == 0 else None,
        )  # fmt: skip
    for index, text in track.marks:
        place = float(track.lon_deg[index]), float(track.lat_deg[index])
        axes.plot(*place, "o", ms=4.5, mfc="white", mec=BLUE, zorder=5)
        times.append(axes.annotate(
            text, place, textcoords="offset points", xytext=(7, 0), va="center", fontsize=8,
            color=BLUE, annotation_clip=True, clip_on=True, zorder=6,
        ))  # fmt: skip
    return times


_LOOK: dict[str, dict[str, Any]] = {
    "station": {"marker": "^", "ms": 10.0, "color": VERMILION, "label": "ground station"},
    "backbone": {"marker": "s", "ms": 7.0, "color": GREEN, "label": "trunk city"},
    "user": {"marker": "D", "ms": 4.5, "color": PURPLE, "label": "user"},
    "relay": {"marker": "o", "ms": 3.5, "color": GREY, "label": "trusted relay"},
}


def _places(axes: Axes, places: Sequence[MapPlace]) -> list[Annotation]:
    for kind, look in _LOOK.items():
        these = [place for place in places if place.kind == kind]
        if not these:
            continue
        axes.plot(
            [place.lon_deg for place in these], [place.lat_deg for place in these],
            ls="none", mec="white", mew=0.7, zorder=7, **look,
        )  # fmt: skip
    return [
        axes.annotate(
            place.name, (place.lon_deg, place.lat_deg), textcoords="offset points", xytext=(0, 0),
            fontsize=10, zorder=8, color=BLACK,
            weight="bold" if place.kind == "station" else "normal",
        )
        for place in places
        if place.name
    ]  # fmt: skip


def _world(
    axes: Axes, places: Sequence[MapPlace], tracks: Sequence[GroundTrack], region: Axes
) -> None:
    axes.set_xlim(-180.0, 180.0)
    axes.set_ylim(-90.0, 90.0)
    axes.set_aspect("equal")
    draw_land(axes)
    for track in tracks:
        for piece in _pieces(track):
            lat, lon, seen = track.lat_deg[piece], track.lon_deg[piece], track.visible[piece]
            axes.plot(lon, lat, color=BLUE, lw=0.9, ls=(0, (5, 2)), zorder=4)
            axes.plot(np.where(seen, lon, np.nan), np.where(seen, lat, np.nan), color=BLUE, lw=2.4)
    stations = [place for place in places if place.kind == "station"]
    axes.plot(
        [place.lon_deg for place in stations], [place.lat_deg for place in stations],
        "^", ms=5, color=VERMILION, mec="white", mew=0.5, zorder=7,
    )  # fmt: skip
    (west, east), (south, north) = region.get_xlim(), region.get_ylim()
    for shift in (0.0, -360.0) if east > 180.0 else (0.0,):
        left, right = west + shift, east + shift
        axes.plot(
            [left, right, right, left, left], [south, south, north, north, south],
            color=BLACK, lw=1,
        )  # fmt: skip
    axes.set_xticks(range(-180, 181, 60))
    axes.set_yticks(range(-90, 91, 45))
    axes.set_xlabel("longitude, degrees east (frame: the map above)")
