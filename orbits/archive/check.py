"""Which element sets of one satellite disagree with the others.

Each set is propagated to the epochs of its neighbours and compared there. What is far
beyond what is usual was spliced, edited, of another object, or follows a manoeuvre, which
the sets after it tell.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from orbits.elements import Elements

Vector = tuple[float, float, float]


# Usual differences, medians over 421 sets of Micius: 0.3 km up to 1 day, 1.7 km at 1 to 3
# days, 10 km at 3 to 8, nearly all along the track, where drag acts. Across it they were
# under 0.4 km, and under 2 km for the poorest satellite tried (SpooQy-1).
_USUAL_KM = (0.3, 0.3, 0.25)


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


class Known:
    """A set with its SGP4 record made, and where it puts the satellite at its own epoch.

    Making a record takes longer than asking it, and each set meets many others.
    """

    def __init__(self, elements: Elements) -> None:
        self.elements = elements
        self.epoch = elements.epoch
        # A difference grows with the orbit.
        self.size = max(1.0, elements.semi_major_axis_km / _LOW_ORBIT_KM)
        self.record = elements.satrec()
        self.jd, self.fraction = self.record.jdsatepoch, self.record.jdsatepochF
        code, place_km, velocity_km_s = self.record.sgp4(self.jd, self.fraction)
        self.valid = not code
        self.place_km: Vector = place_km
        self.velocity_km_s: Vector = velocity_km_s
        (x, y, z), (u, v, w) = place_km, velocity_km_s
        pole = (y * w - z * v, z * u - x * w, x * v - y * u)
        size = math.hypot(*pole) if self.valid else 1.0
        self.pole: Vector = (pole[0] / size, pole[1] / size, pole[2] / size)


def difference(first: Elements, second: Elements) -> Difference | None:
    """Return how one set differs from another at the latter's epoch; None if it decays."""
    return difference_of(Known(first), Known(second))


def difference_of(first: Known, second: Known) -> Difference | None:
    """Return the same of sets whose records are made."""
    code, there, _ = first.record.sgp4(second.jd, second.fraction)
    if code or not second.valid:
        return None
    # Three numbers are quicker by themselves than as arrays.
    (x, y, z), (u, v, w), place = there, second.velocity_km_s, second.place_km
    x, y, z = place[0] - x, place[1] - y, place[2] - z
    pole = second.pole
    return Difference(
        age_days=(second.epoch - first.epoch) / timedelta(days=1),
        distance_km=math.sqrt(x * x + y * y + z * z),
        across_km=abs(x * pole[0] + y * pole[1] + z * pole[2]),
        late_s=(x * u + y * v + z * w) / (u * u + v * v + w * w),
    )


class Records:
    """Records of sets and how these differ, each asked once: archives grow by a set at a time."""

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}  #: by the identity of a set, which the record keeps
        self._apart: dict[tuple[Known, Known], Difference | None] = {}

    def of(self, elements: Elements) -> Known:
        """Return the record of a set."""
        known = self._known.get(id(elements))
        if known is None:
            known = self._known[id(elements)] = Known(elements)
        return known

    def apart(self, first: Known, second: Known) -> Difference | None:
        """Return how one set differs from another at the latter's epoch."""
        pair = first, second
        if pair not in self._apart:
            self._apart[pair] = difference_of(first, second)
        return self._apart[pair]


def usual_km(age_days: float) -> float:
    """Return a usual difference of consecutive sets in a low orbit at some age."""
    constant, linear, square = _USUAL_KM
    age = abs(age_days)
    return constant + linear * age + square * age * age


_CHECK_WITHIN = timedelta(days=10)
_SCALED_BY_MIN = 5
_CHECK_NEIGHBOURS = 2
_UNUSUAL = 8.0
_ACROSS_KM = (3.0, 0.3)
_LOW_ORBIT_KM = 6878.0
# A manoeuvre turns a low orbit's plane by 100 km with 110 m/s, and shifts a satellite along
# it by no more than the new mean motion makes up for since the set before.
_TURNED_KM = 100.0
_SHIFTED_KM = 20.0
_ROUNDS = 6
_EARTH_SPEED_KM = 631.3481  # speed in km/s times the root of the radius in km, WGS72


_Against = tuple[Known, Difference]
"""A set that another one disagrees with, and how."""


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


def check_sets(
    sets: Sequence[Elements], *, accepted: Collection[str] = (), records: Records | None = None
) -> tuple[Finding, ...]:
    """Return the sets of one satellite, by epoch, that do not agree with their neighbours.

    A set is compared with up to two on either side within ten days. It is named if most
    of them put the satellite elsewhere: eight times further than is usual at that age and
    around there, or several kilometres out of the plane; unless a set after it agrees and a
    manoeuvre may explain it. What is named accuses no other set. A set without such a
    neighbour is not judged, nor one whose digest was `accepted`. `records` of earlier calls
    spare what these have asked.
    """
    if len(sets) < 2:
        return ()
    known = _Known(sets, records or Records())
    scale = _local_scale(known)
    found: dict[int, _Against] = {}
    before: dict[int, _Against] = {}
    for left in reversed(range(_ROUNDS)):
        earlier, before = before, found
        found = {}
        for index, item in enumerate(sets):
            if accepted and item.sha256 in accepted:
                continue
            if against := _judged(known, index, scale[index], before):
                found[index] = against
        if found.keys() == before.keys():
            break
        if left != _ROUNDS - 1 and found.keys() == earlier.keys():
            # It goes to and fro: the last round is known.
            found = before if left % 2 else found
            break
    return tuple(_finding(known, index, *pair, scale[index]) for index, pair in found.items())


