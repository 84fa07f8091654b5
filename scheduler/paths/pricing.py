"""Pricing: routes that are worth more to a demand than the key along them costs the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from scheduler.errors import PlanError
from scheduler.paths.graph import DemandGraph, Paths
from scheduler.paths.routes import path_count
from scheduler.solver import Engine, Limits, LinearProgram, Solution

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
