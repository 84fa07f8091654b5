"""Routes: the paths, or sets of node-disjoint paths, by which a demand may be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from scheduler.domain import Demand, PathSet
from scheduler.network import Scenario
from scheduler.paths.graph import DemandGraph, Paths
from scheduler.paths.links import of_network, parallel_pools, sum_parallel

ROUTES_FIRST = 4
"""Routes of one demand to begin with; whoever shares out key prices in what else is worth it."""
_MISSES_MAX = 3  # Attempts in a row that find no new route, before the search ends.
_PENALTY = 3.0  # Times the cost of a node that an earlier route used, so that the next differs.
SCARCITY_WEIGHT = 4.0  # An empty hop costs as much as five full ones.


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to serve a demand: a path, or node-disjoint paths whose keys are combined.

    A hop is named by the first pool of its parallel links.
    """

    demand_id: str
    paths: Paths
    hops: tuple[tuple[str, ...], ...]  #: for each path its hops
    threshold: int  #: paths that must be corrupt before the key is known
    cost: float  #: trust weights of its inner nodes and hops; less is better
    #: every hop of every path; disjoint paths share none
    links: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", tuple(hop for hops in self.hops for hop in hops))

    def as_path_set(self) -> PathSet:
        """Return it as the planner takes it."""
        return PathSet(
            demand_id=self.demand_id,
            uses=tuple((hop, 1) for hop in self.links),
            paths=self.paths,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """What was found for one demand; `refusal` says why when it is nothing."""

    demand_id: str
    routes: tuple[Route, ...]
    refusal: str = ""
    hops: frozenset[str] = frozenset()  #: every hop that some route may use, found or not

    @property
    def path_sets(self) -> tuple[PathSet, ...]:
        """The routes as the planner takes them."""
        return tuple(route.as_path_set() for route in self.routes)


def hops_of(scenario: Scenario, routes: Routes) -> frozenset[str]:
    """Return every link that some route may use, parallel ones each by its own pool."""
    parallel = parallel_pools(scenario)
    return frozenset(pool_id for hop in routes.hops for pool_id in parallel[hop])


class Graphs:
    """The network as each demand may use it; demands between the same nodes share theirs."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._known: dict[tuple[object, ...], DemandGraph] = {}

    def of(self, demand: Demand) -> DemandGraph:
        """Return the graph of a demand, made when it is first wanted."""
        key = (
            demand.node_a, demand.node_b, demand.min_disjoint_paths, demand.spare_paths,
            demand.avoid_nodes, demand.require_domains, demand.avoid_domains,
        )  # fmt: skip
        if key not in self._known:
            self._known[key] = DemandGraph(self._scenario, demand)
        return self._known[key]


@of_network
def graphs_of(scenario: Scenario) -> Graphs:
    """Return the graphs of a network; remembered, for they are dear."""
    return Graphs(scenario)


def find_routes(
    scenario: Scenario,
    demand: Demand,
    *,
    supply: Mapping[str, float] | None = None,
    limit: int = ROUTES_FIRST,
) -> Routes:
    """Return the cheapest routes of one demand, the cheapest first.

    Parameters
    ----------
    supply : pool_id -> bits in stock or expected until the key is wanted; a hop that has less
        than a day of the demand costs up to five times as much. None leaves it out.
    limit : routes at most

    Further ones come from making the nodes of earlier ones dear. A demand with spare paths takes
    as many of them as the network has.
    """
    graph = graphs_of(scenario).of(demand)
    if graph.most_disjoint_paths < demand.min_disjoint_paths:
        return Routes(demand_id=demand.demand_id, routes=(), refusal=graph.refusal())
    count = path_count(graph)
    hop_cost = _hop_costs(graph, demand, scenario, supply)
    found: dict[Paths, Route] = {}
    penalties: dict[str, float] = {}
    misses = 0
    while len(found) < limit and misses < _MISSES_MAX:
        node_cost = {node: cost * penalties.get(node, 1.0) for node, cost in graph.trust.items()}
        paths = graph.cheapest_paths(count, hop_cost=hop_cost, node_cost=node_cost)
        assert paths is not None
        misses = misses + 1 if paths in found else 0
        found.setdefault(paths, route_along(graph, demand, paths, hop_cost))
        for node in (node for path in paths for node in path[1:-1]):
            penalties[node] = penalties.get(node, 1.0) * _PENALTY
    routes = sorted(found.values(), key=lambda route: (route.cost, route.paths))
    return Routes(demand_id=demand.demand_id, routes=tuple(routes), hops=graph.useful_hops)


def path_count(graph: DemandGraph) -> int:
    """How many disjoint paths a route of the demand has."""
    demand = graph.demand
    return min(graph.most_disjoint_paths, demand.min_disjoint_paths + demand.spare_paths)


def route_along(
    graph: DemandGraph, demand: Demand, paths: Paths, hop_cost: Mapping[str, float]
) -> Route:
    """Return the route along these paths, with its cost."""
    hops = graph.hops_along(paths)
    cost = sum(graph.trust[node] for path in paths for node in path[1:-1])
    cost += sum(hop_cost[hop] for path in hops for hop in path)
    return Route(
        demand_id=demand.demand_id,
        paths=paths,
        hops=hops,
        threshold=min(demand.min_disjoint_paths, len(paths)),
        cost=cost,
    )


@lru_cache(maxsize=256)
def _routes_of(scenario: Scenario, demands: tuple[Demand, ...]) -> dict[str, Routes]:
    return {demand.demand_id: find_routes(scenario, demand) for demand in demands}


def routes_of(scenario: Scenario, demands: Sequence[Demand]) -> Mapping[str, Routes]:
    """Return the routes of several demands, whatever the stock; remembered, for they are dear."""
    return _routes_of(scenario, tuple(demands))


def _hop_costs(
    graph: DemandGraph, demand: Demand, scenario: Scenario, supply: Mapping[str, float] | None
) -> dict[str, float]:
    hops = set(graph.hops.values())
    if supply is None:
        return dict.fromkeys(hops, 1.0)
    there = sum_parallel(scenario, supply)
    wanted = demand.bits_per_day
    return {hop: 1.0 + SCARCITY_WEIGHT * scarcity(there[hop], wanted) for hop in hops}


def scarcity(supply: float, wanted: float) -> float:
    """Return how far a supply falls short of what is wanted: 0 not at all, 1 altogether."""
    return 1.0 - min(1.0, max(0.0, supply) / wanted)
