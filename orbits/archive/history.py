"""How early or late the sets of one satellite are, by their age, told by its own history.

What makes a set late is drag that was not foreseen, and that is in proportion to the drag
itself. So each error that the history shows is divided by what the set's own drag suggests
at that age, and by how stormy the weeks before were; what is left looks alike in all years,
and its quantiles are the error bars. Tails are heavier than a normal distribution's, so two
widths are told: one that holds 68 % of the errors, and one that holds 95 %.

`examples/time_error_calibration.py` holds them against an archive, each year by the widths
that the others make. On 421 sets of Micius the exact binomial intervals of all eight age
classes and of the last month contain 68 and 95 %, and so do all classes of 215 sets of
Jinan-1, which had no say in any number here, of 52 of SpooQy-1, 36 of Socrates and 22 of
Tiangong-2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orbits.archive.check import Known, Records
from orbits.elements import Elements
from orbits.times import DAY_S

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.intp]


# Scale height of the air in km by height in km. Source: Vallado, Fundamentals of
# Astrodynamics, 4th ed., table 8-4 (CIRA-72 and US Standard Atmosphere 1976).
_HEIGHT_KM = np.array([100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 800.0, 1000.0])
_SCALE_KM = np.array([5.877, 22.523, 37.105, 45.546, 53.628, 58.515, 63.822, 71.835, 124.64, 268.0])
_COMING_DOWN = timedelta(days=730)
_RATE_OVER = timedelta(days=60)
_RATE_OVER_MIN = timedelta(days=2)
_LIFE_DAYS_MAX = 36500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """What the last element sets of a satellite say of its end.

    The end is a rough guess: the air's density varies with the Sun by a factor of two.
    """

    norad_id: int
    satellite: str
    last_epoch: datetime
    mean_motion_rev_per_day: float
    mean_motion_rate: float  #: revolutions per day, per day
    perigee_height_km: float
    expected_end: datetime

    @property
    def sentence(self) -> str:
        """The same in words."""
        return (
            f"its last element set is of {self.last_epoch:%Y-%m-%d}, with the perigee at "
            f"{self.perigee_height_km:.0f} km and the mean motion rising by "
            f"{self.mean_motion_rate:.2g} rev/day a day: it was coming down, expected to "
            f"re-enter about {self.expected_end:%Y-%m-%d}"
        )


def scale_height_km(height_km: float) -> float:
    """Return over which height the air's density falls e-fold, by height in km."""
    return float(np.interp(height_km, _HEIGHT_KM, _SCALE_KM))


def decay_of(sets: Sequence[Elements]) -> Decay | None:
    """Return the end that a satellite's sets foretell, or None if it is years away.

    The orbit's height falls with the air's density, which grows e-fold each scale height
    H: what is left is H / |da/dt|, da/dt = -(2 a / 3) (dn/dt) / n.

    Parameters
    ----------
    sets : of one satellite by epoch, at least one

    Source: King-Hele, Satellite Orbits in an Atmosphere (1987), chapter 4, for a circular
    orbit. On Micius it foretells 2026-01-27 from the set of 2025-12-12; its last known set
    is of 2026-01-25.
    """
    last = sets[-1]
    rate = _mean_motion_rate(sets)
    if rate <= 0.0:
        return None
    scale_km = scale_height_km(last.perigee_height_km)
    fall_km = 2.0 / 3.0 * last.semi_major_axis_km * rate / last.mean_motion_rev_per_day
    left = timedelta(days=min(scale_km / fall_km, _LIFE_DAYS_MAX))
    if left > _COMING_DOWN:
        return None
    return Decay(
        norad_id=last.norad_id,
        satellite=last.label,
        last_epoch=last.epoch,
        mean_motion_rev_per_day=last.mean_motion_rev_per_day,
        mean_motion_rate=rate,
        perigee_height_km=last.perigee_height_km,
        expected_end=last.epoch + left,
    )


def _mean_motion_rate(sets: Sequence[Elements]) -> float:
    """Return the last rise of the mean motion per day, measured if there are sets for it."""
    last = sets[-1]
    for earlier in reversed(sets[:-1]):
        apart = last.epoch - earlier.epoch
        if apart > _RATE_OVER:
            break
        if apart >= _RATE_OVER_MIN:
            rise = last.mean_motion_rev_per_day - earlier.mean_motion_rev_per_day
            return rise / (apart / timedelta(days=1))
    # A TLE prints half of the derivative.
    return 2.0 * last.mean_motion_dot


