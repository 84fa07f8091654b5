"""How likely a clear sky is: climatology by default, forecasts where there are any."""

from scheduler.weather.climatology import SYNTHETIC_NOTE, Climatology
from scheduler.weather.fetch import OPEN_METEO_URL, fetch_open_meteo
from scheduler.weather.parse import parse_csv, parse_open_meteo
from scheduler.weather.table import Forecast, ForecastTable, Layered, Outlook, Weather
from scheduler.weather.truth import TrueSky

__all__ = [
    "OPEN_METEO_URL",
    "SYNTHETIC_NOTE",
    "Climatology",
    "Forecast",
    "ForecastTable",
    "Layered",
    "Outlook",
    "TrueSky",
    "Weather",
    "fetch_open_meteo",
    "parse_csv",
    "parse_open_meteo",
]
