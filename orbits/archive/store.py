"""Element sets of many satellites over the years, and which of them to use when."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orbits.archive.check import Finding, check_sets
from orbits.archive.history import Decay, Errors, TimeErrors, decay_of
from orbits.archive.standing import Standing, Verdict, Verdicts
from orbits.earth import SHIPPED, EarthTime
from orbits.elements import Elements
from orbits.errors import NoElementsError, StaleElementsError
from orbits.times import as_utc, iso_utc, window

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A set used across a leap second is 1 s late: 7.6 km in a low orbit, what five days of age
# do (Micius: 1.5 km at 1 to 3 days, 14 km at 3 to 8 days). So it counts as five days older.
LEAP_PENALTY = timedelta(days=5)
MAX_AGE = timedelta(days=14)
_EARLIEST = datetime(1957, 1, 1, tzinfo=UTC)


class SetRule(StrEnum):
    """Which element set of a satellite serves an instant."""

    NEAREST = "nearest"  #: the smallest age, before or after: for looking back
    KNOWN_AT = "known_at"  #: the newest that had arrived by then: live, and in replays


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A half-open piece of a window that one element set serves."""

    start: datetime
    end: datetime
    elements: Elements


class Archive:
    """Dated element sets, by satellite and epoch.

    Sets that say the same are kept once. Of several with one epoch the last one given
    serves; `check` tells of the others. A set that a verdict holds back or takes out serves
    nothing from then on: looking back it is not there, and `known_at` sees it until then.
    Leap seconds, and the UT1 of its passes, are those of `earth`.
    """

    def __init__(
        self,
        elements: Iterable[Elements],
        *,
        verdicts: Iterable[Verdict] = (),
        earth: EarthTime = SHIPPED,
        earlier: Archive | None = None,
    ) -> None:
        """With an `earlier` archive of the same sets what that one found out is not asked anew."""
        self.earth = earth
        self._found: Errors = Errors() if earlier is None else earlier._found
        self._verdicts = Verdicts(verdicts)
        every: dict[int, list[Elements]] = {}
        for item in elements:
            every.setdefault(item.norad_id, []).append(item)
        self._every = {
            norad_id: tuple(sorted(_distinct(sets), key=lambda s: s.epoch))
            for norad_id, sets in sorted(every.items())
        }
        self._serving = {
            norad_id: tuple({item.epoch: item for item in sets if self._serves(item)}.values())
            for norad_id, sets in self._every.items()
        }
        self._stretched = {
            norad_id: [self._stretch(item.epoch) for item in sets]
            for norad_id, sets in self._serving.items()
        }
        self._errors: dict[int, TimeErrors] = {}

    def __len__(self) -> int:
        return sum(len(sets) for sets in self._every.values())

    def __iter__(self) -> Iterator[Elements]:
        for sets in self._every.values():
            yield from sets

    @property
    def norad_ids(self) -> tuple[int, ...]:
        """Catalogue numbers of the satellites, ascending."""
        return tuple(self._every)

    def sets_of(self, norad_id: int | None = None) -> tuple[Elements, ...]:
        """Return every set of a satellite by epoch; the number may be left out if only one.

        Raises NoElementsError if there is none, or no saying which satellite is meant.
        """
        return self._every[self._which(norad_id)]

    def standing(self, elements: Elements, t: datetime | None = None) -> Standing:
        """Return whether a set serves at an instant, or in the end."""
        return self._verdicts.standing(elements, None if t is None else as_utc(t))

    def _serves(self, elements: Elements, t: datetime | None = None) -> bool:
        return not self._verdicts or self._verdicts.standing(elements, t).is_serving

    def check(self, norad_id: int | None = None) -> tuple[Finding, ...]:
        """Return the sets that do not agree with the others of their satellite.

        Of one satellite, or of all; see `history.check_sets` for how they are judged.
        """
        numbers = self.norad_ids if norad_id is None else (self._which(norad_id),)
        return tuple(
            found
            for number in numbers
            for found in check_sets(self._every[number], records=self._found.records)
        )

    def time_sigma_s(self, elements: Elements, t: datetime) -> float | None:
        """Return the width in s that holds 68 % of the timing errors of a set at an instant.

        From the differences between this satellite's own sets; None if there are too few
        of them, or where no width can be told (`TimeErrors.sigma_s`).
        """
        return _only(
            self.time_errors(elements.norad_id).sigma_s(elements, [_age_days(elements, t)])
        )

    def time_sigmas_s(
        self, elements: Elements, times: NDArray[np.datetime64]
    ) -> NDArray[np.float64] | None:
        """Return the same at many UTC instants, NaN where no width can be told."""
        epoch = np.datetime64(elements.epoch.replace(tzinfo=None), "us")
        age_days = (times - epoch) / np.timedelta64(1, "D")
        return self.time_errors(elements.norad_id).sigma_s(elements, age_days)

    def time_bound_s(self, elements: Elements, t: datetime) -> float | None:
        """Return the width in s that holds 95 % of them; errors have heavy tails."""
        return _only(
            self.time_errors(elements.norad_id).bound_s(elements, [_age_days(elements, t)])
        )

    def time_errors(self, norad_id: int | None = None) -> TimeErrors:
        """Return how early or late the sets of a satellite are, by age."""
        number = self._which(norad_id)
        if number not in self._errors:
            sets = [item for item in self._every[number] if self._serves(item)]
            findings = check_sets(sets, records=self._found.records)
            strange = {id(found.elements) for found in findings}
            good = [item for item in sets if id(item) not in strange]
            self._errors[number] = TimeErrors(self._found.pairs_of(good))
        return self._errors[number]

    def decay(self, norad_id: int | None = None) -> Decay | None:
        """Return what a satellite's last sets say of its end; None if that is years away."""
        return decay_of(self._served(self._which(norad_id)))

    def is_decaying(self, norad_id: int | None = None) -> bool:
        """Return whether a satellite's mean motion shows it coming down within two years."""
        return self.decay(norad_id) is not None

    def _fresh(self, item: Elements, t: datetime, max_age: timedelta | None) -> Elements:
        """Return a set; raise StaleElementsError if it is further away than allowed."""
        age = t - item.epoch
        if max_age is None or abs(age) <= max_age:
            return item
        side = "older" if age > timedelta(0) else "younger"
        message = (
            f"the element set of satellite {item.norad_id} that serves {iso_utc(t)} is of "
            f"{iso_utc(item.epoch)}: {abs(age) / timedelta(days=1):.1f} days {side}, "
            f"allowed are {max_age / timedelta(days=1):g}"
        )
        decay = self.decay(item.norad_id)
        if decay is not None and item.epoch == decay.last_epoch and age > timedelta(0):
            message += f"; {decay.sentence}"
        raise StaleElementsError(message)

    def _which(self, norad_id: int | None) -> int:
        if norad_id is None and len(self._every) == 1:
            return next(iter(self._every))
        if norad_id is None:
            raise NoElementsError(
                f"say which satellite: the archive holds {len(self._every)} of them"
            )
        if norad_id not in self._every:
            raise NoElementsError(f"the archive holds no element set of satellite {norad_id}")
        return norad_id

    def nearest(
        self, t: datetime, *, norad_id: int | None = None, max_age: timedelta | None = None
    ) -> Elements:
        """Return the set of the smallest age at an instant, before or after its epoch.

        A set on the other side of a leap second counts as five days older for each
        (LEAP_PENALTY). Halfway between two sets the later one serves.

        Raises NoElementsError; StaleElementsError if it is further away than `max_age`.
        """
        number = self._which(norad_id)
        t = as_utc(t)
        sets, where = self._served(number), self._stretched[number]
        at = self._stretch(t)
        after = min(bisect_left(where, at), len(sets) - 1)
        before = max(after - 1, 0)
        best = before if at - where[before] < where[after] - at else after
        return self._fresh(sets[best], t, max_age)

    def known_at(
        self,
        t: datetime,
        *,
        norad_id: int | None = None,
        lag: timedelta = timedelta(0),
        max_age: timedelta | None = None,
    ) -> Elements:
        """Return the newest set, by epoch, that had arrived by an instant.

        A set without a recorded arrival is taken to arrive `lag` after its epoch.

        Raises NoElementsError; StaleElementsError if it is older than `max_age`.
        """
        number = self._which(norad_id)
        t = as_utc(t)
        for item in reversed(self._every[number]):
            if _arrival(item, lag) <= t and self._serves(item, t):
                return self._fresh(item, t, max_age)
        first = self._every[number][0]
        if _arrival(first, lag) <= t:
            raise NoElementsError(
                f"no element set of satellite {number} serves at {iso_utc(t)}: all that were "
                f"known by then are quarantined or withdrawn"
            )
        raise NoElementsError(
            f"no element set of satellite {number} was known by {iso_utc(t)}: the first "
            f"one is of {iso_utc(first.epoch)}"
        )

    def segments(
        self,
        start: datetime,
        end: datetime,
        rule: SetRule | str = SetRule.NEAREST,
        *,
        norad_id: int | None = None,
        lag: timedelta = timedelta(0),
        as_known_at: datetime | None = None,
        max_age: timedelta | None = None,
    ) -> tuple[Segment, ...]:
        """Return a window cut into half-open pieces, each served by one set.

        By `nearest` the borders lie halfway between epochs, moved towards a leap second
        between them by up to half of LEAP_PENALTY; by `known_at` where a newer set
        arrives. With `as_known_at` only sets that had arrived by then count, and the
        newest serves the whole window.

        Raises NoElementsError; StaleElementsError if an instant of the window is further
        than `max_age` from the epoch of its set.
        """
        number = self._which(norad_id)
        start, end = window(start, end)
        if as_known_at is not None:
            chosen = self.known_at(as_known_at, norad_id=number, lag=lag)
            pieces = [Segment(start=start, end=end, elements=chosen)]
        elif SetRule(rule) is SetRule.NEAREST:
            pieces = self._nearest_pieces(number, start, end)
        else:
            pieces = self._known_pieces(number, start, end, lag)
        for piece in pieces:
            for instant in (piece.start, piece.end):
                self._fresh(piece.elements, instant, max_age)
        return tuple(pieces)

    def _stretch(self, t: datetime) -> timedelta:
        """Return an instant on an axis on which each leap second takes LEAP_PENALTY."""
        return (t - _EARLIEST) + LEAP_PENALTY * bisect_right(self.earth.leap_instants, t)

    def _unstretch(self, stretched: timedelta) -> datetime:
        """Return the instant of a place on that axis; the leap second if it lies within one."""
        leaps = self.earth.leap_instants
        for count, leap in enumerate(leaps):
            before = (leap - _EARLIEST) + LEAP_PENALTY * count
            if stretched < before:
                return _EARLIEST + stretched - LEAP_PENALTY * count
            if stretched < before + LEAP_PENALTY:
                return leap
        return _EARLIEST + stretched - LEAP_PENALTY * len(leaps)

    def _served(self, number: int) -> tuple[Elements, ...]:
        """Return the sets of a satellite that serve in the end; raise if there is none."""
        if not self._serving[number]:
            raise NoElementsError(
                f"no element set of satellite {number} serves: all "
                f"{len(self._every[number])} are quarantined or withdrawn"
            )
        return self._serving[number]

    def _nearest_pieces(self, number: int, start: datetime, end: datetime) -> list[Segment]:
        sets, where = self._served(number), self._stretched[number]
        first = max(bisect_right(where, self._stretch(start)) - 1, 0)
        pieces: list[Segment] = []
        at = start
        for index in range(first, len(sets)):
            last = index == len(sets) - 1
            border = end if last else self._unstretch((where[index] + where[index + 1]) / 2)
            if border <= at:
                continue
            pieces.append(Segment(start=at, end=min(border, end), elements=sets[index]))
            at = border
            if at >= end:
                break
        return pieces

    def _known_pieces(
        self, number: int, start: datetime, end: datetime, lag: timedelta
    ) -> list[Segment]:
        changes = {start}
        for item in self._every[number]:
            changes.add(_arrival(item, lag))
            changes.update(v.since for v in self._verdicts.on(item) if v.since is not None)
        instants = sorted(at for at in changes if start <= at < end)
        pieces: list[Segment] = []
        for at, following in pairwise([*instants, end]):
            current = self.known_at(at, norad_id=number, lag=lag)
            if pieces and pieces[-1].elements is current:
                pieces[-1] = replace(pieces[-1], end=following)
            else:
                pieces.append(Segment(start=at, end=following, elements=current))
        return pieces


def _age_days(elements: Elements, t: datetime) -> float:
    return elements.age(t) / timedelta(days=1)


def _only(width_s: NDArray[np.float64] | None) -> float | None:
    return None if width_s is None or np.isnan(width_s[0]) else float(width_s[0])


def _distinct(sets: list[Elements]) -> list[Elements]:
    """Return the sets without repetitions, the first arrival of each kept."""
    kept: dict[Elements, Elements] = {}
    for item in sets:
        known = kept.get(item)
        if known is None or _sooner(item, known):
            kept[item] = item
    return list(kept.values())


def _sooner(one: Elements, other: Elements) -> bool:
    if one.arrived_at is None or other.arrived_at is None:
        return False
    return one.arrived_at < other.arrived_at


def _arrival(item: Elements, lag: timedelta) -> datetime:
    return item.epoch + lag if item.arrived_at is None else item.arrived_at
