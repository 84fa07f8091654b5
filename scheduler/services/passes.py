"""Use cases: which passes are coming, and where the satellite is meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from orbits import as_utc, find_passes_in_archive, iso_utc, subpoint, track
from orbits.light import elevation_deg, sun_position_km
from orbits.times import julian_pairs
from scheduler.domain import PassAnswer, PassRow, Span
from scheduler.errors import InputError
from scheduler.forecast import forecast_pass, ground_station

SAMPLES_MAX = 200_000
NIGHT_STEP_S = 120.0

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits import Archive, Elements, PassTable, Track
    from scheduler.services.context import Context


def upcoming_passes(
    context: Context,
    *,
    satellite: str,
    stations: Sequence[str] | None,
    start: datetime,
    end: datetime,
    min_elevation_deg: float | None = None,
    as_known_at: datetime | None = None,
    forecast: bool = False,
    dark_only: bool = False,
) -> PassAnswer:
    """The passes within [start, end), by station and rise, nothing precomputed.

    Each instant is served by the element set nearest to it, or with `as_known_at` by the newest
    one that had arrived by then. Raises InputError for reversed or overlong times, UnknownName,
    and orbits.StaleElementsError where no set is young enough.
    """
    start, end = as_utc(start), as_utc(end)
    _check_span(start, end, context.settings.passes_days_max)
    planning = context.scenario.planning
    if min_elevation_deg is not None and not 0.0 <= min_elevation_deg < 90.0:
        raise InputError(f"min_elevation_deg {min_elevation_deg}; allowed: 0 to below 90")
    context.refresh_elements()
    chosen = context.satellite(satellite)
    archive = context.archive_of(chosen.norad_id, known_at=as_known_at)
    places = {station.station_id: station for station in context.stations(stations)}
    table = find_passes_in_archive(
        archive,
        chosen.norad_id,
        [ground_station(one, least_deg=planning.min_elevation_deg) for one in places.values()],
        start,
        end,
        rule="nearest" if as_known_at is None else "known_at",
        as_known_at=as_known_at,
        lag=timedelta(seconds=planning.element_lag_s),
        max_age=context.max_element_age,
        mask_deg=min_elevation_deg,
    )
    sets = {elements.epoch: elements for elements in table.elements}
    rows: list[PassRow] = []
    for item in sorted(table, key=lambda one: (one.rises_at, one.station_id)):
        row = forecast_pass(
            item,
            sets[item.epoch],
            satellite=chosen,
            station=places[item.station_id],
            planning=planning,
            step_s=context.settings.track_step_s,
            bound=context.settings.bound,
            with_key=forecast,
        ).row
        if row.dark or not dark_only:
            rows.append(row)
    return PassAnswer(
        rows=tuple(rows),
        rule="nearest" if as_known_at is None else "known_at",
        as_known_at=as_known_at,
        epochs=tuple(sorted({row.elements_epoch for row in rows})),
        notes=_notes(archive, table, end),
    )


def _notes(archive: Archive, table: PassTable, end: datetime) -> tuple[str, ...]:
    """What the passes alone do not tell: no position, always up, coming down, no history."""
    stations = [table.stations[station].name for _, station in sorted(table.always_up)]
    notes = [f"always up over {name}: no pass" for name in dict.fromkeys(stations)]
    notes += [
        f"no position from {iso_utc(gap.start)} to {iso_utc(gap.end)}: {gap.reason}"
        for gap in table.unusable
    ]
    decay = archive.decay(table.elements[0].norad_id)
    if decay is not None and end > decay.last_epoch:
        notes.append(f"{decay.satellite}: {decay.sentence}")
    return tuple(notes)


def station_track(
    context: Context,
    satellite: str,
    station: str,
    start: datetime,
    end: datetime,
    step_s: float = 1.0,
    *,
    as_known_at: datetime | None = None,
) -> Track:
    """The satellite as one station sees it every `step_s` seconds of [start, end)."""
    (place,) = context.stations([station])
    elements = _elements_for(context, satellite, start, as_known_at)
    return track(elements, ground_station(place), _instants(start, end, step_s))


def ground_track(
    context: Context, satellite: str, start: datetime, end: datetime, step_s: float = 10.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Latitude and longitude of the point below the satellite, degrees, one an instant."""
    elements = _elements_for(context, satellite, start, None)
    return subpoint(elements, _instants(start, end, step_s))


def _elements_for(
    context: Context, satellite: str, at: datetime, as_known_at: datetime | None
) -> Elements:
    context.refresh_elements()
    norad_id, max_age = context.satellite(satellite).norad_id, context.max_element_age
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


def _instants(start: datetime, end: datetime, step_s: float) -> list[datetime]:
    """The instants of a track, at most SAMPLES_MAX of them."""
    start, end = as_utc(start), as_utc(end)
    count = int(np.ceil((end - start).total_seconds() / step_s)) if step_s > 0.0 else 0
    if not 1 <= count <= SAMPLES_MAX:
        raise InputError(
            f"a track from {start} to {end} in steps of {step_s} s has {count} samples; "
            f"allowed: 1 to {SAMPLES_MAX}"
        )
    return [start + timedelta(seconds=step_s * index) for index in range(count)]


def _check_span(start: datetime, end: datetime, days_max: float) -> None:
    if not start < end:
        raise InputError(f"the end {end.isoformat()} is not after the start {start.isoformat()}")
    if end - start > timedelta(days=days_max):
        days = (end - start) / timedelta(days=1)
        raise InputError(f"{days:g} days of passes; allowed: up to {days_max:g} in one question")


def nights(context: Context, station: str, start: datetime, end: datetime) -> list[Span]:
    """When the Sun is low enough at a station for a link, to two minutes, within [start, end)."""
    (place,) = context.stations([station])
    limit = context.scenario.planning.sun_elevation_deg_max
    seconds = np.arange(0.0, (end - start).total_seconds() + NIGHT_STEP_S, NIGHT_STEP_S)
    site = ground_station(place)
    sun = elevation_deg(
        sun_position_km(*julian_pairs(start, seconds)),
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
