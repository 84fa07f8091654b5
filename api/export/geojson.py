"""Tracks -> GeoJSON (RFC 7946)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.schemas.tracks import Track


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
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "MultiLineString", "coordinates": pieces},
                "properties": {**properties, "times": times},
            }
        ],
    }


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
