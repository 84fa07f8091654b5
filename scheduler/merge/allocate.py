"""Who gets how much: a linear program that lifts the worst served first, then the total."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np

from scheduler.errors import PlanError
from scheduler.paths import SLACK, Claim, hold, lift
from scheduler.solver import DEFAULT_LIMITS, Floats, LinearProgram, Solution, SolverFailed, solve

_COST_WEIGHT = 1e-3  # Route costs break ties, and never outweigh a bit.


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one demand asks for now, in grains."""

    demand_id: str
    routes: tuple[tuple[str, ...], ...]  #: the hops of each route
    costs: tuple[float, ...]  #: of each route
    wanted: int  #: at most this much now
    share: float  #: its due, weight times daily demand: levels are served / share
    had: int = 0  #: of that due, in the last day
    low: int = 0  #: what it lacks to its low-water mark
    low_share: float = 1.0  #: that mark, times its weight
    low_had: int = 0  #: what is in its pool
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Grains for each route of each ask, and what each hop has left."""

    grains: tuple[tuple[int, ...], ...]
    left: Mapping[str, int]


def allocate(asks: Sequence[Ask], capacity: Mapping[str, int], *, least: int = 1) -> Allocation:
    """Share out the grains that the hops hold; no route gets more than none and less than `least`.

    Asks of higher priority go first; within one priority those below their low-water mark,
    then all. Each time the lowest level is lifted as far as it goes, then the next lowest of
    those that can still rise, and so on (weighted max-min, complete); last, the total is made
    as large as these levels allow, on the cheapest routes. Rounded down to whole grains, or to
    nothing where that is less than `least`; what is left over goes to the lowest level that
    can take it.

    Raises PlanError if the solver fails.
    """
    if (plenty := _when_all_fits(asks, capacity, least)) is not None:
        return plenty
    amounts = _solve(asks, capacity)
    left = dict(capacity)
    grains: list[list[int]] = []
    for ask in asks:
        given: list[int] = []
        for hops in ask.routes:
            amount = int(amounts.pop(0) + SLACK)
            room = min(left[hop] for hop in hops)
            amount = max(0, min(amount, room, ask.wanted - sum(given)))
            given.append(amount if amount >= least else 0)
            _take(left, hops, given[-1])
        grains.append(given)
    _hand_out_rest(asks, grains, left, least)
    return Allocation(grains=tuple(map(tuple, grains)), left=left)


def _when_all_fits(
    asks: Sequence[Ask], capacity: Mapping[str, int], least: int
) -> Allocation | None:
    """Return all that everybody wants, on everybody's cheapest route, if the hops hold it.

    No level can then be higher, no total larger, no route cheaper, so there is no program to
    solve. None if a hop has not enough.
    """
    left = dict(capacity)
    grains: list[tuple[int, ...]] = []
    for ask in asks:
        given = [0] * len(ask.routes)
        if ask.routes and ask.wanted >= least:
            cheapest = min(range(len(ask.routes)), key=ask.costs.__getitem__)
            given[cheapest] = ask.wanted
            _take(left, ask.routes[cheapest], ask.wanted)
        grains.append(tuple(given))
    if any(grain < 0 for grain in left.values()):
        return None
    return Allocation(grains=tuple(grains), left=left)


def _take(left: dict[str, int], hops: Iterable[str], grains: int) -> None:
    for hop in hops:
        left[hop] -= grains


def _hand_out_rest(
    asks: Sequence[Ask], grains: list[list[int]], left: dict[str, int], least: int
) -> None:
    """Give what rounding left to the lowest level that can take it.

    A grain at a time, or `least` grains to a route that has none.
    """

    def place(index: int) -> tuple[int, float, str, int]:
        ask = asks[index]
        level = (ask.had + sum(grains[index])) / ask.share
        return (-ask.priority, level, ask.demand_id, index)

    queue = [place(index) for index, ask in enumerate(asks) if ask.routes]
    heapify(queue)
    while queue:
        index = heappop(queue)[-1]
        ask = asks[index]
        room = ask.wanted - sum(grains[index])
        for route, hops in enumerate(ask.routes):
            piece = 1 if grains[index][route] else least
            if piece <= room and all(left[hop] >= piece for hop in hops):
                grains[index][route] += piece
                _take(left, hops, piece)
                heappush(queue, place(index))
                break


def _solve(asks: Sequence[Ask], capacity: Mapping[str, int]) -> list[float]:
    """Return the grains of every route of every ask, not yet whole."""
    floors = np.zeros(len(asks))
    wanted = np.array([ask.wanted if ask.routes else 0 for ask in asks], dtype=np.float64)
    program = _Program(asks, capacity)
    to_mark = program.claims([(ask.low_share, ask.low_had) for ask in asks])
    by_share = program.claims([(ask.share, ask.had) for ask in asks])
    for priority in sorted({ask.priority for ask in asks}, reverse=True):
        members = [i for i, ask in enumerate(asks) if ask.priority == priority and wanted[i] > 0]
        low = [i for i in members if asks[i].low > 0]
        if low:
            caps = np.minimum(wanted, [ask.low for ask in asks])
            floors = program.lift(to_mark, low, floors, caps)
        floors = program.lift(by_share, members, floors, wanted)
    return program.fill(by_share, floors, wanted)


class _Program:
    """A column for each route and one for the level that is lifted.

    Rows: the hops; each ask's sum; each ask's levels. Everything is divided by `scale`, for the
    solver's tolerances are absolute.
    """

    def __init__(self, asks: Sequence[Ask], capacity: Mapping[str, int]) -> None:
        self.asks = asks
        self.scale = max(1.0, max(float(ask.wanted) for ask in asks) / 1e3)
        self.program = program = LinearProgram()
        self.level = program.column(lower=-math.inf)
        self.totals = [program.row() for _ in asks]
        used = dict.fromkeys(hop for ask in asks for hops in ask.routes for hop in hops)
        self.hops = {hop: program.row(upper=capacity[hop] / self.scale) for hop in used}
        self.columns = [
            [
                program.column(terms=[(total, 1.0), *((self.hops[hop], 1.0) for hop in hops)])
                for hops in ask.routes
            ]
            for ask, total in zip(asks, self.totals, strict=True)
        ]

    def claims(self, shares: Sequence[tuple[float, int]]) -> list[Claim]:
        """Add a row for the level of each ask, in the share it is counted in and had some of."""
        found = []
        for columns, total, (share, had) in zip(self.columns, self.totals, shares, strict=True):
            unit = share / self.scale
            terms = [*((column, 1.0 / unit) for column in columns), (self.level, -1.0)]
            found.append(Claim(total, self.program.row(terms), unit, had / self.scale))
        return found

    def _run(self) -> Solution:
        try:
            return solve(self.program, DEFAULT_LIMITS)
        except SolverFailed as failure:
            raise PlanError(f"the merge allocation failed: {failure}") from failure

    def lift(
        self, claims: Sequence[Claim], members: Sequence[int], floors: Floats, wanted: Floats
    ) -> Floats:
        """Return the grains of each ask after lifting the levels of some of them."""
        found = lift(
            self.program, self.level, claims, members,
            floors=floors / self.scale, caps=wanted / self.scale, run=self._run,
        )  # fmt: skip
        return found * self.scale

    def fill(self, claims: Sequence[Claim], floors: Floats, wanted: Floats) -> list[float]:
        """Return the grains of each route: the largest total above the floors, cheaply."""
        dearest = max(1.0, *(cost for ask in self.asks for cost in ask.costs))
        self.program.maximise(
            {
                column: 1.0 - _COST_WEIGHT * cost / dearest
                for ask, columns in zip(self.asks, self.columns, strict=True)
                for column, cost in zip(columns, ask.costs, strict=True)
            }
        )
        hold(self.program, claims, floors / self.scale, np.maximum(wanted, floors) / self.scale)
        answer = self._run()
        return [float(answer.x[c]) * self.scale for columns in self.columns for c in columns]
