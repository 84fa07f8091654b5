"""Tracks and passes -> CZML, which Cesium shows on a globe in time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduler.domain import instant_key

if TYPE_CHECKING:
    from api.schemas.passes import Pass
    from scheduler.domain import TrackAnswer
    from scheduler.network import Station

Packet = dict[str, Any]
_SATELLITE, _STATION, _LINK = [255, 210, 122, 255], [127, 192, 242, 255], [0, 114, 178, 200]


def to_czml(name: str, start: datetime, end: datetime, packets: Iterable[Packet]) -> str:
    """Return a CZML document whose clock runs over [start, end)."""
    span = _interval(start, end)
    head = {
        "id": "document",
        "name": name,
        "version": "1.0",
        "clock": {"interval": span, "currentTime": instant_key(start), "multiplier": 60},
    }
    return json.dumps([head, *packets])


def track_packets(tracks: Sequence[TrackAnswer], satellite: str) -> Iterable[Packet]:
    """Yield a satellite on its way; where it is between two tracks is not said."""
    points = sorted({point.at: point for one in tracks for point in one.points}.items())
    if not points:
        return
    epoch = points[0][0]
    spans = [_interval(one.points[0].at, one.points[-1].at) for one in tracks if one.points]
    yield {
        "id": f"satellite/{satellite}",
        "name": satellite,
        "availability": spans if len(spans) > 1 else spans[0],
        "position": {
            "interpolationAlgorithm": "LAGRANGE",
            "interpolationDegree": 5,
            "epoch": instant_key(epoch),
            "cartographicDegrees": [
                figure
                for at, one in points
                for figure in (
                    (at - epoch).total_seconds(),
                    round(one.lon_deg, 6),
                    round(one.lat_deg, 6),
                    round(one.altitude_km * 1000.0, 1),
                )
            ],
        },
        "point": {"pixelSize": 8, "color": {"rgba": _SATELLITE}},
        "label": {"text": satellite, "pixelOffset": {"cartesian2": [12, 0]}},
        "path": {"leadTime": 600, "trailTime": 600, "width": 2},
    }


def station_packets(stations: Iterable[Station]) -> Iterable[Packet]:
    """Yield each station where it stands."""
    for one in stations:
        yield {
            "id": f"station/{one.station_id}",
            "name": one.name,
            "position": {"cartographicDegrees": [one.lon_deg, one.lat_deg, one.height_m]},
            "point": {"pixelSize": 6, "color": {"rgba": _STATION}},
            "label": {"text": one.name, "pixelOffset": {"cartesian2": [12, 0]}},
        }


def pass_packets(passes: Iterable[Pass]) -> Iterable[Packet]:
    """Yield a line from station to satellite for each pass, there while it is up."""
    for one in passes:
        yield {
            "id": one.pass_,
            "name": f"{one.satellite} over {one.station}",
            "availability": _interval(one.rises_at, one.sets_at),
            "properties": {
                "max_elevation_deg": one.max_elevation_deg,
                "range_km_min": one.range_km_min,
                "dark": one.dark,
                "secret_bits": one.secret_bits,
            },
            "polyline": {
                "positions": {
                    "references": [
                        f"station/{one.station}#position",
                        f"satellite/{one.satellite}#position",
                    ]
                },
                "material": {"solidColor": {"color": {"rgba": _LINK}}},
                "width": 2,
            },
        }


def _interval(start: datetime, end: datetime) -> str:
    return f"{instant_key(start)}/{instant_key(end)}"
