"""How early or late the sets of one satellite are, by their age, told by its own history.

What makes a set late is drag that was not foreseen, and that is in proportion to the drag
itself. So each error that the history shows is divided by what the set's own drag suggests
at that age, and by how stormy the weeks before were; what is left looks alike in all years,
and its quantiles are the error bars. Tails are heavier than a normal distribution's, so two
widths are told: one that holds 68 % of the errors, and one that holds 95 %.

`examples/time_error_calibration.py` holds them against an archive, each year by the quantiles
of the others. On 421 sets of Micius the binomial intervals of all eight age classes and of
the last month contain 68 and 95 %; on 215 of Jinan-1 two of sixteen do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orbits.archive.decay import scale_height_km
from orbits.archive.differences import Known
from orbits.elements import Elements
from orbits.times import DAY_S

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.intp]

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

    `known_at` is that epoch, in seconds like `epoch`; `late_s` the error's size; `usual_s`
    what the set's own drag suggests at this age.
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
        self._shares = {share: self._quantiles(share) for share in (0.68, 0.95)}

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
        recent = (pairs.known_at <= at) & (pairs.epoch >= at - _SEASON.total_seconds())
        if not recent.any():
            return 1.0
        # The errors of one set are alike: it counts once.
        number = pairs.number[recent]
        count = np.bincount(number)
        each = np.bincount(number, self._ratio[recent])[count > 0] / count[count > 0]
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

    def _quantiles(self, share: float) -> FloatArray:
        """Return the quantile of errors over what is usual in the season, of each age class."""
        ratio, age_days = self.ratios(), self.pairs.age_days
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


def pairs_of(sets: Sequence[Elements]) -> Pairs:
    """Return the errors of each set at up to twelve successors' epochs within thirty days."""
    known = [Known(item) for item in sets]
    rows = [_errors_of(known, index) for index in range(len(known))]
    columns = np.concatenate([np.empty((0, 6)), *rows]).T
    pairs = Pairs(columns[0].astype(np.intp), *columns[1:])
    return pairs.take(~np.isnan(pairs.usual_s))


def _errors_of(sets: Sequence[Known], index: int) -> FloatArray:
    first = sets[index]
    later = [
        other
        for other in sets[index + 1 : index + 1 + _SUCCESSORS]
        if other.valid and timedelta(0) < other.epoch - first.epoch <= timedelta(days=_AGE_DAYS_MAX)
    ]
    if not later:
        return np.empty((0, 6))
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
            np.full(len(later), float(index)),
            np.full(len(later), epoch),
            known_at,
            age_days,
            late_s,
            usual_error_s(first.elements, age_days),
        )
    )
    valid: FloatArray = rows[codes == 0]
    return valid
