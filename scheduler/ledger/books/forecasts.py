"""Forecasts of the sky, as they came: what was issued when, for replays too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import func, insert, select

from scheduler.ledger.log.canonical import canonical_json, instant_text
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import ForecastRow
from scheduler.ledger.transaction import Transaction
from scheduler.weather import Forecast

PPM = 1_000_000


def add_forecasts(tx: Transaction, forecasts: Iterable[Forecast], *, source: str) -> int:
    """Add forecasts, those of a station and an issue that are there left out; count the new."""
    added = 0
    runs = sorted(forecasts, key=lambda one: (one.station_id, one.issued_at, one.valid_at))
    for (station_id, issued_at), run in groupby(runs, lambda one: (one.station_id, one.issued_at)):
        if issued_at in _issues(tx, station_id):
            continue
        hours = [
            [round((one.valid_at - issued_at).total_seconds()), round(one.p_clear * PPM)]
            for one in run
        ]
        named = {"station_id": station_id, "issued_at": issued_at, "source": source}
        row = sealed("forecast", named | {"hours": canonical_json(hours)})
        tx.raw.execute(insert(ForecastRow), [row])
        subject = f"{station_id}@{instant_text(issued_at)}"
        tx.trail.record("forecast", subject, row["sha256"])
        added += 1
    return added


def _issues(reader: Reader, station_id: str) -> set[datetime]:
    query = select(ForecastRow.issued_at).where(ForecastRow.station_id == station_id)
    return set(reader.connection.execute(query).scalars())


def last_issues(reader: Reader, *, at: datetime) -> dict[str, datetime]:
    """When the newest forecast of each station that was known at an instant was issued."""
    query = (
        select(ForecastRow.station_id, func.max(ForecastRow.issued_at))
        .where(ForecastRow.issued_at <= at)
        .group_by(ForecastRow.station_id)
    )
    rows = reader.connection.execute(query)
    return {station_id: issued_at for station_id, issued_at in rows}  # noqa: C416 - typed


def get_forecasts(reader: Reader, stations: Sequence[str], *, at: datetime) -> list[Forecast]:
    """The newest forecast of each station that was known at an instant."""
    found: list[Forecast] = []
    for station_id, issued_at in last_issues(reader, at=at).items():
        if station_id not in stations:
            continue
        query = select(ForecastRow.hours).where(
            ForecastRow.station_id == station_id, ForecastRow.issued_at == issued_at
        )
        found += [
            Forecast(
                station_id=station_id,
                issued_at=issued_at,
                valid_at=issued_at + timedelta(seconds=after_s),
                p_clear=ppm / PPM,
            )
            for after_s, ppm in json.loads(reader.connection.execute(query).scalar_one())
        ]
    return found
