"""The rows of the program: sets of options of which only so many may be booked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Gap = Callable[[int, int], int]
"""Microseconds needed between the LOS of one option and the AOS of another."""


class RowKind(StrEnum):
    """Why the options of a row exclude each other."""

    SATELLITE = "satellite"
    MOUNT = "mount"
    PASS = "pass"
    DAY = "day"
    ORBIT = "orbit"


@dataclass(slots=True)
class Rows:
    """At most `capacity[r]` of the options `members[r]`, for every row r."""

    members: list[list[int]] = field(default_factory=list)
    capacity: list[int] = field(default_factory=list)
    kinds: list[RowKind] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, members: list[int], capacity: int, kind: RowKind, name: str) -> None:
        """Append one row; a row that cannot bind is left out."""
        if len(members) > capacity:
            self.members.append(members)
            self.capacity.append(capacity)
            self.kinds.append(kind)
            self.names.append(name)

    def of_options(self, count: int) -> list[list[int]]:
        """For each of `count` options, the rows that it is in."""
        found: list[list[int]] = [[] for _ in range(count)]
        for row, members in enumerate(self.members):
            for option in members:
                found[option].append(row)
        return found


def cliques(
    order: Sequence[int], start_us: Sequence[int], free_us: Mapping[int, int]
) -> Iterable[list[int]]:
    """Yield the maximal cliques of two or more of an interval graph.

    `order` lists the options by start; option i occupies [start_us[i], free_us[i]).
    """
    active: list[int] = []
    grown = False
    for option in order:
        start = start_us[option]
        kept = [other for other in active if free_us[other] > start]
        if len(kept) < len(active):
            if grown and len(active) > 1:
                yield active
            active, grown = kept, False
        active.append(option)
        grown = True
    if grown and len(active) > 1:
        yield active


def slow_slews(
    order: Sequence[int],
    start_us: Sequence[int],
    end_us: Sequence[int],
    *,
    least_us: int,
    most_us: int,
    gap_us: Gap,
) -> Iterable[list[int]]:
    """Yield cliques that cover every pair kept apart by more than the least gap alone.

    Each is one option with successors that exclude it and, by their own length, each other.
    """
    starts = [start_us[option] for option in order]
    for option in order:
        end = end_us[option]
        first = bisect_left(starts, end + least_us)
        last = bisect_left(starts, end + most_us)
        group: list[int] = []
        until = 0
        for after in order[first:last]:
            if start_us[after] >= end + gap_us(option, after):
                continue
            if group and start_us[after] >= until:
                yield [option, *group]
                group = []
            ends = end_us[after] + least_us
            until = min(until, ends) if group else ends
            group.append(after)
        if group:
            yield [option, *group]


def windows(
    order: Sequence[int], start_us: Sequence[int], length_us: int, capacity: int
) -> Iterable[list[int]]:
    """Yield the sets of more than `capacity` options that start within one `length_us`.

    Sets that lie within the one before are left out: they bind nothing new.
    """
    starts = [start_us[option] for option in order]
    reached = 0
    for first, start in enumerate(starts):
        last = bisect_left(starts, start + length_us)
        if last > reached and last - first > capacity:
            yield list(order[first:last])
        reached = max(reached, last)
