"""Routes: the paths, or sets of node-disjoint paths, by which a demand may be served."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from scheduler.domain import Demand, PathSet, Pool
from scheduler.network import Scenario

if TYPE_CHECKING:
    import networkx as nx

ROUTES_MAX = 4
"""Routes offered for one demand; the allocation chooses among them."""
_MISSES_MAX = 3  # Attempts in a row that find no new route, before the search ends.
_PENALTY = 3.0  # Times the cost of a node that an earlier route used, so that the next differs.
_COST_SCALE = 1000  # The flow wants whole costs; finer differences do not matter.
SCARCITY_WEIGHT = 4.0  # An empty hop costs as much as five full ones.

HopCost = Callable[[str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to serve a demand: a path, or node-disjoint paths whose keys are combined.

    A hop is named by the first pool of its parallel links.
    """

    demand_id: str
    paths: tuple[tuple[str, ...], ...]
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

    @property
    def path_sets(self) -> tuple[PathSet, ...]:
        """The routes as the planner takes them."""
        return tuple(route.as_path_set() for route in self.routes)


@lru_cache(maxsize=64)
def parallel_pools(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Return for each hop, named by its first pool, the pools of all its parallel links."""
    by_ends: dict[tuple[str, str], list[str]] = {}
    for link in scenario.links:
        ends = (link.pool.node_a, link.pool.node_b)
        by_ends.setdefault(ends, []).append(link.pool.pool_id)
    return {pools[0]: tuple(pools) for pools in by_ends.values()}


def sum_parallel(scenario: Scenario, amounts: Mapping[str, float]) -> dict[str, float]:
    """Add up amounts of parallel links under the name of their hop; an absent one counts 0."""
    return {
        hop: sum(amounts.get(pool_id, 0) for pool_id in pools)
        for hop, pools in parallel_pools(scenario).items()
    }


def hops_of(scenario: Scenario, routes: Routes) -> frozenset[str]:
    """Return every link that some route may use, parallel ones each by its own pool."""
    parallel = parallel_pools(scenario)
    hops = {hop for route in routes.routes for hop in route.links}
    return frozenset(pool_id for hop in hops for pool_id in parallel[hop])


def find_routes(
    scenario: Scenario,
    demand: Demand,
    *,
    supply: Mapping[str, float] | None = None,
    limit: int = ROUTES_MAX,
) -> Routes:
    """Return the cheapest routes of one demand, the cheapest first.

    Parameters
    ----------
    supply : pool_id -> bits in stock or expected until the key is wanted; a hop that has less
        than a day of the demand costs up to five times as much. None leaves it out.
    limit : routes at most

    Each is a flow of least cost through the network with every node split in two, so that no
    inner node serves two paths. Further ones come from making the nodes of earlier ones dear.
    A demand with spare paths takes as many of them as the network has.
    """
    graph = _Graph(scenario, demand, _hop_cost(scenario, demand, supply))
    disjoint = graph.most_disjoint_paths()
    if disjoint < demand.min_disjoint_paths:
        return Routes(demand_id=demand.demand_id, routes=(), refusal=graph.refusal(disjoint))
    count = min(disjoint, demand.min_disjoint_paths + demand.spare_paths)
    found: dict[tuple[tuple[str, ...], ...], Route] = {}
    penalties: dict[str, float] = {}
    misses = 0
    while len(found) < limit and misses < _MISSES_MAX:
        paths = graph.cheapest_paths(count, penalties)
        misses = misses + 1 if paths in found else 0
        found.setdefault(paths, graph.route(paths))
        inner = [node for path in paths for node in path[1:-1]]
        for node in inner:
            penalties[node] = penalties.get(node, 1.0) * _PENALTY
    routes = sorted(found.values(), key=lambda route: (route.cost, route.paths))
    return Routes(demand_id=demand.demand_id, routes=tuple(routes))


@lru_cache(maxsize=256)
def _routes_of(scenario: Scenario, demands: tuple[Demand, ...]) -> dict[str, Routes]:
    return {demand.demand_id: find_routes(scenario, demand) for demand in demands}


def routes_of(scenario: Scenario, demands: Sequence[Demand]) -> Mapping[str, Routes]:
    """Return the routes of several demands, whatever the stock; remembered, for they are dear."""
    return _routes_of(scenario, tuple(demands))


def _hop_cost(scenario: Scenario, demand: Demand, supply: Mapping[str, float] | None) -> HopCost:
    if supply is None:
        return lambda hop: 1.0
    there = sum_parallel(scenario, supply)
    return lambda hop: 1.0 + SCARCITY_WEIGHT * scarcity(there[hop], demand.bits_per_day)


def scarcity(supply: float, wanted: float) -> float:
    """Return how far a supply falls short of what is wanted: 0 not at all, 1 altogether."""
    return 1.0 - min(1.0, max(0.0, supply) / wanted)


class _Graph:
    """The network as one demand may use it, without other users and nodes to avoid."""

    def __init__(self, scenario: Scenario, demand: Demand, hop_cost: HopCost) -> None:
        self.demand = demand
        ends = {demand.node_a, demand.node_b}
        self.trust = {
            node.node_id: node.trust_weight
            for node in scenario.nodes
            if node.node_id in ends or (node.relays and node.node_id not in demand.avoid_nodes)
        }
        self.hops: dict[tuple[str, str], str] = {}
        for hop, pools in parallel_pools(scenario).items():
            one, other = _ends(pools[0])
            if one in self.trust and other in self.trust:
                self.hops[one, other] = self.hops[other, one] = hop
        self.hop_cost = {hop: hop_cost(hop) for hop in self.hops.values()}

    def route(self, paths: tuple[tuple[str, ...], ...]) -> Route:
        """Return the route along these paths, with its cost."""
        hops = tuple(tuple(self.hops[pair] for pair in pairwise(path)) for path in paths)
        cost = sum(self.trust[node] for path in paths for node in path[1:-1])
        cost += sum(self.hop_cost[hop] for path in hops for hop in path)
        threshold = min(self.demand.min_disjoint_paths, len(paths))
        return Route(
            demand_id=self.demand.demand_id,
            paths=paths,
            hops=hops,
            threshold=threshold,
            cost=cost,
        )

    def _split(self, penalties: Mapping[str, float]) -> nx.DiGraph[tuple[str, int]]:
        """Return the flow network: each node an arc from (node, 0) to (node, 1)."""
        import networkx as nx  # 120 ms, and many commands look for no path

        graph: nx.DiGraph[tuple[str, int]] = nx.DiGraph()
        for node, trust in self.trust.items():
            weight = round(_COST_SCALE * trust * penalties.get(node, 1.0))
            graph.add_edge((node, 0), (node, 1), capacity=1, weight=weight)
        ends = {self.demand.node_a, self.demand.node_b}
        for (one, other), hop in self.hops.items():
            weight = round(_COST_SCALE * self.hop_cost[hop])
            # Only the direct link bounds the flow itself; all others are bounded by their nodes.
            capacity = 1 if {one, other} == ends else len(self.trust)
            graph.add_edge((one, 1), (other, 0), capacity=capacity, weight=weight)
        return graph

    @property
    def _source(self) -> tuple[str, int]:
        return (self.demand.node_a, 1)

    @property
    def _sink(self) -> tuple[str, int]:
        return (self.demand.node_b, 0)

    def most_disjoint_paths(self) -> int:
        """Return how many node-disjoint paths there are (Menger: the flow's value)."""
        import networkx as nx

        return int(nx.maximum_flow_value(self._split({}), self._source, self._sink))

    def cheapest_paths(
        self, count: int, penalties: Mapping[str, float]
    ) -> tuple[tuple[str, ...], ...]:
        """Return so many node-disjoint paths of least total cost, in the order of their names."""
        import networkx as nx

        graph = self._split(penalties)
        if count == 1:  # A flow of one is a shortest path, found 20 times as fast.
            one = nx.shortest_path(graph, self._source, self._sink, weight="weight")
            return (tuple(node for node, side in one if side == 0 or node == one[0][0]),)
        graph.nodes[self._source]["demand"] = -count
        graph.nodes[self._sink]["demand"] = count
        flow = nx.min_cost_flow(graph)
        following: dict[str, list[str]] = {}
        for (one, side), out in flow.items():
            if side == 1:
                following[one] = sorted(node for (node, _), amount in out.items() if amount)
        paths = []
        for first in following[self.demand.node_a]:
            path = [self.demand.node_a, first]
            while path[-1] != self.demand.node_b:
                path.append(following[path[-1]][0])
            paths.append(tuple(path))
        return tuple(paths)

    def refusal(self, disjoint: int) -> str:
        """Say why there are not enough disjoint paths, naming the nodes in the way."""
        import networkx as nx

        demand = self.demand
        between = f"from {demand.node_a} to {demand.node_b}"
        avoided = (
            f" that avoids {', '.join(sorted(demand.avoid_nodes))}" if demand.avoid_nodes else ""
        )
        if disjoint == 0:
            return f"no path {between}{avoided}"
        wanted = f"{demand.min_disjoint_paths} node-disjoint paths {between} are wanted"
        direct = ["the direct link"] if (demand.node_a, demand.node_b) in self.hops else []
        if disjoint == 1:
            shared = self._shared_nodes() or direct
            return f"{wanted}, but every path{avoided} shares {', '.join(shared)}"
        _, (near, far) = nx.minimum_cut(self._split({}), self._source, self._sink)
        cut = sorted(node for node in self.trust if (node, 0) in near and (node, 1) in far)
        return (
            f"{wanted}, but there are {disjoint}:"
            f" every path{avoided} goes through one of {', '.join(cut + direct)}"
        )

    def _shared_nodes(self) -> list[str]:
        """Return the inner nodes that every path passes, in the order of passing."""
        import networkx as nx

        graph = self._split({})
        graph.remove_edge((self.demand.node_a, 0), self._source)
        parents = nx.immediate_dominators(graph, self._source)
        shared: list[str] = []
        at = self._sink
        while at != self._source:
            at = parents[at]
            if at[1] == 1 and at != self._source:
                shared.append(at[0])
        return shared[::-1]


def _ends(pool_id: str) -> tuple[str, str]:
    pool = Pool.parse(pool_id)
    return pool.node_a, pool.node_b
