"""Use cases: where the satellite is, for one station and above the ground."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from orbits import as_utc, place_above, subpoint, track
from orbits.light import elevation_deg, sun_position_km
from orbits.times import julian_pairs
from scheduler.domain import PassRow, Span, TrackAnswer, TrackPoint, instant_key
from scheduler.errors import InputError
from scheduler.forecast import Downlink, link_forecasts
from scheduler.network.ground import ground_station
from scheduler.services.learning import learned_by
from scheduler.services.places import any_satellite

SAMPLES_MAX = 200_000
POINTS_MAX = 20_000
NIGHT_STEP_S = 120.0

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits import Elements, Track
    from scheduler.network import Station
    from scheduler.services.context import Context


def station_track(
    context: Context,
    satellite: str,
    station: str | Station,
    start: datetime,
    end: datetime,
    step_s: float = 1.0,
    *,
    as_known_at: datetime | None = None,
) -> Track:
    """The satellite as one station sees it every `step_s` seconds of [start, end)."""
    (place,) = context.stations([station]) if isinstance(station, str) else (station,)
    elements = _elements_for(context, satellite, start, as_known_at)
    return track(
        elements, ground_station(place), _instants(start, end, step_s), earth=context.earth
    )


def ground_track(
    context: Context, satellite: str, start: datetime, end: datetime, step_s: float = 10.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Latitude and longitude of the point below the satellite, degrees, one an instant."""
    elements = _elements_for(context, satellite, start, None)
    return subpoint(elements, _instants(start, end, step_s), earth=context.earth)


def track_of(
    context: Context,
    satellite: str,
    station: str | Station | None,
    start: datetime,
    end: datetime,
    step_s: float,
) -> TrackAnswer:
    """Where the satellite is every `step_s` seconds of [start, end): below it, and from a station.

    By the element set nearest to `start`. Instants without a position are left out and told.
    Raises InputError for more than POINTS_MAX of them, and whatever `station_track` raises.
    """
    chosen = any_satellite(context, satellite)
    times = _instants(start, end, step_s, most=POINTS_MAX)
    elements = _elements_for(context, satellite, start, None)
    lat_deg, lon_deg, altitude_km = place_above(elements, times, earth=context.earth)
    sound = np.flatnonzero(np.isfinite(lat_deg))
    missing = len(times) - len(sound)
    seen: Track | None = None
    place: Station | None = None
    if station is not None and len(sound):
        (place,) = context.stations([station]) if isinstance(station, str) else (station,)
        instants = [times[index] for index in sound]
        seen = track(elements, ground_station(place), instants, earth=context.earth)
    points = [
        TrackPoint(
            at=times[index],
            lat_deg=float(lat_deg[index]),
            lon_deg=float(lon_deg[index]),
            altitude_km=float(altitude_km[index]),
            azimuth_deg=None if seen is None else float(seen.azimuth_deg[row]),
            elevation_deg=None if seen is None else float(seen.elevation_deg[row]),
            range_km=None if seen is None else float(seen.range_km[row]),
            sun_elevation_deg=None if seen is None else float(seen.sun_elevation_deg[row]),
            satellite_sunlit=None if seen is None else bool(seen.satellite_sunlit[row]),
        )
        for row, index in enumerate(sound)
    ]
    return TrackAnswer(
        satellite=chosen.satellite_id,
        norad_id=chosen.norad_id,
        station=None if place is None else place.station_id,
        elements_epoch=elements.epoch,
        points=tuple(points),
        notes=(f"no position at {missing} of {len(times)} instants",) if missing else (),
    )


def subsolar(context: Context, at: datetime) -> tuple[float, float]:
    """Longitude and latitude, degrees, of where the Sun stands overhead."""
    x, y, z = sun_position_km(*julian_pairs(at, np.zeros(1)), context.earth)[:, 0]
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def key_curve(context: Context, row: PassRow, slices: int = 40) -> list[tuple[datetime, float]]:
    """Sifted bits a second over a pass's link, under a clear sky, in the middle of each slice.

    Of a pass of the scenario's satellites and stations; empty without a dark part.
    """
    if row.acquires_at is None or row.loses_at is None:
        return []
    satellite = any_satellite(context, row.satellite)
    (place,) = context.stations([row.station])
    elements = context.elements_of_epoch(row.norad_id, row.elements_epoch)
    step = (row.loses_at - row.acquires_at) / slices
    starts = [row.acquires_at + step * index for index in range(slices)]
    links = [Downlink(satellite, elements, place, start, start + step) for start in starts]
    gained = link_forecasts(
        links,
        step_s=context.settings.track_step_s,
        bound=context.settings.bound,
        learned=learned_by(context, context.clock.now()),
        earth=context.earth,
    )
    return [
        (start + step / 2, one.sifted_bits / step.total_seconds())
        for start, one in zip(starts, gained, strict=True)
    ]


def _elements_for(
    context: Context, satellite: str, at: datetime, as_known_at: datetime | None
) -> Elements:
    context.refresh_elements()
    norad_id, max_age = any_satellite(context, satellite).norad_id, context.max_element_age
    archive = context.archive_of(norad_id, known_at=as_known_at)
    if as_known_at is None:
        return archive.nearest(at, norad_id=norad_id, max_age=max_age)
    lag = timedelta(seconds=context.scenario.planning.element_lag_s)
    (piece,) = archive.segments(
        at,
        at + timedelta(seconds=1),
        norad_id=norad_id,
        lag=lag,
        as_known_at=as_known_at,
        max_age=max_age,
    )
    return piece.elements


def _instants(
    start: datetime, end: datetime, step_s: float, most: int = SAMPLES_MAX
) -> list[datetime]:
    """The instants of a track, at most so many of them."""
    start, end = as_utc(start), as_utc(end)
    if not 0.0 < step_s < inf:
        raise InputError(f"step_s {step_s}; allowed: above 0")
    count = int(np.ceil((end - start).total_seconds() / step_s))
    if not 1 <= count <= most:
        raise InputError(
            f"a track from {instant_key(start)} to {instant_key(end)} in steps of {step_s} s has"
            f" {count} samples; allowed: 1 to {most}"
        )
    return [start + timedelta(seconds=step_s * index) for index in range(count)]


def nights(context: Context, station: str, start: datetime, end: datetime) -> list[Span]:
    """When the Sun is low enough at a station for a link, to two minutes, within [start, end)."""
    (place,) = context.stations([station])
    limit = context.scenario.planning.sun_elevation_deg_max
    seconds = np.arange(0.0, (end - start).total_seconds() + NIGHT_STEP_S, NIGHT_STEP_S)
    site = ground_station(place)
    sun = elevation_deg(
        sun_position_km(*julian_pairs(start, seconds), context.earth),
        site.position_km()[:, None],
        site.axes()[2][:, None],
    )
    edges = np.flatnonzero(np.diff(np.concatenate(([False], sun < limit, [False])).astype(int)))
    instants = [start + timedelta(seconds=NIGHT_STEP_S * int(edge)) for edge in edges]
    return [
        Span(start=begin, end=min(until, end))
        for begin, until in zip(instants[::2], instants[1::2], strict=True)
        if begin < end
    ]
