"""Ways through the network and who gets how much over them: one mechanism for plans and merges."""

from scheduler.paths.graph import DemandGraph, Paths
from scheduler.paths.leximin import (
    SLACK,
    Claim,
    claim_on,
    hold,
    jain_index,
    lift,
    solve_priced,
    worthwhile,
)
from scheduler.paths.links import parallel_pools, sum_parallel
from scheduler.paths.routes import (
    SCARCITY_WEIGHT,
    Route,
    Routes,
    find_routes,
    graphs_of,
    hops_of,
    path_count,
    route_along,
    routes_of,
    scarcity,
)

__all__ = [
    "SCARCITY_WEIGHT",
    "SLACK",
    "Claim",
    "DemandGraph",
    "Paths",
    "Route",
    "Routes",
    "claim_on",
    "find_routes",
    "graphs_of",
    "hold",
    "hops_of",
    "jain_index",
    "lift",
    "parallel_pools",
    "path_count",
    "route_along",
    "routes_of",
    "scarcity",
    "solve_priced",
    "sum_parallel",
    "worthwhile",
]
