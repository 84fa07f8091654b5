"""A problem made ready for the solvers: options that may be booked, their value, their rows."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scheduler.domain import Booking, Candidate
from scheduler.errors import PlanError
from scheduler.plan.exclude import ALREADY_LOCKED, excluded
from scheduler.plan.problem import PlanProblem, PlanRules

Gap = Callable[[int, int], int]
"""Microseconds needed between the LOS of one option and the AOS of another."""


class RowKind(StrEnum):
    """Why the options of a row exclude each other."""

    SATELLITE = "satellite"
    MOUNT = "mount"
    PASS = "pass"
    DAY = "day"
    ORBIT = "orbit"
    SHARE = "share"


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


MICROSECOND = timedelta(microseconds=1)
SHIFT_MAX = timedelta(seconds=2)
"""Newer elements shift a link by so much without making it another session."""


@dataclass(slots=True)
class Model:
    """Options by index: first the locked bookings, then the candidates that may be booked."""

    problem: PlanProblem
    options: list[Candidate]
    locked_count: int
    fixed: list[bool]  #: locked or pinned: in every plan
    open: list[bool]  #: neither fixed nor shut out by what is fixed
    standing: list[bool]  #: booked already, and movable
    value: NDArray[np.float64]  #: weighed expected bits, with the bonus of what stands
    rank: NDArray[np.intp]  #: place of each option by name
    rows: Rows
    rows_of: list[list[int]]
    left_out: dict[str, str]  #: candidate_id: why the rules exclude it
    notes: list[str]


def build_model(problem: PlanProblem) -> Model:
    """Apply the rules to the candidates and lay out the rows.

    Raises PlanError if locked bookings overlap, or a pin breaks a rule or a lock.
    """
    locked = [booking.candidate for booking in problem.locked()]
    notes: list[str] = []
    free, left_out = excluded(problem, locked, notes)
    options = locked + free
    pinned = _pinned(problem, free, left_out)
    fixed = [True] * len(locked) + [c.candidate_id in pinned for c in free]
    standing = [False] * len(locked) + standing_flags(free, problem.movable())
    value = option_values(options, problem, standing)
    rows = lay_rows(options, problem.rules)
    _check_fixed(options, len(locked), fixed, rows, notes)
    rows_of = rows.of_options(len(options))
    is_open = _shut(len(options), fixed, rows)
    return Model(
        problem, options, len(locked), fixed, is_open, standing, value, _ranks(options), rows,
        rows_of, left_out, notes,
    )  # fmt: skip


def _ranks(options: Sequence[Candidate]) -> NDArray[np.intp]:
    """The place of each option in the order of names."""
    names = [candidate.candidate_id for candidate in options]
    ranks = np.empty(len(names), dtype=np.intp)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks


def _pinned(
    problem: PlanProblem, free: Sequence[Candidate], left_out: Mapping[str, str]
) -> set[str]:
    """The candidates that the pins name; of a pinned pass, its part with the most bits."""
    found: set[str] = set()
    for pin in sorted(problem.pins):
        named = [c for c in free if pin in (c.candidate_id, c.pass_id)]
        if not named:
            why = next(
                left_out[c.candidate_id]
                for c in problem.candidates
                if pin in (c.candidate_id, c.pass_id)
            )
            if why == ALREADY_LOCKED:
                continue
            raise PlanError(f"pinned {pin} cannot be booked: {why}")
        found.add(max(named, key=lambda c: (c.expected_bits, c.candidate_id)).candidate_id)
    return found


def option_values(
    options: Sequence[Candidate], problem: PlanProblem, standing: Sequence[bool]
) -> NDArray[np.float64]:
    """Expected bits, less `risk_aversion` deviations, by weight, with the bonus of what stands.

    The bonus is the same for every booking, in proportion to what one is worth on average: by
    value, those of little key would be moved for little.
    """
    rules, weights = problem.rules, problem.value_weights
    value = np.array([worth(candidate, rules.risk_aversion) for candidate in options])
    if weights:
        value *= [
            weights.get(c.satellite_id, 1.0) * weights.get(c.station_id, 1.0) for c in options
        ]
    value[np.array(standing, dtype=bool)] += flat_bonus(value, standing, rules)
    return value


def flat_bonus(worths: ArrayLike, standing: Sequence[bool], rules: PlanRules) -> float:
    """What each standing booking gains: a part of what one is worth on average."""
    stands = np.array(standing, dtype=bool)
    if not stands.any():
        return 0.0
    return rules.stability_bonus * float(np.asarray(worths, dtype=np.float64)[stands].mean())


def worth(candidate: Candidate, risk_aversion: float) -> float:
    """Expected bits less so many standard deviations, never below zero.

    A session gives nothing under cloud: with P = p it gives y (deviation s), so its variance is
    p (1 - p) y^2 + p s^2.
    """
    if not risk_aversion:
        return candidate.expected_bits
    clear, bits = candidate.clear_probability, candidate.secret_bits
    variance = clear * ((1.0 - clear) * bits**2 + candidate.secret_bits_spread**2)
    return max(0.0, candidate.expected_bits - risk_aversion * math.sqrt(variance))


def standing_flags(candidates: Sequence[Candidate], movable: Sequence[Booking]) -> list[bool]:
    """For each candidate, whether it is a standing booking as it stands.

    Newer elements shift AOS and LOS by moments: up to `SHIFT_MAX` it is still the same session.
    Where a booking has no such candidate, it stands in those of the same satellite and station
    that cover more than half of it.
    """
    by_pair: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, candidate in enumerate(candidates):
        by_pair[candidate.satellite_id, candidate.station_id].append(index)
    flags = [False] * len(candidates)
    for booking in movable:
        old = booking.candidate
        mine = by_pair.get((old.satellite_id, old.station_id), [])
        same = [i for i in mine if same_session(candidates[i], old)]
        for index in same or (
            i for i in mine if _shared_s(candidates[i], old) > 0.5 * old.duration_s
        ):
            flags[index] = True
    return flags


def same_session(one: Candidate, other: Candidate) -> bool:
    """True for one session of one satellite and station, its times moments apart at most."""
    return (
        abs(one.acquires_at - other.acquires_at) <= SHIFT_MAX
        and abs(one.loses_at - other.loses_at) <= SHIFT_MAX
        and one.satellite_id == other.satellite_id
        and one.station_id == other.station_id
    )


def _shared_s(one: Candidate, other: Candidate) -> float:
    shared = min(one.loses_at, other.loses_at) - max(one.acquires_at, other.acquires_at)
    return shared.total_seconds()


def lay_rows(options: Sequence[Candidate], rules: PlanRules) -> Rows:
    """All rows: satellites, mounts, one session a pass, sessions a day and an orbit."""
    rows = Rows()
    if not options:
        return rows
    origin = min(candidate.acquires_at for candidate in options)
    start_us = [(candidate.acquires_at - origin) // MICROSECOND for candidate in options]
    end_us = [(candidate.loses_at - origin) // MICROSECOND for candidate in options]
    order = sorted(range(len(options)), key=lambda i: (start_us[i], end_us[i], i))
    by_satellite = _group(order, [candidate.satellite_id for candidate in options])
    by_mount = _mounts(order, options, rules)

    def satellite_gap_us(before: int, after: int) -> int:
        return _us(rules.satellite_gap_s(options[before], options[after]))

    def mount_gap_us(before: int, after: int) -> int:
        return _us(rules.mount_gap_s(options[before], options[after]))

    def exclude(members: list[int], kind: RowKind, name: str, gaps: tuple[float, float]) -> None:
        least_us, most_us = _us(gaps[0]), _us(gaps[1])
        free_us = {i: end_us[i] + least_us for i in members}
        for clique in cliques(members, start_us, free_us):
            rows.add(clique, 1, kind, name)
        if most_us > least_us:
            gap_us = satellite_gap_us if kind is RowKind.SATELLITE else mount_gap_us
            for pair in slow_slews(
                members, start_us, end_us, least_us=least_us, most_us=most_us, gap_us=gap_us
            ):
                rows.add(pair, 1, kind, name)

    for name, members in by_satellite.items():
        exclude(members, RowKind.SATELLITE, name, _satellite_gaps_s(rules))
    for name, members in by_mount.items():
        stations = {name for i in members for name in options[i].station_ids}
        exclude(members, RowKind.MOUNT, name, _mount_gaps_s(rules, stations))
    for name, members in _group(order, [candidate.pass_id for candidate in options]).items():
        rows.add(members, 1, RowKind.PASS, name)
    _energy_rows(rows, options, rules, by_satellite, start_us)
    _share_rows(rows, options, rules, order)
    return rows


def _energy_rows(
    rows: Rows,
    options: Sequence[Candidate],
    rules: PlanRules,
    by_satellite: dict[str, list[int]],
    start_us: Sequence[int],
) -> None:
    """Sessions of one satellite in a UTC day, and within any span of one orbit."""
    for satellite, members in by_satellite.items():
        if rules.max_sessions_per_day is not None:
            days = _group(members, {i: str(options[i].acquires_at.date()) for i in members})
            for day, of_day in days.items():
                rows.add(of_day, rules.max_sessions_per_day, RowKind.DAY, f"{satellite} {day}")
        if rules.max_sessions_per_orbit is not None:
            limit = rules.max_sessions_per_orbit
            for span in windows(members, start_us, _us(rules.orbit_s), limit):
                rows.add(span, limit, RowKind.ORBIT, satellite)


def _share_rows(
    rows: Rows, options: Sequence[Candidate], rules: PlanRules, order: Sequence[int]
) -> None:
    """Sessions of an operator in a UTC day over a station of another owner."""
    if not rules.sharing.operators:
        return
    mine: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    limits: dict[tuple[str, str, str], int] = {}
    for option in order:
        candidate = options[option]
        for station in candidate.station_ids:
            limit = rules.sharing.sessions_per_day(candidate.satellite_id, station)
            if limit is not None:
                operator = rules.sharing.operator_of(candidate.satellite_id)
                key = (operator, station, str(candidate.acquires_at.date()))
                mine[key].append(option)
                limits[key] = limit
    for key, members in mine.items():
        rows.add(members, limits[key], RowKind.SHARE, " ".join(key))


def _satellite_gaps_s(rules: PlanRules) -> tuple[float, float]:
    slews = [rules.slew_s, *rules.satellite_slew_s.values()]
    return rules.setup_s + min(slews), rules.setup_s + max(slews)


def _mount_gaps_s(rules: PlanRules, stations: set[str]) -> tuple[float, float]:
    slews = [rules.station_slew_s.get(station, rules.slew_s) for station in stations]
    rates = [rules.slew_rate_deg_s[s] for s in stations if s in rules.slew_rate_deg_s]
    if not rates:
        return rules.setup_s + min(slews), rules.setup_s + max(slews)
    return rules.setup_s, rules.setup_s + max(*slews, 180.0 / min(rates))


def _group(order: Sequence[int], names: Sequence[str] | dict[int, str]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = defaultdict(list)
    for option in order:
        grouped[names[option]].append(option)
    return grouped


def _mounts(
    order: Sequence[int], options: Sequence[Candidate], rules: PlanRules
) -> dict[str, list[int]]:
    """The options that take each mount; a dual downlink takes two."""
    grouped: dict[str, list[int]] = defaultdict(list)
    for option in order:
        for mount in rules.mounts_of(options[option]):
            grouped[mount].append(option)
    return grouped


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


def _check_fixed(
    options: Sequence[Candidate],
    locked_count: int,
    fixed: Sequence[bool],
    rows: Rows,
    notes: list[str],
) -> None:
    """Refuse locks that overlap and pins that fit no lock; note locks that break a rule."""
    for row, members in enumerate(rows.members):
        held = [option for option in members if fixed[option]]
        if len(held) <= rows.capacity[row]:
            continue
        names = " and ".join(options[option].candidate_id for option in held)
        what = f"{rows.kinds[row]} {rows.names[row]}: {names}"
        locked = [option for option in held if option < locked_count]
        if len(locked) < len(held):
            raise PlanError(
                f"{what} are pinned or locked, but at most {rows.capacity[row]} fits"
                f" ({_spans(options, held)})"
            )
        if rows.kinds[row] in {RowKind.SATELLITE, RowKind.MOUNT} and _overlap(options, locked):
            raise PlanError(f"{what} are both locked, but overlap ({_spans(options, held)})")
        notes.append(f"{what} are locked, though the rules allow {rows.capacity[row]}")
        rows.capacity[row] = len(held)


def _overlap(options: Sequence[Candidate], held: Sequence[int]) -> bool:
    until: datetime | None = None
    for option in sorted(held, key=lambda i: options[i].acquires_at):
        if until is not None and options[option].acquires_at < until:
            return True
        loses_at = options[option].loses_at
        until = loses_at if until is None else max(until, loses_at)
    return False


def _spans(options: Sequence[Candidate], held: Sequence[int]) -> str:
    return ", ".join(
        f"{options[i].acquires_at:%Y-%m-%dT%H:%M:%SZ} to {options[i].loses_at:%H:%M:%SZ}"
        for i in held
    )


def _shut(count: int, fixed: Sequence[bool], rows: Rows) -> list[bool]:
    """Options that are neither fixed nor in a row that fixed ones fill."""
    is_open = [not held for held in fixed]
    for row, members in enumerate(rows.members):
        if sum(fixed[option] for option in members) >= rows.capacity[row]:
            for option in members:
                is_open[option] = False
    return is_open
