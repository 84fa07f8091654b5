"""UTC datetimes, split Julian dates and the Earth's rotation angle.

Everything here counts UTC in days of 86,400 s, as SGP4 and Skyfield do: an instant
inside a leap second cannot be named, and a difference of two Julian dates that straddles
one is a second short of the physical time between them. Whoever interpolates across time
has to stop at a leap second (`leap_offsets_s`), because UT1, and with it the Earth-fixed
position, jumps there.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from orbits.errors import TimeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

DAY_S = 86400.0
J2000_JD = 2451545.0
TT_MINUS_TAI_S = 32.184  # IAU 1991, Recommendation IV
_JD_OF_ORDINAL_ZERO = 1721424.5  # Julian date of the proleptic Gregorian day 0, 0 h
_WINDOW_MAX = timedelta(days=36600)

# First UTC day with a new TAI-UTC, and that difference in seconds. Source: IERS
# Bulletin C and its table Leap_Second.dat; none has been added since 2017.
_LEAPS = (
    ((1972, 1, 1), 10), ((1972, 7, 1), 11), ((1973, 1, 1), 12), ((1974, 1, 1), 13),
    ((1975, 1, 1), 14), ((1976, 1, 1), 15), ((1977, 1, 1), 16), ((1978, 1, 1), 17),
    ((1979, 1, 1), 18), ((1980, 1, 1), 19), ((1981, 7, 1), 20), ((1982, 7, 1), 21),
    ((1983, 7, 1), 22), ((1985, 7, 1), 23), ((1988, 1, 1), 24), ((1990, 1, 1), 25),
    ((1991, 1, 1), 26), ((1992, 7, 1), 27), ((1993, 7, 1), 28), ((1994, 7, 1), 29),
    ((1996, 1, 1), 30), ((1997, 7, 1), 31), ((1999, 1, 1), 32), ((2006, 1, 1), 33),
    ((2009, 1, 1), 34), ((2012, 7, 1), 35), ((2015, 7, 1), 36), ((2017, 1, 1), 37),
)  # fmt: skip
_LEAP_JD = np.array([date(*day).toordinal() + _JD_OF_ORDINAL_ZERO for day, _ in _LEAPS])
_TAI_MINUS_UTC_S = np.array([10.0, *(float(offset) for _, offset in _LEAPS)])
LEAP_INSTANTS = tuple(datetime(*day, tzinfo=UTC) for day, _ in _LEAPS[1:])


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
    jd = value.toordinal() + _JD_OF_ORDINAL_ZERO
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


def tai_minus_utc_s(jd: FloatArray | float) -> FloatArray:
    """Return TAI - UTC in seconds on UTC Julian dates; 10 s before 1972, as in Skyfield."""
    return _TAI_MINUS_UTC_S[np.searchsorted(_LEAP_JD, np.asarray(jd), side="right")]


def leap_offsets_s(start: datetime, end: datetime) -> list[float]:
    """Return the seconds from start to each leap second strictly inside a window."""
    return [seconds_between(start, leap) for leap in LEAP_INSTANTS if start < leap < end]


@lru_cache(maxsize=1)
def _delta_t_table() -> tuple[FloatArray, FloatArray]:
    """Return TT Julian dates and TT - UT1 in seconds, as they ship inside Skyfield."""
    # Imported late, because reading element sets does not need it; and not skyfield.api,
    # which takes three times as long for what reaches planets and the network.
    from skyfield.functions import load_bundled_npy

    table = load_bundled_npy("iers.npz")
    tt_jd = table["tt_jd_minus_arange"]
    return tt_jd + np.arange(len(tt_jd)), (table["delta_t_1e7"] / 1e7).round(7)


@lru_cache(maxsize=1)
def _delta_t() -> Callable[[FloatArray], FloatArray]:
    """Return Skyfield's TT - UT1 in seconds as a function of the TT Julian date.

    It is `load.timescale(builtin=True).delta_t_function`, made as Skyfield makes it.
    """
    from skyfield.timelib import build_delta_t

    function: Callable[[FloatArray], FloatArray] = build_delta_t(_delta_t_table())
    return function


def ut1_known_until() -> datetime:
    """Return the instant until which UT1 is measured or predicted day by day, UTC.

    Beyond it TT - UT1 goes on smoothly into a curve of the centuries (Skyfield's, after
    Stephenson, Morrison and Hohenkerk, 2016). A tenth of a second that it is off turns the
    Earth by 47 m at the equator. A leap second that is announced later is not known here:
    element sets and instants after it would be a second apart, 7.6 km in a low orbit.
    """
    tt_jd = float(_delta_t_table()[0][-1])
    seconds = (tt_jd - _JD_OF_ORDINAL_ZERO - 1.0) * DAY_S - TT_MINUS_TAI_S - _LEAPS[-1][1]
    # One float64 holds a date to 40 us only.
    return datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds, 3))


def ut1_minus_utc_s(jd: FloatArray, fraction: FloatArray, tai_utc_s: FloatArray) -> FloatArray:
    """Return UT1 - UTC in seconds, by the table that ships inside Skyfield.

    TAI - UTC is an argument so that a grid can run on smoothly past a leap second.
    """
    offset_s = TT_MINUS_TAI_S + tai_utc_s
    delta_t = np.asarray(_delta_t()(jd + (fraction + offset_s / DAY_S)), dtype=np.float64)
    return offset_s - delta_t


def earth_rotation_rad(jd: FloatArray, fraction: FloatArray, tai_utc_s: FloatArray) -> FloatArray:
    """Return Greenwich mean sidereal time of 1982 on split UTC Julian dates, in radians.

    This is the angle between SGP4's equinox (TEME) and the Earth-fixed frame; polar
    motion, under 15 m, is left out as in Skyfield's default.

    Source: Vallado et al., AIAA 2006-6753, appendix C; Aoki et al., A&A 105, 359 (1982).
    """
    fraction_ut1 = fraction + ut1_minus_utc_s(jd, fraction, tai_utc_s) / DAY_S
    t = (jd - J2000_JD + fraction_ut1) / 36525.0
    seconds = 67310.54841 + (8640184.812866 + (0.093104 - 6.2e-6 * t) * t) * t
    turns = (jd % 1.0 + fraction_ut1 + seconds / DAY_S % 1.0) % 1.0
    return turns * (2.0 * np.pi)
