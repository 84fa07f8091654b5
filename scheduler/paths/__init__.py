"""Ways through the network and who gets how much over them: one mechanism for plans and merges."""

from scheduler.paths.graph import DemandGraph
from scheduler.paths.leximin import SLACK, Claim, hold, jain_index, lift
from scheduler.paths.links import parallel_pools, sum_parallel
from scheduler.paths.routes import (
    SCARCITY_WEIGHT,
    Route,
    Routes,
    find_routes,
    hops_of,
    routes_of,
    scarcity,
)

__all__ = [
    "SCARCITY_WEIGHT",
    "SLACK",
    "Claim",
    "DemandGraph",
    "Route",
    "Routes",
    "find_routes",
    "hold",
    "hops_of",
    "jain_index",
    "lift",
    "parallel_pools",
    "routes_of",
    "scarcity",
    "sum_parallel",
]
