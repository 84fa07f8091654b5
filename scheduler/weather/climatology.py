"""The chance of a clear sky by month, for each station: the default when nothing is forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from orbits import as_utc
from scheduler.errors import FactError
from scheduler.weather.table import Outlook
from scheduler.weather.truth import EARTH_RADIUS_KM

SYNTHETIC_NOTE = (
    "synthetic: shaped after the climate of each region, measured nowhere; replace it with"
    " station data before any figure is quoted"
)

# Synthetic (see SYNTHETIC_NOTE). January to December.
_MONSOON = (0.72, 0.68, 0.60, 0.55, 0.52, 0.42, 0.32, 0.36, 0.52, 0.64, 0.66, 0.72)
_INNER_ASIA = (0.55, 0.55, 0.52, 0.52, 0.55, 0.58, 0.60, 0.66, 0.70, 0.70, 0.60, 0.55)
_HIGH_PLATEAU = (0.70, 0.62, 0.52, 0.46, 0.42, 0.40, 0.44, 0.50, 0.56, 0.70, 0.76, 0.76)
_CENTRAL_EUROPE = (0.30, 0.35, 0.38, 0.40, 0.40, 0.40, 0.48, 0.50, 0.45, 0.40, 0.28, 0.26)
_SOUTH_CHINA = (0.38, 0.32, 0.28, 0.30, 0.32, 0.32, 0.40, 0.42, 0.46, 0.52, 0.50, 0.46)
_YUNNAN = (0.78, 0.74, 0.68, 0.60, 0.46, 0.28, 0.20, 0.24, 0.32, 0.50, 0.68, 0.78)

SYNTHETIC_PLACES: Sequence[tuple[float, float, Sequence[float]]] = (
    (40.4, 117.6, _MONSOON),  # Xinglong
    (39.9, 116.4, _MONSOON),  # Beijing
    (36.7, 117.1, _MONSOON),  # Jinan
    (43.5, 87.2, _INNER_ASIA),  # Nanshan, Urumqi
    (37.4, 97.7, _HIGH_PLATEAU),  # Delingha
    (32.3, 80.0, _HIGH_PLATEAU),  # Ngari
    (31.8, 117.2, _SOUTH_CHINA),  # Hefei
    (31.2, 121.5, _SOUTH_CHINA),  # Shanghai
    (26.7, 100.0, _YUNNAN),  # Lijiang
    (47.1, 15.5, _CENTRAL_EUROPE),  # Graz
    (48.2, 16.4, _CENTRAL_EUROPE),  # Vienna
)
"""Degrees north and east, and the months."""
REACH_KM = 300.0
"""How far from one of these places its months still stand for a station."""
SYNTHETIC_ELSEWHERE = (0.5,) * 12
"""For a station further from all of these."""


def synthetic_table(
    places: Mapping[str, tuple[float, float]],
) -> dict[str, Sequence[float]]:
    """The months of each station that one of the places stands for, by (lat_deg, lon_deg).

    A station's name says nothing of where it is.
    """
    found = {}
    for station_id, (lat_deg, lon_deg) in places.items():
        far_km, months = min(
            (_distance_km(lat_deg, lon_deg, lat, lon), months)
            for lat, lon, months in SYNTHETIC_PLACES
        )
        if far_km <= REACH_KM:
            found[station_id] = months
    return found


def _distance_km(
    lat_deg: float, lon_deg: float, other_lat_deg: float, other_lon_deg: float
) -> float:
    """Along a great circle, by the haversine formula."""
    lat, lon, other_lat, other_lon = map(
        math.radians, (lat_deg, lon_deg, other_lat_deg, other_lon_deg)
    )
    half = math.sin((lat - other_lat) / 2.0) ** 2
    half += math.cos(lat) * math.cos(other_lat) * math.sin((lon - other_lon) / 2.0) ** 2
    return 2.0 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, half)))


class Climatology:
    """Monthly values, the same every year, known at any time.

    The built-in table is synthetic, and its answers say so; a table of one's own has a source.
    """

    def __init__(
        self,
        table: Mapping[str, Sequence[float]] | None = None,
        *,
        places: Mapping[str, tuple[float, float]] | None = None,
        elsewhere: Sequence[float] = SYNTHETIC_ELSEWHERE,
        source: str = "",
    ) -> None:
        """Take a table of one's own, or the synthetic one for stations at (lat_deg, lon_deg)."""
        if table is not None and not source:
            raise FactError("a climatology of one's own needs its source")
        self._table = synthetic_table(places or {}) if table is None else table
        self._elsewhere = elsewhere
        self._source = source or "synthetic"
        for station_id, months in [*self._table.items(), ("elsewhere", elsewhere)]:
            if len(months) != 12:
                raise FactError(f"climatology of {station_id} has {len(months)} months, not 12")
            for month, p_clear in enumerate(months, start=1):
                if not 0.0 <= p_clear <= 1.0:
                    raise FactError(
                        f"climatology of {station_id}, month {month}: {p_clear}, not 0..1"
                    )

    def outlook(self, station_id: str, at: datetime, *, known_at: datetime) -> Outlook:
        """The value of the station and the month of `at` (UTC)."""
        p_clear = self.clear_probability(station_id, at, known_at=known_at)
        return Outlook(p_clear=p_clear, source=f"climatology ({self._source})")

    def clear_probability(self, station_id: str, at: datetime, *, known_at: datetime) -> float:
        """The same as a plain number."""
        as_utc(known_at)
        months = self._table.get(station_id, self._elsewhere)
        return float(months[as_utc(at).month - 1])
