"""Tracks, stations, passes and the network -> GeoJSON (RFC 7946)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from api.schemas.base import Answer

if TYPE_CHECKING:
    from api.schemas.tracks import Track
    from scheduler.network import Station


def features(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return a collection of features."""
    return {"type": "FeatureCollection", "features": list(found)}


def point_feature(lon_deg: float, lat_deg: float, properties: Any, *more: float) -> dict[str, Any]:
    """Return a feature at a place; `more` is its height in metres."""
    place = {"type": "Point", "coordinates": [lon_deg, lat_deg, *more]}
    return {"type": "Feature", "geometry": place, "properties": properties}


def line_feature(ends: Iterable[tuple[float, float]], properties: Any) -> dict[str, Any]:
    """Return a feature along a line of longitudes and latitudes."""
    line = {"type": "LineString", "coordinates": [list(one) for one in ends]}
    return {"type": "Feature", "geometry": line, "properties": properties}


def at_stations(rows: Iterable[Answer], stations: Mapping[str, Station]) -> dict[str, Any]:
    """Return each row, which names a station, as a feature where that stands."""
    return features(
        point_feature(place.lon_deg, place.lat_deg, one.document(), place.height_m)
        for one in rows
        for place in [stations[getattr(one, "station")]]  # noqa: B009 - any row that has one
    )


def track_geojson(track: Track) -> dict[str, Any]:
    """Return the ground track as a feature: one line, cut in two at the date line.

    Its property `times` holds the instant of each position; where a piece begins or ends at the
    date line, the instant is null.
    """
    document = track.document()
    pieces, times = _pieces(
        [(point.lon_deg, point.lat_deg) for point in track.points],
        [point["at"] for point in document["points"]],
    )
    properties = {
        name: document[name] for name in ("satellite", "norad_id", "station", "elements_epoch")
    }
    way = {"type": "MultiLineString", "coordinates": pieces}
    return features(
        [{"type": "Feature", "geometry": way, "properties": {**properties, "times": times}}]
    )


def _pieces(
    places: list[tuple[float, float]], instants: list[str]
) -> tuple[list[list[list[float]]], list[list[str | None]]]:
    """Return the line's pieces between its crossings of 180 degrees (RFC 7946, 3.1.9)."""
    pieces: list[list[list[float]]] = []
    times: list[list[str | None]] = []
    if places:
        pieces, times = [[[*places[0]]]], [[instants[0]]]
    for (before, here), instant in zip(pairwise(places), instants[1:], strict=True):
        (lon0, lat0), (lon1, lat1) = before, here
        if abs(lon1 - lon0) > 180.0:
            side = 180.0 if lon0 > 0.0 else -180.0
            part = (side - lon0) / (lon1 + 2.0 * side - lon0)
            crossing = round(lat0 + part * (lat1 - lat0), 5)
            pieces[-1].append([side, crossing])
            times[-1].append(None)
            pieces.append([[-side, crossing]])
            times.append([None])
        pieces[-1].append([lon1, lat1])
        times[-1].append(instant)
    return pieces, times
