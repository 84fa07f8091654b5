"""Leximin: the lowest level is lifted as far as it goes, then the next lowest, and so on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scheduler.errors import PlanError
from scheduler.paths.graph import DemandGraph, Paths
from scheduler.paths.routes import path_count
from scheduler.solver import FEASIBILITY, Engine, Floats, Limits, LinearProgram, Solution

WORTH_IT = 1e-6
"""A route must gain this part of what it is worth: less is the rounding of the duals. So much
may a program be below the best over all routes."""
ROUNDS_MAX = 10_000

Add = Callable[[Solution], bool]
"""Adds the columns that the duals of a solution call for; returns whether there were any."""


def solve_priced(program: LinearProgram, engine: Engine, limits: Limits, add: Add) -> Solution:
    """Solve a program over all the routes there are, though it lists only a few.

    Column generation: a route that is not listed can improve the solution only if the duals
    price it below what it is worth, and the cheapest one is found by shortest paths. Raises
    SolverFailed if the solver does. Source: Ford and Fulkerson, Management Science 5, 97 (1958).
    """
    for _ in range(ROUNDS_MAX):
        solution = engine(program, limits)
        if not add(solution):
            return solution
    raise PlanError(f"pricing found new routes {ROUNDS_MAX} times; allowed: fewer")


def worthwhile(
    graph: DemandGraph,
    *,
    worth: float,
    hop_price: Mapping[str, float],
    node_price: Mapping[str, float] | None = None,
    without: Collection[str] = (),
) -> Paths | None:
    """Return the cheapest paths of a route at these prices, if they cost less than it is worth.

    Parameters
    ----------
    worth : of one bit for the demand, in the unit of the prices
    hop_price, node_price : 0 and up; 0 where not named. Not changed after the call
    without : hops that have no key
    """
    if worth <= 0.0:
        return None
    paths = _cheapest(graph, hop_price, node_price, without)
    if paths is None:
        return None
    price = sum(hop_price.get(hop, 0.0) for hops in graph.hops_along(paths) for hop in hops)
    if node_price is not None:
        price += sum(node_price.get(node, 0.0) for path in paths for node in path[1:-1])
    return paths if price < worth * (1.0 - WORTH_IT) else None


def _cheapest(
    graph: DemandGraph,
    hop_price: Mapping[str, float],
    node_price: Mapping[str, float] | None,
    without: Collection[str],
) -> Paths | None:
    """The cheapest paths; demands that share a graph and prices share the answer too."""
    if node_price is None and graph.priced is not None:
        prices, closed, paths = graph.priced
        if prices is hop_price and closed == without:
            return paths
    paths = graph.cheapest_paths(
        path_count(graph), hop_cost=hop_price, node_cost=node_price, without=without
    )
    if node_price is None:
        graph.priced = hop_price, without, paths
    return paths


SLACK = 1e-6
"""Of a scaled program: ten times HiGHS's feasibility tolerance, so that what one program reached
does not make the next infeasible."""
_INF = float("inf")

Run = Callable[[], Solution]
"""Solves the program as it stands, pricing in what is worth it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One who gets something of a program, in the program's unit."""

    got: int  #: column of what it gets: bounded by what it has been promised and what it wants
    level_row: int  #: got / share - level, at least -had / share
    share: float
    had: float = 0.0


def lift(
    program: LinearProgram,
    level: int,
    claims: Sequence[Claim],
    members: Iterable[int],
    *,
    floors: Floats,
    caps: Floats,
    run: Run,
) -> Floats:
    """Return what each claim gets after lifting the levels of `members` one after another.

    Parameters
    ----------
    level : the program's column for the level that is lifted
    members : claims whose levels rise; each may get its cap, every other no more than its floor
    floors, caps : of each claim; no floor is undercut

    A level is (had + got) / share. In each round the claims that hold the lowest level down have
    a dual above zero: in every optimum they are at that level, so they are fixed there, and the
    rest go on. Source: Radunovic and Le Boudec, IEEE/ACM Trans. Netw. 15, 1073 (2007).
    """
    active = set(members)
    floors = floors.copy()
    most = np.maximum(floors, np.where([i in active for i in range(len(claims))], caps, floors))
    program.maximise({level: 1.0})
    for index, claim in enumerate(claims):
        program.row_lower[claim.level_row] = -claim.had / claim.share if index in active else -_INF
        program.row_upper[claim.level_row] = _INF
    while active:
        hold(program, claims, floors, most)
        answer = run()
        top = float(answer.x[level])
        reached = {i: top * claims[i].share - claims[i].had for i in active}
        fixed = {
            i
            for i in active
            if abs(answer.row_duals[claims[i].level_row]) > FEASIBILITY
            or reached[i] >= most[i] - SLACK
        }
        for index in fixed or set(active):  # All of them: no dual at all means no room.
            floors[index] = min(most[index], max(floors[index], reached[index]))
            most[index] = floors[index]
            active.discard(index)
            program.row_lower[claims[index].level_row] = -_INF
    return floors


def claim_on(
    program: LinearProgram, level: int, got: int, *, share: float, had: float = 0.0
) -> Claim:
    """Add the row that ties what somebody gets to the level that is lifted."""
    return Claim(got, program.row([(got, 1.0 / share), (level, -1.0)]), share, had)


def hold(program: LinearProgram, claims: Sequence[Claim], floors: Floats, caps: Floats) -> None:
    """Bound what each claim gets by its floor, but for the solver's rounding, and its cap."""
    for claim, floor, cap in zip(claims, floors, caps, strict=True):
        low = max(0.0, float(floor) - SLACK)
        program.lower[claim.got] = low
        program.upper[claim.got] = max(low, float(cap))


def jain_index(values: Iterable[float]) -> float:
    """Return Jain's index of fairness: 1 if all are equal, 1/n if one has everything.

    Nobody served at all is fair: 1. Source: Jain, Chiu and Hawe, DEC-TR-301 (1984), eq. 1.
    """
    x = np.array(list(values), dtype=np.float64)
    squares = float(np.sum(x * x))
    return float(np.sum(x)) ** 2 / (len(x) * squares) if squares > 0.0 else 1.0
