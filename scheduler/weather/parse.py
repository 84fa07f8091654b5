"""Forecasts from text: Open-Meteo's JSON and a plain CSV."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from typing import Any

from orbits import as_utc
from scheduler.errors import InputError
from scheduler.weather.table import Forecast

CSV_COLUMNS = ("station", "issued_at", "valid_at", "p_clear")
ROWS_MAX = 1_000_000


def parse_open_meteo(text: str, *, station_id: str, issued_at: datetime) -> tuple[Forecast, ...]:
    """Read `hourly.time[]` and `hourly.cloud_cover[]` of one place.

    The answer does not say when it was made: `issued_at` is when it was fetched. The chance of a
    clear sky is taken as the part of the sky without cloud. Hours without a value are left out.
    Times count from `utc_offset_seconds`, or are unix times if `hourly_units` says so.

    Raises InputError naming the field and what is allowed.
    """
    issued_at = as_utc(issued_at)
    try:
        answer = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"Open-Meteo answer of {station_id} is no JSON: {error}") from error
    if not isinstance(answer, dict):
        raise InputError(
            f"Open-Meteo answer of {station_id} is a {type(answer).__name__}; allowed: one object"
        )
    if answer.get("error"):
        raise InputError(f"Open-Meteo refuses {station_id}: {answer.get('reason', 'no reason')}")
    times, cover = (_hourly(answer, name, station_id) for name in ("time", "cloud_cover"))
    if len(times) != len(cover):
        raise InputError(
            f"Open-Meteo answer of {station_id}: {len(times)} times, {len(cover)} cloud_cover"
        )
    _check_percent(answer, station_id)
    return tuple(
        Forecast(
            station_id=station_id,
            issued_at=issued_at,
            valid_at=_open_meteo_time(answer, time, f"{station_id}: hourly.time[{index}]"),
            p_clear=1.0 - _percent(value, f"{station_id}: hourly.cloud_cover[{index}]") / 100.0,
        )
        for index, (time, value) in enumerate(zip(times, cover, strict=True))
        if value is not None
    )


def _hourly(answer: dict[str, Any], name: str, station_id: str) -> list[Any]:
    hourly = answer.get("hourly")
    values = hourly.get(name) if isinstance(hourly, dict) else None
    if not isinstance(values, list):
        raise InputError(f"Open-Meteo answer of {station_id} has no list hourly.{name}")
    if len(values) > ROWS_MAX:
        raise InputError(f"hourly.{name} has {len(values)} values; allowed: {ROWS_MAX}")
    return values


def _check_percent(answer: dict[str, Any], station_id: str) -> None:
    units = answer.get("hourly_units")
    unit = units.get("cloud_cover", "%") if isinstance(units, dict) else "%"
    if unit != "%":
        raise InputError(f"Open-Meteo answer of {station_id}: cloud_cover in {unit!r}; allowed: %")


def _open_meteo_time(answer: dict[str, Any], value: Any, where: str) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, tz=UTC)
        except (OverflowError, OSError, ValueError) as error:
            raise InputError(f"{where}: {value} is no unix time") from error
    offset_s = answer.get("utc_offset_seconds", 0)
    if not isinstance(offset_s, int) or abs(offset_s) >= 86_400:
        raise InputError(f"{where}: utc_offset_seconds {offset_s!r}; allowed: within a day")
    if not isinstance(value, str):
        raise InputError(f"{where}: {value!r}; allowed: an ISO 8601 time")
    when = _iso(value, where)
    return (
        when.replace(tzinfo=timezone(timedelta(seconds=offset_s))) if when.tzinfo is None else when
    )


def _percent(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 100.0:
        raise InputError(f"{where}: {value!r}; allowed: 0 to 100")
    return float(value)


def parse_csv(text: str) -> tuple[Forecast, ...]:
    """Read lines of station, issued_at, valid_at, p_clear, after a line with those names.

    Times need a zone. Raises InputError naming the line, the value and what is allowed.
    """
    reader = csv.reader(StringIO(text), strict=True)
    found: list[Forecast] = []
    try:
        header = next(reader, None)
        if header is None or tuple(name.strip() for name in header) != CSV_COLUMNS:
            raise InputError(f"weather CSV begins with {header}; allowed: {','.join(CSV_COLUMNS)}")
        for row in reader:
            if row:
                found.append(_csv_row(row, f"weather CSV line {reader.line_num}"))
            if len(found) > ROWS_MAX:
                raise InputError(f"weather CSV has more than {ROWS_MAX} lines")
    except csv.Error as error:
        raise InputError(f"weather CSV line {reader.line_num}: {error}") from error
    return tuple(found)


def _csv_row(row: list[str], where: str) -> Forecast:
    if len(row) != len(CSV_COLUMNS):
        raise InputError(f"{where} has {len(row)} values; allowed: {len(CSV_COLUMNS)}")
    station_id, issued_at, valid_at, p_clear = (value.strip() for value in row)
    if not station_id:
        raise InputError(f"{where} names no station")
    try:
        probability = float(p_clear)
    except ValueError as error:
        raise InputError(f"{where}: p_clear {p_clear!r} is no number") from error
    if not 0.0 <= probability <= 1.0:
        raise InputError(f"{where}: p_clear {p_clear}, not 0..1")
    times = {}
    for name, value in (("issued_at", issued_at), ("valid_at", valid_at)):
        times[name] = _iso(value, f"{where}: {name}")
        if times[name].tzinfo is None:
            raise InputError(f"{where}: {name} {value} has no zone; write it with Z or an offset")
    return Forecast(station_id=station_id, p_clear=probability, **times)


def _iso(value: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise InputError(f"{where}: {value!r} is no ISO 8601 time") from error
