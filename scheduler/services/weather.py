"""The weather that a question uses: which source, and what of it says nothing here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from difflib import get_close_matches
from math import prod
from typing import TYPE_CHECKING

from scheduler.errors import LedgerMissing
from scheduler.sources.weather import fetch_forecasts, read_forecasts, weather_of
from scheduler.weather import ForecastTable

if TYPE_CHECKING:
    from scheduler.domain import Candidate
    from scheduler.network import Station
    from scheduler.services.context import Context
    from scheduler.weather import Forecast, Weather

OPEN_METEO = "open-meteo"
Look = tuple[str, datetime]
"""A station and an instant that its sky is asked for."""


def weather_in_use(context: Context) -> str:
    """The name of the weather that plans use: none, climatology, open-meteo, or a file's."""
    settings = context.settings
    if settings.weather_file is not None:
        return f"file {settings.weather_file.name}"
    return settings.weather or context.scenario.planning.weather.value


def weather_identity(context: Context) -> str:
    """Which weather plans use, for the identity of a run: a file counts by its content."""
    file = context.settings.weather_file
    if file is None:
        return weather_in_use(context)
    return f"file {hashlib.sha256(file.read_bytes()).hexdigest()}"


def weather_over(
    context: Context, stations: Sequence[Station], looks: Sequence[Look], *, at: datetime
) -> tuple[Weather | None, list[str]]:
    """The weather as known at `at`, None if none is used or asked for; what it lacks, in words."""
    used = weather_in_use(context)
    if used == "none" or not looks:
        return None, []
    notes: list[str] = []
    if context.settings.weather_file is not None:
        forecasts = read_forecasts(context.settings.weather_file)
    elif used == OPEN_METEO and (kept := _kept_forecasts(context, stations, at=at)):
        forecasts = kept
    elif used == OPEN_METEO and (last := max(instant for _, instant in looks)) > at:
        days, url = (last - at).days + 1, context.settings.weather_url
        forecasts, wrong = fetch_forecasts(stations, issued_at=at, days=days, url=url)
        notes += wrong
    else:
        return weather_of((), stations), []
    notes += _unused(context.scenario.stations, used, forecasts, looks, at=at)
    return weather_of(forecasts, stations), notes


def _kept_forecasts(
    context: Context, stations: Sequence[Station], *, at: datetime
) -> tuple[Forecast, ...]:
    """What `run` asked for and kept; nothing without a ledger."""
    with suppress(LedgerMissing), context.view.read() as reader:
        from scheduler.ledger.books.forecasts import get_forecasts

        return tuple(get_forecasts(reader, [one.station_id for one in stations], at=at))
    return ()


def clear_over(weather: Weather, candidate: Candidate, *, at: datetime) -> float:
    """The chance of a clear sky in the middle of a session, as known at `at`.

    Over both stations of a dual downlink, whose skies are assumed to know nothing of each other.
    """
    middle = candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
    return prod(
        weather.clear_probability(name, middle, known_at=at) for name in candidate.station_ids
    )


def _unused(
    stations: Sequence[Station],
    used: str,
    forecasts: tuple[Forecast, ...],
    looks: Sequence[Look],
    *,
    at: datetime,
) -> Iterator[str]:
    """Yield what of a source of weather says nothing here, in sentences."""
    known = [station.station_id for station in stations]
    for name in sorted({forecast.station_id for forecast in forecasts} - {*known}):
        near = get_close_matches(name, known, n=1)
        meant = f"; probably meant: {near[0]}" if near else ""
        yield f"weather: {used} names {name!r}, no station of the scenario{meant}"
    table = ForecastTable(forecasts)
    if not any(table.outlook(station_id, when, known_at=at) for station_id, when in looks):
        yield f"weather: {used} has nothing for these passes; climatology instead"
