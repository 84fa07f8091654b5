"""UT1 and leap seconds from the content of a file, put behind what ships with Skyfield."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from orbits.earth import LEAPS, SHIPPED, EarthTime, unpacked
from orbits.errors import TimeError
from orbits.times import DAY_S, JD_OF_ORDINAL_ZERO, TT_MINUS_TAI_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

    Leaps = tuple[tuple[date, int], ...]

_LENGTH_MAX = 50_000_000
_MJD_JD = 2400000.5
_LEAP_S = 0.9  # a leap second is a jump of UT1 - UTC by a second; a day brings a few ms
_GAP_DAYS = 1e-4  # a leap second makes one day of TT longer by 1.2e-5
_UT1_S_MAX = 0.9  # IERS keeps UT1 - UTC within it; ITU-R TF.460
# A wrong column or a missed leap second is off by more; predictions of a year are not.
_AGREES_S = 0.3
_SHIPPED_NAMES = ("tt_jd_minus_arange", "delta_t_1e7", "leap_dates", "leap_offsets")
_FORMS = "allowed: IERS finals2000A (finals2000A.all, .data, .daily) or Skyfield's iers.npz"
_MJD = re.compile(r"\d{5}\.00")
_UT1 = re.compile(r"[+-]?\d?\.\d{1,7}")


class _Days(NamedTuple):
    """UTC days in a row as Julian dates, TT - UT1 at their beginning, and the leaps known."""

    tt_jd: FloatArray
    tt_minus_ut1_s: FloatArray
    leaps: Leaps


def read_earth_time(content: str | Mapping[str, NDArray[Any]]) -> EarthTime:
    """Return the UT1 and the leap seconds of a file, and before its first day the shipped ones.

    Parameters
    ----------
    content : the text of IERS finals2000A, columns as its readme says (MJD 8 to 15, UT1 - UTC
        59 to 68; a jump by a second is a leap second), read up to the last day with a
        prediction; or the columns of Skyfield's `iers.npz`

    Raises TimeError naming the line and what was expected: for another format, days that do
    not follow each other, begin after the shipped ones end or end before them, leap seconds
    other than those announced to date, and UT1 that differs by 0.3 s from what is known.
    """
    return _joined(_finals_days(content) if isinstance(content, str) else _npz_days(content))


def _finals_days(text: str) -> _Days:
    if len(text) > _LENGTH_MAX:
        raise TimeError(f"UT1 file of {len(text)} characters; allowed: {_LENGTH_MAX} at most")
    mjd: list[int] = []
    ut1_s: list[float] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        day, ut1 = line[7:15].strip(), line[58:68].strip()
        if not _MJD.fullmatch(day):
            _refuse(number, 8, "a whole modified Julian date such as 61363.00", day)
        if not ut1:
            break  # days beyond the last prediction
        if not _UT1.fullmatch(ut1) or abs(float(ut1)) > _UT1_S_MAX:
            _refuse(number, 59, f"UT1 - UTC in seconds, {_UT1_S_MAX} at most", ut1)
        if mjd and int(day[:5]) != mjd[-1] + 1:
            _refuse(number, 8, f"the day after {mjd[-1]}", day)
        mjd.append(int(day[:5]))
        ut1_s.append(float(ut1))
    if len(mjd) < 2:
        raise TimeError(f"line 1, column 1: a UT1 file of {len(mjd)} days; {_FORMS}")
    jd = np.array(mjd) + _MJD_JD
    jumps = np.flatnonzero(np.abs(np.diff(ut1_s)) > _LEAP_S) + 1
    offset = float(SHIPPED.tai_minus_utc_s(float(jd[0])))
    leaps = [one for one in LEAPS if one[0] <= _day(float(jd[0]))]
    tai_utc_s = np.full(len(jd), offset)
    for at in jumps.tolist():
        offset += round(ut1_s[at] - ut1_s[at - 1])
        tai_utc_s[at:] = offset
        leaps.append((_day(float(jd[at])), round(offset)))
    tt_minus_utc_s = tai_utc_s + TT_MINUS_TAI_S
    return _Days(jd + tt_minus_utc_s / DAY_S, (tt_minus_utc_s - ut1_s).round(7), tuple(leaps))


def _refuse(number: int, column: int, expected: str, found: str) -> NoReturn:
    where = f"line {number}, column {column}"
    raise TimeError(f"{where}: expected {expected}, found {found!r}; {_FORMS}")


def _npz_days(found: Mapping[str, NDArray[Any]]) -> _Days:
    try:
        columns = [np.asarray(found[name], dtype=np.float64) for name in _SHIPPED_NAMES]
    except (TypeError, ValueError, KeyError) as error:
        raise TimeError(f"not Skyfield's iers.npz: {error}; {_FORMS}") from error
    first, delta_t, leap_jd, offsets = columns
    shapes = [column.shape for column in columns]
    if (
        shapes[0] != shapes[1]
        or shapes[2] != shapes[3]
        or any(len(shape) != 1 or shape[0] < 2 for shape in shapes)
        or not all(np.isfinite(column).all() for column in columns)
    ):
        raise TimeError(f"iers.npz holds columns of shapes {shapes}; {_FORMS}")
    tt_jd, tt_minus_ut1_s = unpacked(first, delta_t)
    try:
        if np.abs(np.diff(tt_jd) - 1.0).max() > _GAP_DAYS:
            raise ValueError("its days do not follow each other")
        told = zip(leap_jd.tolist(), offsets.tolist(), strict=True)
        leaps = (LEAPS[0], *((_day(jd), round(offset)) for jd, offset in told))
        return _Days(tt_jd, tt_minus_ut1_s, leaps)
    except (ValueError, OverflowError) as error:
        raise TimeError(f"not Skyfield's iers.npz: {error}; {_FORMS}") from error


def _joined(days: _Days) -> EarthTime:
    """Return the days behind the shipped ones before them; raise TimeError for a contradiction."""
    shipped_jd, shipped_s = SHIPPED.table
    begins, ends = _day(float(days.tt_jd[0])), _day(float(days.tt_jd[-1]))
    until = _day(float(shipped_jd[-1]))
    if not begins <= until < ends:
        raise TimeError(
            f"UT1 from {begins} to {ends}; allowed: what begins by {until}, where the shipped UT1"
            f" ends, and ends after it"
        )
    odd = set(LEAPS) ^ {one for one in days.leaps if one[0] <= until}
    if odd:
        day, offset = min(odd)
        raise TimeError(f"UT1 file disagrees about a leap second: TAI - UTC of {offset} s on {day}")
    known_s = np.interp(days.tt_jd, shipped_jd, shipped_s)
    both = (days.tt_jd >= shipped_jd[0]) & (days.tt_jd <= shipped_jd[-1])
    off = np.flatnonzero(both & ~(np.abs(days.tt_minus_ut1_s - known_s) <= _AGREES_S))
    if off.size:
        at = int(off[0])
        raise TimeError(
            f"TT - UT1 of {days.tt_minus_ut1_s[at]:.4f} s on {_day(float(days.tt_jd[at]))}, known"
            f" is {known_s[at]:.4f} s; allowed: {_AGREES_S} s apart at most"
        )
    before = shipped_jd < days.tt_jd[0] - 0.5
    table = (
        np.concatenate([shipped_jd[before], days.tt_jd]),
        np.concatenate([shipped_s[before], days.tt_minus_ut1_s]),
    )
    return EarthTime(days.leaps, table)


def _day(jd: float) -> date:
    return date.fromordinal(int(jd - JD_OF_ORDINAL_ZERO))
