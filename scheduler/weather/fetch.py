"""Asks Open-Meteo for the cloud cover over a station; nobody does unless the settings say so."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from scheduler.errors import InputError
from scheduler.weather.parse import parse_open_meteo
from scheduler.weather.table import Forecast

if TYPE_CHECKING:
    import httpx

OPEN_METEO_URL = "https://api.open-meteo.com/v1/forecast"
DAYS_MAX = 16  # what the service forecasts
TIMEOUT_S = 10.0


def fetch_open_meteo(
    client: httpx.Client,
    *,
    station_id: str,
    lat_deg: float,
    lon_deg: float,
    issued_at: datetime,
    days: int = 7,
    url: str = OPEN_METEO_URL,
) -> tuple[Forecast, ...]:
    """Fetch hourly cloud cover by the caller's client; `issued_at` is the caller's present.

    Raises InputError if the service does not answer, or not with what `parse_open_meteo` reads.
    """
    import httpx

    if not 1 <= days <= DAYS_MAX:
        raise InputError(f"{days} days of forecast; allowed: 1 to {DAYS_MAX}")
    question: dict[str, str | int | float] = {
        "latitude": lat_deg,
        "longitude": lon_deg,
        "hourly": "cloud_cover",
        "forecast_days": days,
        "timezone": "GMT",
    }
    try:
        answer = client.get(url, params=question, timeout=TIMEOUT_S)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise InputError(f"no forecast for {station_id} from {url}: {error}") from error
    return parse_open_meteo(answer.text, station_id=station_id, issued_at=issued_at)