class _Known:
    """The sets of one satellite with their records, by place."""

    def __init__(self, sets: Sequence[Elements], records: Records) -> None:
        self.sets = [records.of(item) for item in sets]
        self._records = records

    def apart(self, first: int, second: int) -> Difference | None:
        """Return how one set differs from another at the latter's epoch."""
        return self._records.apart(self.sets[first], self.sets[second])


def _judged(known: _Known, index: int, scale: float, named: Collection[int]) -> _Against | None:
    item = known.sets[index]
    judges = _neighbours(known, index, named)
    strange = [pair for pair in judges if _is_strange(item, pair[1], scale)]
    if 2 * len(strange) <= len(judges):
        return None
    earlier = next((pair for pair in strange if pair[1].age_days > 0.0), None)
    if earlier and not _is_beyond_a_manoeuvre(item, *earlier, scale):
        later = (pair for pair in _neighbours(known, index, ()) if pair[1].age_days < 0.0)
        if any(not _is_strange(item, apart, scale) for _, apart in later):
            return None
    return min(strange, key=lambda pair: abs(pair[1].age_days))


def _is_beyond_a_manoeuvre(item: Known, earlier: Known, apart: Difference, scale: float) -> bool:
    """Return whether a satellite of the earlier set cannot have got to where this one puts it."""
    limit_km, _ = _limits_km(item, apart.age_days, scale)
    before, now = earlier.elements.mean_motion_rev_per_day, item.elements.mean_motion_rev_per_day
    speed_km_s = _EARTH_SPEED_KM / math.sqrt(item.elements.semi_major_axis_km)
    shifted_km = 2.0 * abs(1.0 - before / now) * speed_km_s * apart.age_days * 86400.0
    may_km = limit_km + shifted_km + _SHIFTED_KM * item.size
    return apart.across_km > _TURNED_KM * item.size or apart.distance_km > may_km


def _limits_km(item: Known, age_days: float, scale: float) -> tuple[float, float]:
    """Return how far off a neighbour of some age may be, altogether and across the track."""
    constant, linear = _ACROSS_KM
    along_km = _UNUSUAL * scale * usual_km(age_days)
    return along_km * item.size, (constant + linear * abs(age_days)) * item.size


def _is_strange(item: Known, apart: Difference, scale: float) -> bool:
    limit_km, limit_across_km = _limits_km(item, apart.age_days, scale)
    return apart.distance_km > limit_km or apart.across_km > limit_across_km


def _finding(known: _Known, index: int, other: Known, apart: Difference, scale: float) -> Finding:
    item = known.sets[index]
    kind, source = _kind(item.elements, other.elements, [one.elements for one in known.sets])
    limit_km, limit_across_km = _limits_km(item, apart.age_days, scale)
    return Finding(
        kind=kind,
        elements=item.elements,
        neighbour=source,
        difference_km=apart.distance_km,
        across_km=apart.across_km,
        limit_km=limit_km,
        limit_across_km=limit_across_km,
    )


def _neighbours(known: _Known, index: int, without: Collection[int]) -> list[_Against]:
    """Return up to two sets on either side, and how each differs at this one's epoch."""
    sets = known.sets
    item = sets[index]
    found = []
    for side in (range(index - 1, -1, -1), range(index + 1, len(sets))):
        left = _CHECK_NEIGHBOURS
        for at in side:
            if not left or abs(sets[at].epoch - item.epoch) > _CHECK_WITHIN:
                break
            apart = known.apart(at, index) if at not in without else None
            if apart is not None:
                found.append((sets[at], apart))
                left -= 1
    return found


def _local_scale(known: _Known) -> list[float]:
    """Return how much larger than usual differences are around each set, at least 1."""
    sets = known.sets
    # A median of two or three could be the very fault looked for.
    if len(sets) <= _SCALED_BY_MIN:
        return [1.0] * len(sets)
    ratios: list[float | None] = [None] * len(sets)
    for index in range(1, len(sets)):
        if sets[index].epoch - sets[index - 1].epoch <= _CHECK_WITHIN:
            apart = known.apart(index - 1, index)
            if apart is not None:
                ratios[index] = apart.distance_km / usual_km(apart.age_days)
    return [_median(ratios[max(index - 5, 0) : index + 6]) for index in range(len(sets))]


def _median(ratios: list[float | None]) -> float:
    """Return the median of what is known of them, at least 1; 1 of too few."""
    # A dozen numbers are quicker as a list than as an array.
    known = [ratio for ratio in ratios if ratio is not None]
    return max(1.0, statistics.median(known)) if len(known) >= _SCALED_BY_MIN else 1.0


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
