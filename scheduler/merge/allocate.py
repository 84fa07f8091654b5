"""Who gets how much: a linear program that lifts the worst served first, then the total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import PlanError

HIGHS_THREADS = 1
"""HiGHS keeps the first number a process asks for; with another it solves nothing, silently."""
_DUAL_MIN = 1e-7  # HiGHS's own dual tolerance: a smaller one does not bind.
_SLACK = 1e-6  # Of the scaled program: ten times HiGHS's feasibility tolerance.
_COST_WEIGHT = 1e-3  # Route costs break ties, and never outweigh a bit.

Floats = NDArray[np.float64]


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


def jain_index(values: Iterable[float]) -> float:
    """Return Jain's index of fairness: 1 if all are equal, 1/n if one has everything.

    Nobody served at all is fair: 1. Source: Jain, Chiu and Hawe, DEC-TR-301 (1984), eq. 1.
    """
    x = np.array(list(values), dtype=np.float64)
    squares = float(np.sum(x * x))
    return float(np.sum(x)) ** 2 / (len(x) * squares) if squares > 0.0 else 1.0


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
            amount = int(amounts.pop(0) + _SLACK)
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
    for priority in sorted({ask.priority for ask in asks}, reverse=True):
        members = [i for i, ask in enumerate(asks) if ask.priority == priority]
        low = [i for i in members if asks[i].low > 0 and wanted[i] > 0]
        if low:
            program = _Program(
                asks,
                capacity,
                shares=np.array([ask.low_share for ask in asks]),
                had=np.array([ask.low_had for ask in asks], dtype=np.float64),
            )
            caps = np.minimum(wanted, [ask.low for ask in asks])
            floors = program.lift(low, floors, caps)
        program = _Program(
            asks,
            capacity,
            shares=np.array([ask.share for ask in asks]),
            had=np.array([ask.had for ask in asks], dtype=np.float64),
        )
        floors = program.lift([i for i in members if wanted[i] > 0], floors, wanted)
    return program.fill(floors, wanted)


class _Program:
    """The program in HiGHS: a column for each route and one for the level that is lifted.

    Rows: the hops; each ask's sum; each ask's level. Everything is divided by `scale`, for
    HiGHS's tolerances are absolute. Lives within one call, so no thread shares it.
    """

    def __init__(
        self, asks: Sequence[Ask], capacity: Mapping[str, int], *, shares: Floats, had: Floats
    ) -> None:
        self.asks = asks
        self.shares, self.had = shares, had
        self.scale = max(1.0, max(float(ask.wanted) for ask in asks) / 1e3)
        self.columns: list[list[int]] = []
        hops: dict[str, list[int]] = {}
        count = 0
        for ask in asks:
            self.columns.append(list(range(count, count + len(ask.routes))))
            for column, route in zip(self.columns[-1], ask.routes, strict=True):
                for hop in route:
                    hops.setdefault(hop, []).append(column)
            count += len(ask.routes)
        self.level = count
        self.first_sum = len(hops)
        self.first_level = self.first_sum + len(asks)
        self.costs = np.array([cost for ask in asks for cost in ask.costs])
        self.highs, self.highspy = self._build(hops, capacity)

    def _build(self, hops: Mapping[str, list[int]], capacity: Mapping[str, int]) -> tuple[Any, Any]:
        import highspy  # 50 ms that only planning needs

        rows: list[tuple[list[int], list[float]]] = []
        rows += [(columns, [1.0] * len(columns)) for columns in hops.values()]
        rows += [(columns, [1.0] * len(columns)) for columns in self.columns]
        for index, columns in enumerate(self.columns):
            factor = self.scale / self.shares[index]
            rows.append(([*columns, self.level], [factor] * len(columns) + [-1.0]))
        infinity = highspy.kHighsInf
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = self.level + 1, len(rows)
        program.sense_ = highspy.ObjSense.kMaximize
        program.col_cost_ = np.zeros(self.level + 1)
        program.col_lower_ = np.append(np.zeros(self.level), -infinity)
        program.col_upper_ = np.full(self.level + 1, infinity)
        program.row_lower_ = np.full(len(rows), -infinity)
        limits = np.array([capacity[hop] for hop in hops], dtype=np.float64) / self.scale
        program.row_upper_ = np.append(limits, np.full(len(rows) - len(hops), infinity))
        program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        program.a_matrix_.start_ = np.cumsum([0] + [len(columns) for columns, _ in rows])
        program.a_matrix_.index_ = np.array([c for columns, _ in rows for c in columns])
        program.a_matrix_.value_ = np.array([v for _, values in rows for v in values])
        solver: Any = highspy  # It has no types of its own.
        highs = solver.Highs()
        for name, value in {"output_flag": False, "threads": HIGHS_THREADS}.items():
            if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
                raise PlanError(f"HiGHS refuses option {name} = {value}")
        if highs.passModel(program) == highspy.HighsStatus.kError:
            raise PlanError("HiGHS refuses the program of the merge allocation")
        return highs, highspy

    def _run(self, floors: Floats, caps: Floats) -> Any:
        for index in range(len(self.asks)):
            low = max(0.0, floors[index] / self.scale - _SLACK)
            high = max(low, caps[index] / self.scale)
            self.highs.changeRowBounds(self.first_sum + index, low, high)
        optimal = self.highspy.HighsModelStatus.kOptimal
        self.highs.run()
        if self.highs.getModelStatus() != optimal:
            # From the last basis HiGHS can end with no status at all, where wants differ by
            # orders of magnitude; from none it does not.
            self.highs.clearSolver()
            self.highs.run()
        status = self.highs.getModelStatus()
        if status != optimal:
            name = self.highs.modelStatusToString(status)
            raise PlanError(f"HiGHS ended the merge allocation with status {name!r}")
        return self.highs.getSolution()

    def lift(self, members: Sequence[int], floors: Floats, wanted: Floats) -> Floats:
        """Return the grains of each ask after lifting the levels of some of them.

        In each round the asks that hold the lowest level down have a dual above zero: in
        every optimum they are at that level, so they are fixed there, and the rest go on.
        """
        infinity = self.highspy.kHighsInf
        caps = floors.copy()
        caps[list(members)] = wanted[list(members)]
        floors, caps = floors.copy(), np.maximum(caps, floors)
        active = set(members)
        self.highs.changeColCost(self.level, 1.0)
        for index in range(len(self.asks)):
            bound = -self.had[index] / self.shares[index] if index in active else -infinity
            self.highs.changeRowBounds(self.first_level + index, bound, infinity)
        while active:
            answer = self._run(floors, caps)
            level, duals = answer.col_value[self.level], np.array(answer.row_dual)
            reached = {i: level * self.shares[i] - self.had[i] for i in active}
            fixed = {
                i
                for i in active
                if abs(duals[self.first_level + i]) > _DUAL_MIN
                or reached[i] >= caps[i] - _SLACK * self.scale
            }
            for index in fixed or set(active):  # All of them: no dual at all means no room.
                floors[index] = min(caps[index], max(floors[index], reached[index]))
                caps[index] = floors[index]
                active.discard(index)
                self.highs.changeRowBounds(self.first_level + index, -infinity, infinity)
        return floors

    def fill(self, floors: Floats, wanted: Floats) -> list[float]:
        """Return the grains of each route: the largest total above the floors, cheaply."""
        dearest = max(1.0, float(self.costs.max()))
        for column, cost in enumerate(self.costs):
            self.highs.changeColCost(column, 1.0 - _COST_WEIGHT * cost / dearest)
        self.highs.changeColCost(self.level, 0.0)
        answer = self._run(floors, np.maximum(wanted, floors))
        return [value * self.scale for value in answer.col_value[: self.level]]
