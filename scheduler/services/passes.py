"""Use cases: which passes are coming, and where the satellite is meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orbits import as_utc, find_passes_in_archive
from scheduler.errors import InputError
from scheduler.facts import PassAnswer, PassRow
from scheduler.forecast import forecast_pass, ground_station

if TYPE_CHECKING:
    from scheduler.services.context import Context


def upcoming_passes(
    context: Context,
    *,
    satellite: str,
    stations: Sequence[str] | None,
    start: datetime,
    end: datetime,
    min_elevation_deg: float | None,
    as_known_at: datetime | None,
    forecast: bool,
    dark_only: bool,
) -> PassAnswer:
    """The passes within [start, end), by station and rise, nothing precomputed.

    Each instant is served by the element set nearest to it, or with `as_known_at` by the newest
    one that had arrived by then. Raises InputError for reversed or overlong times, UnknownName,
    and orbits.StaleElementsError where no set is young enough.
    """
    start, end = as_utc(start), as_utc(end)
    _check_span(start, end, context.settings.passes_days_max)
    planning = context.scenario.planning
    mask_deg = planning.min_elevation_deg if min_elevation_deg is None else min_elevation_deg
    if not 0.0 <= mask_deg < 90.0:
        raise InputError(f"min_elevation_deg {mask_deg}; allowed: 0 to below 90")
    chosen = context.satellite(satellite)
    places = {station.station_id: station for station in context.stations(stations)}
    lag = timedelta(seconds=planning.element_lag_s)
    table = find_passes_in_archive(
        context.archive,
        chosen.norad_id,
        [ground_station(station) for station in places.values()],
        start,
        end,
        rule="nearest" if as_known_at is None else "known_at",
        as_known_at=None if as_known_at is None else as_utc(as_known_at) - lag,
        max_age=context.max_element_age,
        mask_deg=mask_deg,
    )
    rows: list[PassRow] = []
    for item in sorted(table, key=lambda one: (one.rises_at, one.station_id)):
        row = forecast_pass(
            item,
            _elements_of(context, item),
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
    )
