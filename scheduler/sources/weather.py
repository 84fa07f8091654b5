"""Weather for the planner: climatology, forecasts from a file, or those of Open-Meteo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from scheduler.errors import InputError, SettingsError
from scheduler.network import Station
from scheduler.weather import Climatology, Forecast, ForecastTable, Layered, Weather, parse_csv
from scheduler.weather.fetch import DAYS_MAX, fetch_open_meteo


def read_forecasts(path: Path) -> tuple[Forecast, ...]:
    """Every forecast of a CSV file. Raises SettingsError if it cannot be read."""
    try:
        return parse_csv(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"weather_file {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"weather_file {path}: byte {error.start} is not UTF-8") from None


def weather_of(forecasts: Sequence[Forecast], stations: Iterable[Station]) -> Weather:
    """Forecasts where they reach, the built-in climatology of where stations are elsewhere."""
    climate = Climatology(places={one.station_id: (one.lat_deg, one.lon_deg) for one in stations})
    return Layered(ForecastTable(forecasts), climate) if forecasts else climate


def fetch_forecasts(
    stations: Iterable[Station], *, issued_at: datetime, days: int, url: str
) -> tuple[tuple[Forecast, ...], tuple[str, ...]]:
    """Ask Open-Meteo for each station; also what went wrong, one sentence a station."""
    import httpx

    found: list[Forecast] = []
    wrong: list[str] = []
    with httpx.Client() as client:
        for station in stations:
            try:
                found += fetch_open_meteo(
                    client,
                    station_id=station.station_id,
                    lat_deg=station.lat_deg,
                    lon_deg=station.lon_deg,
                    issued_at=issued_at,
                    days=min(max(days, 1), DAYS_MAX),
                    url=url,
                )
            except InputError as error:
                wrong.append(f"weather: {error}; climatology instead")
    return tuple(found), tuple(wrong)
