"""Forecasts of a clear sky, and what of them was known at an instant."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from orbits import as_utc
from scheduler.errors import FactError


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One value of one forecast run: how likely a clear sky is over a station at `valid_at`."""

    station_id: str
    issued_at: datetime  #: when the value became known
    valid_at: datetime
    p_clear: float

    def __post_init__(self) -> None:
        for name in ("issued_at", "valid_at"):
            object.__setattr__(self, name, as_utc(getattr(self, name)))
        if not 0.0 <= self.p_clear <= 1.0:
            raise FactError(f"p_clear {self.p_clear} of {self.station_id}, not 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The chance of a clear sky at an instant, and what it rests on."""

    p_clear: float
    source: str  #: for people, e.g. "forecast" or "climatology (synthetic)"
    issued_at: datetime | None = None  #: None for climatology, which is always known


class Weather(Protocol):
    """Whoever can say how likely a clear sky is."""

    def outlook(self, station_id: str, at: datetime, *, known_at: datetime) -> Outlook | None:
        """What was known at `known_at` of the sky at `at`; None if nothing."""

    def clear_probability(self, station_id: str, at: datetime, *, known_at: datetime) -> float:
        """The same as a plain number, 0 to 1."""


class ForecastTable:
    """Forecasts of any number of runs; a question sees only what was issued by then.

    The newest run that reaches the instant answers, by straight lines between its values. An
    instant further than `reach_s` from a value is out of that run's reach.
    """

    def __init__(self, forecasts: Iterable[Forecast], *, reach_s: float = 5400.0) -> None:
        if not reach_s > 0.0:
            raise FactError(f"reach_s {reach_s}; allowed: above 0")
        self._reach = timedelta(seconds=reach_s)
        runs: dict[tuple[str, datetime], dict[datetime, float]] = defaultdict(dict)
        for forecast in forecasts:
            run = runs[forecast.station_id, forecast.issued_at]
            if run.setdefault(forecast.valid_at, forecast.p_clear) != forecast.p_clear:
                raise FactError(
                    f"{forecast.station_id}: the run of {forecast.issued_at} has both"
                    f" {run[forecast.valid_at]} and {forecast.p_clear} for {forecast.valid_at}"
                )
        self._issued: dict[str, list[datetime]] = defaultdict(list)
        self._runs: dict[tuple[str, datetime], list[tuple[datetime, float]]] = {}
        for station_id, issued_at in sorted(runs):
            self._issued[station_id].append(issued_at)
            self._runs[station_id, issued_at] = sorted(runs[station_id, issued_at].items())

    def outlook(self, station_id: str, at: datetime, *, known_at: datetime) -> Outlook | None:
        """The value of the newest run issued by `known_at` that reaches `at`."""
        at, known_at = as_utc(at), as_utc(known_at)
        issued = self._issued.get(station_id, [])
        for issued_at in reversed(issued[: bisect_right(issued, known_at)]):
            p_clear = self._between(self._runs[station_id, issued_at], at)
            if p_clear is not None:
                return Outlook(p_clear=p_clear, source="forecast", issued_at=issued_at)
        return None

    def _between(self, run: list[tuple[datetime, float]], at: datetime) -> float | None:
        after = bisect_left(run, (at, -1.0))
        if after < len(run) and run[after][0] == at:
            return run[after][1]
        near = [value for value in run[max(0, after - 1) : after + 1] if self._near(value[0], at)]
        if len(near) < 2:
            return near[0][1] if near else None
        (before_at, before), (after_at, later) = near
        part = (at - before_at) / (after_at - before_at)
        return before + part * (later - before)

    def _near(self, valid_at: datetime, at: datetime) -> bool:
        return abs(valid_at - at) <= self._reach


class Layered:
    """Forecasts where they reach, and something that always answers where they do not."""

    def __init__(self, first: ForecastTable, otherwise: Weather) -> None:
        self._first = first
        self._otherwise = otherwise

    def outlook(self, station_id: str, at: datetime, *, known_at: datetime) -> Outlook | None:
        """The forecast's answer, or else the other's."""
        found = self._first.outlook(station_id, at, known_at=known_at)
        return found or self._otherwise.outlook(station_id, at, known_at=known_at)

    def clear_probability(self, station_id: str, at: datetime, *, known_at: datetime) -> float:
        """The same as a plain number."""
        found = self._first.outlook(station_id, at, known_at=known_at)
        if found is not None:
            return found.p_clear
        return self._otherwise.clear_probability(station_id, at, known_at=known_at)
