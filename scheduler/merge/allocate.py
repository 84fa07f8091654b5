"""Who gets how much: a linear program that lifts the worst served first, then the total."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

import numpy as np

from scheduler.errors import PlanError
from scheduler.paths import SLACK, Claim, claim_on, hold, lift, solve_priced
from scheduler.solver import (
    DEFAULT_LIMITS,
    FEASIBILITY,
    Floats,
    LinearProgram,
    Solution,
    SolverFailed,
    solve,
)

_COST_WEIGHT = 1e-3  # Route costs break ties, and never outweigh a bit.

Price = Callable[[Mapping[str, float], float, float], tuple[tuple[str, ...], float] | None]
"""From the price of each hop, the price of one unit of route cost, and what a grain is worth: the
hops and the cost of one more route that is worth it, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one demand asks for now, in grains."""

    demand_id: str
    routes: tuple[tuple[str, ...], ...]  #: the hops of each route to begin with
    costs: tuple[float, ...]  #: of each route
    wanted: int  #: at most this much now
    share: float  #: its due, weight times daily demand: levels are served / share
    had: int = 0  #: of that due, in the last day
    low: int = 0  #: what it lacks to its low-water mark
    low_share: float = 1.0  #: that mark, times its weight
    low_had: int = 0  #: what is in its pool
    priority: int = 0
    price: Price | None = None  #: finds further routes; none where they are all listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Grains for each route of each ask, those found last, and what each hop has left."""

    grains: tuple[tuple[int, ...], ...]
    routes: tuple[tuple[tuple[str, ...], ...], ...]  #: the hops of each of these routes
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
    if _nothing_fits(asks, capacity, least):
        return _allocation(asks, [[0] * len(ask.routes) for ask in asks], capacity)
    asks, amounts = _solve(asks, capacity)
    left = dict(capacity)
    grains: list[list[int]] = []
    for ask, of_routes in zip(asks, amounts, strict=True):
        given: list[int] = []
        for hops, exact in zip(ask.routes, of_routes, strict=True):
            amount = int(exact + SLACK)
            room = min(left[hop] for hop in hops)
            amount = max(0, min(amount, room, ask.wanted - sum(given)))
            given.append(amount if amount >= least else 0)
            _take(left, hops, given[-1])
        grains.append(given)
    _hand_out_rest(asks, grains, left, least)
    return _allocation(asks, grains, left)


def _allocation(
    asks: Sequence[Ask], grains: Sequence[Sequence[int]], left: Mapping[str, int]
) -> Allocation:
    return Allocation(
        grains=tuple(map(tuple, grains)), routes=tuple(ask.routes for ask in asks), left=left
    )


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
    return _allocation(asks, grains, left)


def _nothing_fits(asks: Iterable[Ask], capacity: Mapping[str, int], least: int) -> bool:
    """Whether each ask wants too little, or every route there is has a hop with too little."""
    free: dict[str, float] = {}
    return all(
        ask.wanted < least
        or (
            all(any(capacity[hop] < least for hop in hops) for hops in ask.routes)
            # A route that is not listed costs nothing here: it is found if it has no empty hop.
            and (ask.price is None or ask.price(free, 0.0, 1.0) is None)
        )
        for ask in asks
    )


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


def _solve(asks: Sequence[Ask], capacity: Mapping[str, int]) -> tuple[list[Ask], list[list[float]]]:
    """Return the asks with all routes found, and the grains of every route, not yet whole."""
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
    amounts = program.fill(by_share, floors, wanted)
    every = zip(asks, program.routes, program.costs, strict=True)
    found = [replace(ask, routes=tuple(r), costs=tuple(c)) for ask, r, c in every]
    return found, amounts