_AGE_DAYS_MAX = 30.0
_SUCCESSORS = 12
_PAIRS_MIN = 3
AGE_EDGES_DAYS = np.array([0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, _AGE_DAYS_MAX])
_PAIRS_OF_AN_AGE = 8
# What a set of Micius or Jinan-1 is usually off: so many seconds at once and per day, and
# this part of the lateness that drag would make if nobody had foreseen it.
_AT_ONCE_S, _PER_DAY_S, _PART_OF_DRAG = 0.02, 0.15, 0.3
# The weather of space: how much worse than usual the last forty days were, as if there had
# been four usual sets more. These numbers were chosen among 54 triples by the coverage on
# Micius; Jinan-1 had no say. Errors below a thousandth of the usual are as good as none.
_SEASON = timedelta(days=40)
_USUAL_SETS = 4
_USUAL_RATIO = 0.55  # median of errors over what is usual, all ages
_LEAST_RATIO = 1e-3
# Of the life that the drag leaves. With what lies beyond, the widths held 33 and 86 % of the
# errors in the last month of Micius.
_PART_OF_LIFE_MAX = 0.25


@dataclass(frozen=True, slots=True)
class Pairs:
    """Errors that a history shows, P of them: of a set (its number) at a later set's epoch.

    In the order of the sets' epochs. `known_at` is the later epoch, in seconds like `epoch`;
    `late_s` the error's size; `usual_s` what the set's own drag suggests at this age.
    """

    number: IntArray
    epoch: FloatArray
    known_at: FloatArray
    age_days: FloatArray
    late_s: FloatArray
    usual_s: FloatArray

    def take(self, which: BoolArray) -> Pairs:
        """Return some of them."""
        return Pairs(*(getattr(self, name)[which] for name in self.__slots__))


class TimeErrors:
    """How early or late the sets of one satellite are, by age, from its own history."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        ratio = np.maximum(pairs.late_s / pairs.usual_s, _LEAST_RATIO)
        self._ratio = np.log(ratio / _USUAL_RATIO)
        ratios = self.ratios()
        self._shares = {share: _quantiles(ratios, pairs.age_days, share) for share in (0.68, 0.95)}

    def sigma_s(self, elements: Elements, age_days: ArrayLike) -> FloatArray | None:
        """Return the width in seconds that holds 68 % of a set's errors at ages in days.

        NaN where none can be told: beyond a quarter of the life that the set's drag leaves
        the satellite. None without a history.
        """
        return self._width_s(elements, age_days, 0.68)

    def bound_s(self, elements: Elements, age_days: ArrayLike) -> FloatArray | None:
        """Return the width in seconds that holds 95 % of a set's errors, as `sigma_s`."""
        return self._width_s(elements, age_days, 0.95)

    def _width_s(self, elements: Elements, age_days: ArrayLike, share: float) -> FloatArray | None:
        if len(self.pairs.age_days) < _PAIRS_MIN:
            return None
        age = np.abs(np.asarray(age_days, dtype=np.float64))
        usual_s = usual_error_s(elements, age)
        middles = 0.5 * (AGE_EDGES_DAYS[1:] + AGE_EDGES_DAYS[:-1])
        width: FloatArray = (
            usual_s * self.season(elements.epoch) * np.interp(age, middles, self._shares[share])
        )
        return width

    def season(self, epoch: datetime) -> float:
        """Return how much larger than usual errors were in the forty days up to an instant.

        Only what was known by then counts.
        """
        at = epoch.timestamp()
        pairs = self.pairs
        # What was known by then is of sets before then, and these stand in order.
        near = slice(*np.searchsorted(pairs.epoch, (at - _SEASON.total_seconds(), at)))
        recent = pairs.known_at[near] <= at
        if not recent.any():
            return 1.0
        # The errors of one set are alike: it counts once.
        number = pairs.number[near][recent]
        number -= number[0]
        count = np.bincount(number)
        each = np.bincount(number, self._ratio[near][recent])[count > 0] / count[count > 0]
        return float(np.exp(each.sum() / (len(each) + _USUAL_SETS)))

    def ratios(self) -> FloatArray:
        """Return each error over what was usual in its season, shape (P,)."""
        pairs = self.pairs
        epochs = dict(zip(pairs.number.tolist(), pairs.epoch.tolist(), strict=True))
        seasons = {
            number: self.season(datetime.fromtimestamp(epoch, tz=UTC))
            for number, epoch in epochs.items()
        }
        season = np.array([seasons[number] for number in pairs.number.tolist()])
        ratios: FloatArray = pairs.late_s / pairs.usual_s / season
        return ratios


