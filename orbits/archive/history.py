"""How well the element sets of one satellite agree with each other.

Each set is propagated to the epochs of its neighbours and compared there. What is usual
says how uncertain a set of some age is; what is not, that a set was spliced or edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from orbits.elements import Elements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

CHECK_DAYS_MAX = 10.0
_CHECK_NEIGHBOURS = 2
_AGE_DAYS_MAX = 30.0
_SUCCESSORS = 12
# Usual differences, medians over 421 sets of Micius: 0.3 km up to 1 day, 1.7 km at 1 to 3
# days, 10 km at 3 to 8, nearly all along the track, where drag acts. Across it they were
# under 0.4 km, and under 2 km for the poorest satellite tried (SpooQy-1).
_USUAL_KM = (0.3, 0.3, 0.25)
_UNUSUAL = 8.0
_ACROSS_KM = (3.0, 0.3)
_LOW_ORBIT_KM = 6878.0
_SAME_SEASON = timedelta(days=180)
_PAIRS_MIN = 3
_PAIRS_SEASON = 20
_AGE_EDGES_DAYS = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, _AGE_DAYS_MAX])


class FindingKind(StrEnum):
    """What is wrong with an element set."""

    SPLICED = "spliced"  #: line 2 belongs to another set of the archive
    EDITED = "edited"  #: it does not fit its neighbours
    CONFLICTING = "conflicting"  #: another set of this epoch says otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An element set that does not agree with the others of its satellite.

    `neighbour` is the set it was compared with (of a spliced one, whose second line it
    has); `difference_km` the distance between where the two put the satellite, of which
    `across_km` is out of the orbit's plane; the limits are what would have passed.
    """

    kind: FindingKind
    elements: Elements
    neighbour: Elements
    difference_km: float
    across_km: float
    limit_km: float
    limit_across_km: float

    @property
    def sentence(self) -> str:
        """The same in words."""
        what = {
            FindingKind.SPLICED: "has the second line of the set of",
            FindingKind.EDITED: "does not fit the set of",
            FindingKind.CONFLICTING: "contradicts another set of",
        }[self.kind]
        return (
            f"satellite {self.elements.norad_id}: the set of "
            f"{self.elements.epoch:%Y-%m-%d %H:%M:%S} UTC {what} "
            f"{self.neighbour.epoch:%Y-%m-%d %H:%M:%S} UTC: {self.difference_km:.1f} km off, "
            f"{self.across_km:.1f} km of it across the track; usual is under "
            f"{self.limit_km:.1f} and {self.limit_across_km:.1f} km"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where one set puts the satellite at another's epoch, less where that other puts it.

    `distance_km`, of which `across_km` is out of the plane; `late_s` along the track,
    positive if the first is behind; `age_days` of the first at that epoch.
    """

    age_days: float
    distance_km: float
    across_km: float
    late_s: float


class _Known:
    """A set with its SGP4 record made, and where it puts the satellite at its own epoch.

    Making a record takes longer than asking it, and each set meets many others.
    """

    def __init__(self, elements: Elements) -> None:
        self.elements = elements
        self.epoch = elements.epoch
        self.record = elements.satrec()
        self.jd, self.fraction = elements.epoch_jd()
        code, place_km, velocity_km_s = self.record.sgp4(self.jd, self.fraction)
        self.valid = not code
        self.place_km, self.velocity_km_s = np.array(place_km), np.array(velocity_km_s)
        self.pole = np.cross(self.place_km, self.velocity_km_s)
        if self.valid:
            self.pole /= np.linalg.norm(self.pole)


def difference(first: Elements, second: Elements) -> Difference | None:
    """Return how one set differs from another at the latter's epoch; None if it decays."""
    return _difference(_Known(first), _Known(second))


def _difference(first: _Known, second: _Known) -> Difference | None:
    """Return the same of sets whose records are made."""
    code, there, _ = first.record.sgp4(second.jd, second.fraction)
    if code or not second.valid:
        return None
    gap = second.place_km - np.array(there)
    speed = second.velocity_km_s
    return Difference(
        age_days=(second.epoch - first.epoch) / timedelta(days=1),
        distance_km=float(np.sqrt(gap @ gap)),
        across_km=float(abs(gap @ second.pole)),
        late_s=float(gap @ speed / (speed @ speed)),
    )


def usual_km(age_days: float) -> float:
    """Return a usual difference of consecutive sets in a low orbit at some age."""
    constant, linear, square = _USUAL_KM
    age = abs(age_days)
    return constant + linear * age + square * age * age


def check_sets(sets: Sequence[Elements]) -> tuple[Finding, ...]:
    """Return the sets of one satellite, by epoch, that do not agree with their neighbours.

    A set is compared with up to two on either side within ten days. It is named if most
    of them put the satellite elsewhere: eight times further than is usual at that age and
    around there, or several kilometres out of the plane. A set without such a neighbour is
    not judged.
    """
    known = [_Known(item) for item in sets]
    scale = _local_scale(known)
    findings = []
    for index, item in enumerate(sets):
        judged = _neighbours(known, index)
        strange = [pair for pair in judged if _is_strange(item, pair[1], scale[index])]
        if 2 * len(strange) > len(judged):
            other, apart = min(strange, key=lambda pair: abs(pair[1].age_days))
            findings.append(_finding(item, other, apart, scale[index], sets))
    return tuple(findings)


def _limits_km(item: Elements, age_days: float, scale: float) -> tuple[float, float]:
    """Return how far off a neighbour of some age may be, altogether and across the track."""
    size = max(1.0, item.semi_major_axis_km / _LOW_ORBIT_KM)
    constant, linear = _ACROSS_KM
    along_km = _UNUSUAL * scale * usual_km(age_days)
    return along_km * size, (constant + linear * abs(age_days)) * size


def _is_strange(item: Elements, apart: Difference, scale: float) -> bool:
    limit_km, limit_across_km = _limits_km(item, apart.age_days, scale)
    return apart.distance_km > limit_km or apart.across_km > limit_across_km


def _finding(
    item: Elements,
    other: Elements,
    apart: Difference,
    scale: float,
    sets: Sequence[Elements],
) -> Finding:
    kind, source = _kind(item, other, sets)
    limit_km, limit_across_km = _limits_km(item, apart.age_days, scale)
    return Finding(
        kind=kind,
        elements=item,
        neighbour=source,
        difference_km=apart.distance_km,
        across_km=apart.across_km,
        limit_km=limit_km,
        limit_across_km=limit_across_km,
    )


def _neighbours(sets: Sequence[_Known], index: int) -> list[tuple[Elements, Difference]]:
    """Return up to two sets on either side, and how each differs at this one's epoch."""
    item = sets[index]
    near = _CHECK_NEIGHBOURS
    found = []
    for side in (sets[max(index - near, 0) : index][::-1], sets[index + 1 : index + 1 + near]):
        for other in side:
            if abs(other.epoch - item.epoch) > timedelta(days=CHECK_DAYS_MAX):
                break
            apart = _difference(other, item)
            if apart is not None:
                found.append((other.elements, apart))
    return found


def _local_scale(sets: Sequence[_Known]) -> FloatArray:
    """Return how much larger than usual differences are around each set, at least 1."""
    ratios = np.full(len(sets), np.nan)
    for index in range(1, len(sets)):
        if sets[index].epoch - sets[index - 1].epoch <= timedelta(days=CHECK_DAYS_MAX):
            apart = _difference(sets[index - 1], sets[index])
            if apart is not None:
                ratios[index] = apart.distance_km / usual_km(apart.age_days)
    scale = np.ones(len(sets))
    for index in range(len(sets)):
        around = ratios[max(index - 5, 0) : index + 6]
        around = around[~np.isnan(around)]
        # A median of two or three could be the very fault looked for.
        if around.size >= 5:
            scale[index] = max(1.0, float(np.median(around)))
    return scale


def _second_line(item: Elements) -> tuple[float, ...]:
    return (
        item.inclination_deg,
        item.raan_deg,
        item.eccentricity,
        item.argument_of_perigee_deg,
        item.mean_anomaly_deg,
        item.mean_motion_rev_per_day,
    )


def _kind(
    item: Elements, other: Elements, sets: Sequence[Elements]
) -> tuple[FindingKind, Elements]:
    if other.epoch == item.epoch:
        return FindingKind.CONFLICTING, other
    for source in sets:
        if source is not item and _second_line(source) == _second_line(item):
            return FindingKind.SPLICED, source
    return FindingKind.EDITED, other


class TimeErrors:
    """How early or late the sets of one satellite are, by age, from its own history."""

    def __init__(self, sets: Sequence[Elements], strange: Sequence[Elements]) -> None:
        bad = {id(item) for item in strange}
        good = [_Known(item) for item in sets if id(item) not in bad]
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


def _lateness(sets: Sequence[_Known], index: int) -> FloatArray:
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