class _Program:
    """A column for each route, for what each ask gets, and for the level that is lifted.

    Rows: the hops; what each ask gets is what its routes bring; each ask's levels. Everything is
    divided by `scale`, for the solver's tolerances are absolute.
    """

    def __init__(self, asks: Sequence[Ask], capacity: Mapping[str, int]) -> None:
        self.asks, self.capacity = asks, capacity
        self.scale = max(1.0, max(float(ask.wanted) for ask in asks) / 1e3)
        self.dearest = max(1.0, *(cost for ask in asks for cost in ask.costs))
        self.program = program = LinearProgram()
        self.level = program.column(lower=-math.inf)
        self.got = [program.column() for _ in asks]
        self.brought = [program.row([(got, 1.0)], lower=0.0, upper=0.0) for got in self.got]
        self.hops: dict[str, int] = {}
        self.routes: list[list[tuple[str, ...]]] = [[] for _ in asks]
        self.costs: list[list[float]] = [[] for _ in asks]
        self.columns: list[list[int]] = [[] for _ in asks]
        self.cost_price = 0.0  #: of one unit of route cost, in the aim of the moment
        for index, ask in enumerate(asks):
            for hops, cost in zip(ask.routes, ask.costs, strict=True):
                self._add(index, hops, cost)

    def _add(self, index: int, hops: tuple[str, ...], cost: float) -> None:
        """One more route of an ask."""
        for hop in hops:
            if hop not in self.hops:
                self.hops[hop] = self.program.row(upper=self.capacity[hop] / self.scale)
        terms = [(self.brought[index], -1.0), *((self.hops[hop], 1.0) for hop in hops)]
        column = self.program.column(-self.cost_price * cost, terms=terms)
        self.routes[index].append(hops)
        self.costs[index].append(cost)
        self.columns[index].append(column)

    def claims(self, shares: Sequence[tuple[float, int]]) -> list[Claim]:
        """Tie what each ask gets to the level: the share it is counted in, what it had of that."""
        return [
            claim_on(self.program, self.level, got, share=share / self.scale, had=had / self.scale)
            for got, (share, had) in zip(self.got, shares, strict=True)
        ]

    def _run(self) -> Solution:
        try:
            return solve_priced(self.program, solve, DEFAULT_LIMITS, self._price)
        except SolverFailed as failure:
            raise PlanError(f"the merge allocation failed: {failure}") from failure

    def _price(self, solution: Solution) -> bool:
        """Add the routes that the duals call for."""
        duals = np.maximum(solution.row_duals, 0.0).tolist()
        prices = {hop: duals[row] for hop, row in self.hops.items()}
        found = False
        for index, ask in enumerate(self.asks):
            worth = duals[self.brought[index]]
            if ask.price is None or worth <= FEASIBILITY:
                continue
            more = ask.price(prices, self.cost_price, worth)
            if more is not None and more[0] not in self.routes[index]:
                self._add(index, *more)
                found = True
        return found

    def lift(
        self, claims: Sequence[Claim], members: Sequence[int], floors: Floats, wanted: Floats
    ) -> Floats:
        """Return the grains of each ask after lifting the levels of some of them."""
        self.cost_price = 0.0
        found = lift(
            self.program, self.level, claims, members,
            floors=floors / self.scale, caps=wanted / self.scale, run=self._run,
        )  # fmt: skip
        return found * self.scale

    def fill(self, claims: Sequence[Claim], floors: Floats, wanted: Floats) -> list[list[float]]:
        """Return the grains of each route: the largest total above the floors, cheaply."""
        self.cost_price = _COST_WEIGHT / self.dearest
        aim = dict.fromkeys(self.got, 1.0)
        for columns, costs in zip(self.columns, self.costs, strict=True):
            aim |= {c: -self.cost_price * cost for c, cost in zip(columns, costs, strict=True)}
        self.program.maximise(aim)
        hold(self.program, claims, floors / self.scale, np.maximum(wanted, floors) / self.scale)
        answer = self._run()
        return [[float(answer.x[c]) * self.scale for c in columns] for columns in self.columns]
