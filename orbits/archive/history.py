"""How early or late the sets of one satellite are, by their age, told by its own history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from orbits.archive.differences import Known
from orbits.elements import Elements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_AGE_DAYS_MAX = 30.0
_SUCCESSORS = 12
_SAME_SEASON = timedelta(days=180)
_PAIRS_MIN = 3
_PAIRS_SEASON = 20
_AGE_EDGES_DAYS = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, _AGE_DAYS_MAX])


class TimeErrors:
    """How early or late the sets of one satellite are, by age, from its own history."""

    def __init__(self, sets: Sequence[Elements], strange: Sequence[Elements]) -> None:
        bad = {id(item) for item in strange}
        good = [Known(item) for item in sets if id(item) not in bad]
        rows = [_lateness(good, index) for index in range(len(good))]
        self._rows = np.concatenate([np.empty((0, 3)), *rows])

    def sigma_s(self, elements: Elements, age_days: FloatArray) -> FloatArray | None:
        """Return one sigma of a set's timing at ages in days; None without a history.

        The root mean square over pairs of sets of such an age, from the half year around
        if there are twenty of them; never falling with age, and growing with its square
        (drag) beyond the oldest pair.
        """
        rows = self._rows
        season = np.abs(rows[:, 0] - elements.epoch.timestamp()) <= _SAME_SEASON.total_seconds()
        if season.sum() >= _PAIRS_SEASON:
            rows = rows[season]
        if len(rows) < _PAIRS_MIN:
            return None
        ages, sigmas = _by_age(rows[:, 1], rows[:, 2])
        age = np.abs(np.asarray(age_days, dtype=np.float64))
        within = np.interp(age, ages, sigmas)
        beyond = sigmas[-1] * (age / ages[-1]) ** 2
        sigma: FloatArray = np.where(age > ages[-1], beyond, within)
        return sigma


def _lateness(sets: Sequence[Known], index: int) -> FloatArray:
    """Return the epoch, the age in days and the error in s of a set at its successors' epochs.

    One row a successor, of at most twelve within thirty days.
    """
    first = sets[index]
    later = [
        other
        for other in sets[index + 1 : index + 1 + _SUCCESSORS]
        if other.valid and timedelta(0) < other.epoch - first.epoch <= timedelta(days=_AGE_DAYS_MAX)
    ]
    if not later:
        return np.empty((0, 3))
    codes, there, _ = first.record.sgp4_array(
        np.array([other.jd for other in later]), np.array([other.fraction for other in later])
    )
    gap = np.array([other.place_km for other in later]) - there
    speed = np.array([other.velocity_km_s for other in later])
    late_s = np.abs(np.sum(gap * speed, axis=1) / np.sum(speed * speed, axis=1))
    age_days = [(other.epoch - first.epoch) / timedelta(days=1) for other in later]
    rows = np.column_stack((np.full(len(later), first.epoch.timestamp()), age_days, late_s))
    valid: FloatArray = rows[codes == 0]
    return valid


def _by_age(age_days: FloatArray, late_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean ages and rms errors of the bins with enough pairs, errors ascending."""
    which = np.digitize(age_days, _AGE_EDGES_DAYS)
    ages, sigmas = [], []
    # Not np.unique, which imports numpy.ma: 15 ms of the first question.
    for bin_ in sorted(set(which.tolist())):
        inside = which == bin_
        if inside.sum() >= min(_PAIRS_MIN, len(age_days)):
            ages.append(age_days[inside].mean())
            sigmas.append(np.sqrt(np.mean(late_s[inside] ** 2)))
    if not ages:
        ages, sigmas = [age_days.mean()], [np.sqrt(np.mean(late_s**2))]
    return np.array(ages), np.maximum.accumulate(np.array(sigmas))
