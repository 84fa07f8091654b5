"""The chance of a clear sky by month, for each station: the default when nothing is forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orbits import as_utc
from scheduler.errors import FactError
from scheduler.weather.table import Outlook

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

SYNTHETIC_TABLE: Mapping[str, Sequence[float]] = {
    "xinglong": _MONSOON,
    "beijing": _MONSOON,
    "jinan": _MONSOON,
    "nanshan": _INNER_ASIA,
    "urumqi": _INNER_ASIA,
    "delingha": _HIGH_PLATEAU,
    "ngari": _HIGH_PLATEAU,
    "hefei": _SOUTH_CHINA,
    "shanghai": _SOUTH_CHINA,
    "lijiang": _YUNNAN,
    "graz": _CENTRAL_EUROPE,
    "vienna": _CENTRAL_EUROPE,
}
SYNTHETIC_ELSEWHERE = (0.5,) * 12
"""For a station that the table does not name."""


class Climatology:
    """Monthly values, the same every year, known at any time.

    The built-in table is synthetic, and its answers say so; a table of one's own has a source.
    """

    def __init__(
        self,
        table: Mapping[str, Sequence[float]] | None = None,
        *,
        elsewhere: Sequence[float] = SYNTHETIC_ELSEWHERE,
        source: str = "",
    ) -> None:
        if table is not None and not source:
            raise FactError("a climatology of one's own needs its source")
        self._table = SYNTHETIC_TABLE if table is None else table
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
