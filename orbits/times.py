"""UTC datetimes and split Julian dates.

Everything here counts UTC in days of 86,400 s, as SGP4 and Skyfield do: an instant
inside a leap second cannot be named, and a difference of two Julian dates that straddles
one is a second short of the physical time between them (see `earth`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from orbits.errors import TimeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

DAY_S = 86400.0
J2000_JD = 2451545.0
TT_MINUS_TAI_S = 32.184  # IAU 1991, Recommendation IV
JD_OF_ORDINAL_ZERO = 1721424.5  # Julian date of the proleptic Gregorian day 0, 0 h
_WINDOW_MAX = timedelta(days=36600)


def as_utc(value: datetime) -> datetime:
    """Return an aware datetime in UTC; raise TimeError for a naive one."""
    if not isinstance(value, datetime):
        raise TimeError(f"need a datetime, got {value!r}")
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None or value.utcoffset() is None:
        raise TimeError(f"need a datetime with a zone, got the naive {value.isoformat()}")
    return value.astimezone(UTC)


def iso_utc(value: datetime) -> str:
    """Return an aware datetime as ISO 8601 text that ends in Z."""
    return as_utc(value).isoformat().replace("+00:00", "Z")


def window(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return a half-open window in UTC; raise TimeError unless start < end < start + 100 a."""
    start, end = as_utc(start), as_utc(end)
    if not start < end:
        raise TimeError(f"need start < end, got {iso_utc(start)} and {iso_utc(end)}")
    if end - start > _WINDOW_MAX:
        raise TimeError(
            f"a window of {(end - start).days} days is longer than {_WINDOW_MAX.days} days"
        )
    return start, end


def julian_pair(value: datetime) -> tuple[float, float]:
    """Return the UTC Julian date of the last midnight, and the fraction of the day since."""
    value = as_utc(value)
    jd = value.toordinal() + JD_OF_ORDINAL_ZERO
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return jd, (seconds + value.microsecond * 1e-6) / DAY_S


def julian_pairs(start: datetime, offset_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return split UTC Julian dates, each shape (N,), of seconds after an instant.

    The fraction lies in [0, 1): one float64 for both would resolve 20 to 40 us only.
    """
    jd, fraction = julian_pair(start)
    days = np.asarray(offset_s, dtype=np.float64) / DAY_S + fraction
    whole = np.floor(days)
    return jd + whole, days - whole


def datetime_at(start: datetime, offset_s: float) -> datetime:
    """Return the instant so many seconds after another one, to the microsecond."""
    return start + timedelta(microseconds=round(float(offset_s) * 1e6))


def seconds_between(start: datetime, end: datetime) -> float:
    """Return the seconds from one instant to another, leap seconds not counted."""
    return (end - start) / timedelta(seconds=1)