def _quantiles(ratio: FloatArray, age_days: FloatArray, share: float) -> FloatArray:
    """Return the quantile of errors over what is usual in the season, of each age class."""
    every = float(np.quantile(ratio, share)) if len(ratio) else 1.0
    found = []
    for low, high in pairwise(AGE_EDGES_DAYS):
        of_age = ratio[(age_days > low) & (age_days <= high)]
        enough = len(of_age) >= _PAIRS_OF_AN_AGE
        found.append(float(np.quantile(of_age, share)) if enough else every)
    return np.array(found)


def usual_error_s(elements: Elements, age_days: FloatArray) -> FloatArray:
    """Return what the drag of a set suggests that it is off at ages in days, seconds.

    NaN beyond a quarter of the life that the drag leaves: its height falls by a scale height
    of the air in a life, and the drag grows by the exponential of that part.

    Source: the lateness of an unforeseen change of the mean motion, (dn/dt) t^2 / (2 n);
    King-Hele, Satellite Orbits in an Atmosphere (1987), chapter 4.
    """
    # A TLE prints half of the derivative.
    rate = abs(2.0 * elements.mean_motion_dot)
    motion = elements.mean_motion_rev_per_day
    fall_km = 2.0 / 3.0 * elements.semi_major_axis_km * rate / motion
    part = fall_km * age_days / scale_height_km(elements.perigee_height_km)
    with np.errstate(over="ignore"):
        drag_s = rate / motion * age_days**2 / 2.0 * DAY_S * np.exp(part)
    usual_s = np.hypot(_AT_ONCE_S + _PER_DAY_S * age_days, _PART_OF_DRAG * drag_s)
    return np.where(part <= _PART_OF_LIFE_MAX, usual_s, np.nan)


class Errors:
    """The errors of sets at their successors' epochs, each asked once as an archive grows."""

    def __init__(self) -> None:
        self.records = Records()
        self._rows: dict[tuple[Known, ...], FloatArray] = {}  #: by a set and its successors

    def pairs_of(self, sets: Sequence[Elements]) -> Pairs:
        """Return the errors of each set at up to twelve successors' epochs within thirty days.

        `sets` are of one satellite, by epoch.
        """
        known = [self.records.of(item) for item in sets]
        rows = [self._rows_of(known, index) for index in range(len(known))]
        number = np.repeat(np.arange(len(rows)), [len(of_set) for of_set in rows])
        pairs = Pairs(number, *np.concatenate([np.empty((0, 5)), *rows]).T)
        return pairs.take(~np.isnan(pairs.usual_s))

    def _rows_of(self, sets: Sequence[Known], index: int) -> FloatArray:
        first, longest = sets[index], timedelta(days=_AGE_DAYS_MAX)
        later = [
            other
            for other in sets[index + 1 : index + 1 + _SUCCESSORS]
            if other.valid and timedelta(0) < other.epoch - first.epoch <= longest
        ]
        asked = first, *later
        if asked not in self._rows:
            self._rows[asked] = _errors_of(first, later) if later else np.empty((0, 5))
        return self._rows[asked]


def _errors_of(first: Known, later: Sequence[Known]) -> FloatArray:
    codes, there, _ = first.record.sgp4_array(
        np.array([other.jd for other in later]), np.array([other.fraction for other in later])
    )
    gap = np.array([other.place_km for other in later]) - there
    speed = np.array([other.velocity_km_s for other in later])
    late_s = np.abs(np.sum(gap * speed, axis=1) / np.sum(speed * speed, axis=1))
    known_at = np.array([other.epoch.timestamp() for other in later])
    epoch = first.epoch.timestamp()
    age_days = (known_at - epoch) / DAY_S
    rows = np.column_stack(
        (
            np.full(len(later), epoch),
            known_at,
            age_days,
            late_s,
            usual_error_s(first.elements, age_days),
        )
    )
    valid: FloatArray = rows[codes == 0]
    return valid
