"""How the Earth turns under UTC: leap seconds, UT1, and the angle of Greenwich.

What `EarthTime` holds is handed to whatever turns UTC into Earth-fixed positions. Whoever
interpolates across time has to stop at a leap second (`leap_offsets_s`), because UT1, and
with it the Earth-fixed position, jumps there.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from orbits.times import DAY_S, J2000_JD, JD_OF_ORDINAL_ZERO, TT_MINUS_TAI_S, seconds_between

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

# First UTC day with a new TAI-UTC, and that difference in seconds. Source: IERS
# Bulletin C and its table Leap_Second.dat; none has been added since 2017.
LEAPS = (
    (date(1972, 1, 1), 10), (date(1972, 7, 1), 11), (date(1973, 1, 1), 12),
    (date(1974, 1, 1), 13), (date(1975, 1, 1), 14), (date(1976, 1, 1), 15),
    (date(1977, 1, 1), 16), (date(1978, 1, 1), 17), (date(1979, 1, 1), 18),
    (date(1980, 1, 1), 19), (date(1981, 7, 1), 20), (date(1982, 7, 1), 21),
    (date(1983, 7, 1), 22), (date(1985, 7, 1), 23), (date(1988, 1, 1), 24),
    (date(1990, 1, 1), 25), (date(1991, 1, 1), 26), (date(1992, 7, 1), 27),
    (date(1993, 7, 1), 28), (date(1994, 7, 1), 29), (date(1996, 1, 1), 30),
    (date(1997, 7, 1), 31), (date(1999, 1, 1), 32), (date(2006, 1, 1), 33),
    (date(2009, 1, 1), 34), (date(2012, 7, 1), 35), (date(2015, 7, 1), 36),
    (date(2017, 1, 1), 37),
)  # fmt: skip


class EarthTime:
    """Leap seconds, and TT - UT1 in seconds on TT Julian dates a day apart.

    Without a table it is the one that ships inside Skyfield, read at first use. Two of the
    same content are equal.
    """

    def __init__(
        self,
        leaps: Sequence[tuple[date, int]] = LEAPS,
        table: tuple[FloatArray, FloatArray] | None = None,
    ) -> None:
        self.leaps = tuple(leaps)
        self._given = table
        content = b"" if table is None else b"".join(column.tobytes() for column in table)
        self.digest = hashlib.sha256(repr(self.leaps).encode() + content).hexdigest()
        """SHA-256 of what it holds."""
        self._leap_jd = np.array([day.toordinal() + JD_OF_ORDINAL_ZERO for day, _ in self.leaps])
        self._tai_minus_utc_s = np.array([10.0, *(float(offset) for _, offset in self.leaps)])
        self.leap_instants = tuple(
            datetime(day.year, day.month, day.day, tzinfo=UTC) for day, _ in self.leaps[1:]
        )
        """Where TAI - UTC changes after 1972-01-01."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EarthTime) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return EarthTime, (self.leaps, self._given)

    @cached_property
    def table(self) -> tuple[FloatArray, FloatArray]:
        """TT Julian dates and TT - UT1 in seconds."""
        return shipped_table() if self._given is None else self._given

    @cached_property
    def _delta_t(self) -> Callable[[FloatArray], FloatArray]:
        """Skyfield's TT - UT1 in seconds as a function of the TT Julian date.

        With the shipped table it is `load.timescale(builtin=True).delta_t_function`, made as
        Skyfield makes it.
        """
        from skyfield.timelib import build_delta_t

        function: Callable[[FloatArray], FloatArray] = build_delta_t(self.table)
        return function

    def timescale(self) -> Any:
        """Return Skyfield's `Timescale` of the same leap seconds and the same UT1."""
        from skyfield.timelib import Timescale

        return Timescale(self.table, self._leap_jd[1:], self._tai_minus_utc_s[2:])

    @cached_property
    def known_until(self) -> datetime:
        """The instant until which UT1 is measured or predicted day by day, UTC.

        Beyond it TT - UT1 goes on smoothly into a curve of the centuries (Skyfield's, after
        Stephenson, Morrison and Hohenkerk, 2016). A tenth of a second that it is off turns
        the Earth by 47 m at the equator. A leap second that is announced later is not known
        here: element sets and instants after it would be a second apart, 7.6 km in a low
        orbit.
        """
        tt_jd = float(self.table[0][-1])
        seconds = (tt_jd - JD_OF_ORDINAL_ZERO - 1.0) * DAY_S - TT_MINUS_TAI_S - self.leaps[-1][1]
        # One float64 holds a date to 40 us only.
        return datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds, 3))

    def tai_minus_utc_s(self, jd: FloatArray | float) -> FloatArray:
        """Return TAI - UTC in seconds on UTC Julian dates; 10 s before 1972, as in Skyfield."""
        return self._tai_minus_utc_s[np.searchsorted(self._leap_jd, np.asarray(jd), side="right")]

    def leap_offsets_s(self, start: datetime, end: datetime) -> list[float]:
        """Return the seconds from start to each leap second strictly inside a window."""
        return [seconds_between(start, leap) for leap in self.leap_instants if start < leap < end]

    def ut1_minus_utc_s(
        self, jd: FloatArray, fraction: FloatArray, tai_utc_s: FloatArray
    ) -> FloatArray:
        """Return UT1 - UTC in seconds.

        TAI - UTC is an argument so that a grid can run on smoothly past a leap second.
        """
        offset_s = TT_MINUS_TAI_S + tai_utc_s
        delta_t = np.asarray(self._delta_t(jd + (fraction + offset_s / DAY_S)), dtype=np.float64)
        return offset_s - delta_t

    def rotation_rad(
        self, jd: FloatArray, fraction: FloatArray, tai_utc_s: FloatArray | None = None
    ) -> FloatArray:
        """Return Greenwich mean sidereal time of 1982 on split UTC Julian dates, in radians.

        This is the angle between SGP4's equinox (TEME) and the Earth-fixed frame; polar
        motion, under 15 m, is left out as in Skyfield's default.

        Source: Vallado et al., AIAA 2006-6753, appendix C; Aoki et al., A&A 105, 359 (1982).
        """
        if tai_utc_s is None:
            tai_utc_s = self.tai_minus_utc_s(jd + fraction)
        fraction_ut1 = fraction + self.ut1_minus_utc_s(jd, fraction, tai_utc_s) / DAY_S
        t = (jd - J2000_JD + fraction_ut1) / 36525.0
        seconds = 67310.54841 + (8640184.812866 + (0.093104 - 6.2e-6 * t) * t) * t
        turns = (jd % 1.0 + fraction_ut1 + seconds / DAY_S % 1.0) % 1.0
        return turns * (2.0 * np.pi)


def shipped_table() -> tuple[FloatArray, FloatArray]:
    """Return TT Julian dates and TT - UT1 in seconds, as they ship inside Skyfield."""
    # Imported late, because reading element sets does not need it; and not skyfield.api,
    # which takes three times as long for what reaches planets and the network.
    from skyfield.functions import load_bundled_npy

    found = load_bundled_npy("iers.npz")
    return unpacked(found["tt_jd_minus_arange"], found["delta_t_1e7"])


def unpacked(
    tt_jd_minus_arange: NDArray[Any], delta_t_1e7: NDArray[Any]
) -> tuple[FloatArray, FloatArray]:
    """Return a table of Skyfield's own file as dates and seconds."""
    tt_jd: FloatArray = tt_jd_minus_arange + np.arange(len(tt_jd_minus_arange))
    return tt_jd, (delta_t_1e7 / 1e7).round(7)


SHIPPED = EarthTime()
"""The leap seconds and the UT1 that ship with Skytrunk and Skyfield."""
