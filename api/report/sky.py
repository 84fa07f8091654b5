"""Sky plots and maps of passes and tracks: asks the services for the samples, then draws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.plots import GroundTrack, MapLink, MapPlace, SkyTrack, drawable, network_map, sky_plot
from orbits import HorizonMask
from scheduler import services
from scheduler.errors import InputError

if TYPE_CHECKING:
    from scheduler.domain import PassRow, TrackAnswer
    from scheduler.network import Scenario, Station
    from scheduler.services.context import Context

HALF_ORBIT = timedelta(minutes=48)
MARK_EVERY_S, TRACK_STEP_S = 120, 20
SKY_PASSES_MAX = 12
"""More passes in one sky cannot be told apart."""


def draw_sky(
    path: Path, rows: Sequence[PassRow], context: Context, place: Station | None = None
) -> None:
    """Draw passes of one satellite over one station.

    Raises InputError for passes over several, or for more than SKY_PASSES_MAX of them.
    """
    stations = {row.station for row in rows}
    if len(stations) > 1 or len(rows) > SKY_PASSES_MAX:
        raise InputError(
            f"a sky of {len(rows)} passes over {len(stations)} stations; allowed: one station,"
            f" {SKY_PASSES_MAX} passes (--station, --from, --to)"
        )
    title = "no pass"
    if rows:
        name = place.name if place else context.stations([rows[0].station])[0].name
        days = sorted({f"{row.rises_at:%Y-%m-%d}" for row in rows})
        title = (
            f"{rows[0].satellite} over {name}, {' to '.join(dict.fromkeys((days[0], days[-1])))}"
        )
    sky_plot(path, sky_tracks(rows, context, place), title=f"{title} (UTC)")


def draw_map(
    path: Path, rows: Sequence[PassRow], context: Context, place: Station | None = None
) -> None:
    """Draw the stations and the orbit around the highest of some passes."""
    tracks = [orbit_of(rows, context, place)] if rows else []
    satellite = f"{rows[0].satellite}: " if rows else ""
    network_map(
        path,
        title=f"{satellite}the orbit of the highest pass",
        places=_map_places_with(context.scenario, place),
        links=[] if place else map_links(context.scenario),
        tracks=tracks,
    )


def draw_ground_track(
    path: Path, track: TrackAnswer, context: Context, place: Station | None = None
) -> None:
    """Draw a ground track, and which part of it its station sees."""
    stations = {one.station_id: one for one in context.scenario.stations}
    station = stations.get(track.station or "")
    level = HorizonMask(azimuth_deg=(0.0,), elevation_deg=(0.0,))
    horizon = level if station is None else station.horizon_above(station.mask_deg)
    seen = [
        point.elevation_deg is not None
        and point.azimuth_deg is not None
        and bool(point.elevation_deg >= horizon.at(point.azimuth_deg))
        for point in track.points
    ]
    drawn = GroundTrack(
        label=f"below {track.satellite}",
        lat_deg=np.array([point.lat_deg for point in track.points]),
        lon_deg=np.array([point.lon_deg for point in track.points]),
        visible=np.array(seen, dtype=np.bool_),
    )
    network_map(
        path,
        title=f"{track.satellite}: ground track",
        places=_map_places_with(context.scenario, place),
        links=[] if place else map_links(context.scenario),
        tracks=[drawn],
    )


def sky_tracks(
    rows: Sequence[PassRow], context: Context, place: Station | None = None
) -> list[SkyTrack]:
    """Return passes sampled each second."""
    tracks = []
    for row in rows:
        track = services.station_track(
            context, str(row.norad_id), place or row.station, row.rises_at, row.sets_at, 1.0
        )
        tracks.append(
            SkyTrack(
                label=_label(row, alone=len(rows) == 1),
                start=row.rises_at,
                offset_s=np.asarray(track.offset_s, dtype=np.float64),
                elevation_deg=np.asarray(track.elevation_deg, dtype=np.float64),
                azimuth_deg=np.asarray(track.azimuth_deg, dtype=np.float64),
                range_km=np.asarray(track.range_km, dtype=np.float64),
            )
        )
    return tracks


def _label(row: PassRow, *, alone: bool) -> str:
    if not alone:
        height = f"{row.max_elevation_deg:.0f}°"
        return f"{row.rises_at:%m-%d %H:%M} to {row.sets_at:%H:%M}, {height}"
    return (
        f"{row.rises_at:%H:%M} to {row.sets_at:%H:%M}, up to {row.max_elevation_deg:.0f}°;"
        f" element set of {row.elements_epoch:%Y-%m-%d}"
    )


def orbit_of(
    rows: Sequence[PassRow], context: Context, place: Station | None = None
) -> GroundTrack:
    """Return the orbit around the highest of some passes, and where stations see it."""
    row = max(rows, key=lambda one: one.max_elevation_deg)
    satellite = str(row.norad_id)
    start = (row.culminates_at - HALF_ORBIT).replace(second=0, microsecond=0)
    end = start + 2 * HALF_ORBIT
    lat_deg, lon_deg = services.ground_track(context, satellite, start, end, TRACK_STEP_S)
    seen = np.zeros(len(lat_deg), dtype=np.bool_)
    for station in (place,) if place else context.scenario.stations:
        track = services.station_track(context, satellite, station, start, end, TRACK_STEP_S)
        horizon = station.horizon_above(station.mask_deg)
        seen |= np.asarray(track.elevation_deg) >= horizon.at(np.asarray(track.azimuth_deg))
    every = MARK_EVERY_S // TRACK_STEP_S
    marks = tuple(
        (index, f"{start + timedelta(seconds=index * TRACK_STEP_S):%H:%M}")
        for index in range(0, len(seen), every)
        if seen[index]
    )
    return GroundTrack(
        label=f"below the satellite, {start:%H:%M} to {end:%H:%M} UTC",
        lat_deg=np.asarray(lat_deg, dtype=np.float64),
        lon_deg=np.asarray(lon_deg, dtype=np.float64),
        visible=seen,
        marks=marks,
    )


def _map_places_with(scenario: Scenario, place: Station | None) -> list[MapPlace]:
    if place is None:
        return map_places(scenario)
    return [
        MapPlace(
            name=drawable(place.name, place.station_id),
            kind="station",
            lat_deg=place.lat_deg,
            lon_deg=place.lon_deg,
        )
    ]


def map_places(scenario: Scenario) -> list[MapPlace]:
    """Return every node that has a place; relays and users go unnamed, there are many.

    A city whose node keeps the key of a station is shown as a station.
    """
    stationed = {station.node for station in scenario.stations}
    return [
        MapPlace(
            name=drawable(node.name, node.node_id)
            if node.kind.value in {"station", "backbone"}
            else "",
            kind="station" if node.node_id in stationed else node.kind.value,
            lat_deg=node.lat_deg,
            lon_deg=node.lon_deg,
        )
        for node in scenario.nodes
        if node.lat_deg is not None and node.lon_deg is not None
    ]


def map_links(scenario: Scenario) -> list[MapLink]:
    """Return the fibre links between nodes that have a place, parallel ones once."""
    where = {
        node.node_id: (node.lat_deg, node.lon_deg)
        for node in scenario.nodes
        if node.lat_deg is not None and node.lon_deg is not None
    }
    ends = dict.fromkeys(
        (link.pool.node_a, link.pool.node_b)
        for link in scenario.links
        if link.length_km is not None
    )
    return [
        MapLink(one=where[one], other=where[other])
        for one, other in ends
        if {one, other} <= where.keys()
    ]
