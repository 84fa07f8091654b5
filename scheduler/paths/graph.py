"""The network as one demand may use it: cheapest disjoint paths, or who is in the way."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from heapq import heappop, heappush
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from scheduler.domain import Demand
from scheduler.network import Scenario
from scheduler.paths.links import ends_of, parallel_pools

if TYPE_CHECKING:
    import networkx as nx

Paths = tuple[tuple[str, ...], ...]


class DemandGraph:
    """The ends of a demand, the relays on paths between them that it may use, and the hops.

    Every node is split in two, so that no inner node serves two paths: vertex 2 n is where node n
    is entered, 2 n + 1 where it is left.
    """

    def __init__(self, scenario: Scenario, demand: Demand) -> None:
        self.demand = demand  #: only its ends, its relays and its numbers of paths count
        self.priced: tuple[Mapping[str, float], Collection[str], Paths | None] | None = None
        ends = {demand.node_a, demand.node_b}
        trust = {
            node.node_id: node.trust_weight
            for node in scenario.nodes
            if node.node_id in ends or (node.relays and demand.may_pass(node.node_id, node.domain))
        }
        named = {ends_of(hop): hop for hop in parallel_pools(scenario)}
        allowed = [pair for pair in named if pair[0] in trust and pair[1] in trust]
        self.hops: dict[tuple[str, str], str] = {}
        for one, other in _between(demand, allowed):
            self.hops[one, other] = self.hops[other, one] = named[one, other]
        met = ends.union(*self.hops)
        self.trust = {name: weight for name, weight in trust.items() if name in met}
        self._names = sorted(self.trust)
        place = {name: number for number, name in enumerate(self._names)}
        self._source = 2 * place[demand.node_a] + 1
        self._sink = 2 * place[demand.node_b]
        # An arc and, at the next number, the way back that a later path may take to undo it.
        self._heads: list[int] = []
        self._arcs: list[list[int]] = [[] for _ in range(2 * len(place))]
        for name in self._names:
            self._arc(2 * place[name], 2 * place[name] + 1)
        self._pairs = sorted(self.hops)
        for one, other in self._pairs:
            self._arc(2 * place[one] + 1, 2 * place[other])

    def _arc(self, tail: int, head: int) -> None:
        self._arcs[tail].append(len(self._heads))
        self._arcs[head].append(len(self._heads) + 1)
        self._heads += [head, tail]

    @cached_property
    def most_disjoint_paths(self) -> int:
        """How many node-disjoint paths there are (Menger: the flow's value)."""
        count = 0
        while self.cheapest_paths(count + 1) is not None:
            count += 1
        return count

    def cheapest_paths(
        self,
        count: int = 1,
        *,
        hop_cost: Mapping[str, float] | None = None,
        node_cost: Mapping[str, float] | None = None,
        without: Collection[str] = (),
    ) -> Paths | None:
        """Return so many node-disjoint paths of least total cost, in the order of their names.

        Parameters
        ----------
        count : paths wanted; None is returned where there are fewer
        hop_cost, node_cost : 0 and up, of each hop and inner node; 0 where not named
        without : hops that may not be used

        Source: successive shortest paths with potentials, so that no cost is below zero: Suurballe,
        "Disjoint paths in a network", Networks 4 (1974); Edmonds and Karp, J. ACM 19 (1972).
        """
        costs = self._costs(hop_cost or {}, node_cost or {}, without)
        potential = [0.0] * len(self._arcs)
        taken: set[int] = set()
        for _ in range(count):
            arcs = self._shortest(costs, potential, taken)
            if arcs is None:
                return None
            for arc in arcs:
                if arc % 2:
                    taken.discard(arc - 1)
                else:
                    taken.add(arc)
        return self._paths(taken)

    def _costs(
        self,
        hop_cost: Mapping[str, float],
        node_cost: Mapping[str, float],
        without: Collection[str],
    ) -> list[float]:
        costs = [node_cost.get(name, 0.0) for name in self._names]
        for pair in self._pairs:
            hop = self.hops[pair]
            costs.append(math.inf if hop in without else hop_cost.get(hop, 0.0))
        return costs

    def _shortest(
        self, costs: list[float], potential: list[float], taken: set[int]
    ) -> list[int] | None:
        """The arcs of the shortest way from source to sink past what is taken; None if none.

        Adds the distances to the potentials. Source: Dijkstra, Numer. Math. 1, 269 (1959).
        """
        distance = {self._source: 0.0}
        came: dict[int, int] = {}
        done: set[int] = set()
        heap = [(0.0, self._source)]
        while heap:
            far, at = heappop(heap)
            if at in done:
                continue
            done.add(at)
            if at == self._sink:
                break
            for arc in self._arcs[at]:
                head = self._heads[arc]
                back = arc % 2
                if head in done or (arc - 1 not in taken if back else arc in taken):
                    continue
                cost = costs[arc // 2]
                length = potential[at] - potential[head] + (-cost if back else cost)
                new = far + max(0.0, length)  # below zero by rounding alone
                if new < distance.get(head, math.inf):
                    distance[head], came[head] = new, arc
                    heappush(heap, (new, head))
        if self._sink not in done:
            return None
        for vertex in range(len(potential)):
            potential[vertex] += min(distance.get(vertex, math.inf), distance[self._sink])
        arcs = []
        at = self._sink
        while at != self._source:
            arcs.append(came[at])
            at = self._heads[came[at] ^ 1]
        return arcs

    def _paths(self, taken: set[int]) -> Paths:
        following: dict[str, list[str]] = {}
        for number, (one, other) in enumerate(self._pairs, start=len(self._names)):
            if 2 * number in taken:
                following.setdefault(one, []).append(other)
        paths = []
        for first in following[self.demand.node_a]:
            path = [self.demand.node_a, first]
            while path[-1] != self.demand.node_b:
                path.append(following[path[-1]][0])
            paths.append(tuple(path))
        return tuple(paths)

    def all_sets(
        self, count: int, *, without: Collection[str] = (), limit: int
    ) -> list[Paths] | None:
        """Every set of so many node-disjoint paths; None if there are more than `limit`."""
        import networkx as nx

        pairs = [pair for pair, hop in self.hops.items() if hop not in without]
        graph: nx.Graph[str] = nx.Graph(pairs)
        graph.add_nodes_from((self.demand.node_a, self.demand.node_b))
        every = nx.all_simple_paths(graph, self.demand.node_a, self.demand.node_b)
        paths = sorted(tuple(path) for path in islice(every, limit + 1))
        if len(paths) > limit:
            return None
        sets: list[Paths] = [()]
        for _ in range(count):
            # Each next path comes later in the order, so that no set is found twice.
            more = (
                (*one, path)
                for one in sets
                for path in paths
                if not one or (path > one[-1] and _disjoint(one, path))
            )
            sets = list(islice(more, limit + 1))
            if len(sets) > limit:
                return None
        return sets

    def hops_along(self, paths: Paths) -> tuple[tuple[str, ...], ...]:
        """The hops of each of these paths."""
        return tuple(tuple(self.hops[pair] for pair in pairwise(path)) for path in paths)

    @cached_property
    def useful_hops(self) -> frozenset[str]:
        """The hops that lie on some path between the ends, whatever they cost."""
        return frozenset(self.hops.values())

    def refusal(self) -> str:
        """Say why there are not enough disjoint paths, naming the nodes in the way."""
        import networkx as nx

        demand, disjoint = self.demand, self.most_disjoint_paths
        between = f"from {demand.node_a} to {demand.node_b}"
        avoided = _wishes(demand)
        if disjoint == 0:
            return f"no path {between}{avoided}"
        wanted = f"{demand.min_disjoint_paths} node-disjoint paths {between} are wanted"
        direct = ["the direct link"] if (demand.node_a, demand.node_b) in self.hops else []
        if disjoint == 1:
            shared = self._shared_nodes() or direct
            return f"{wanted}, but every path{avoided} shares {', '.join(shared)}"
        source, sink = (demand.node_a, 1), (demand.node_b, 0)
        _, (near, far) = nx.minimum_cut(self._split(), source, sink)
        cut = sorted(node for node in self.trust if (node, 0) in near and (node, 1) in far)
        return (
            f"{wanted}, but there are {disjoint}:"
            f" every path{avoided} goes through one of {', '.join(cut + direct)}"
        )

    def _split(self) -> nx.DiGraph[tuple[str, int]]:
        """The same network for networkx, for questions that are asked once."""
        import networkx as nx  # 120 ms, and many commands look for no path

        graph: nx.DiGraph[tuple[str, int]] = nx.DiGraph()
        for node in self.trust:
            graph.add_edge((node, 0), (node, 1), capacity=1)
        ends = {self.demand.node_a, self.demand.node_b}
        for one, other in self.hops:
            # Only the direct link bounds the flow itself; all others are bounded by their nodes.
            capacity = 1 if {one, other} == ends else len(self.trust)
            graph.add_edge((one, 1), (other, 0), capacity=capacity)
        return graph

    def _shared_nodes(self) -> list[str]:
        """Return the inner nodes that every path passes, in the order of passing."""
        import networkx as nx

        source, sink = (self.demand.node_a, 1), (self.demand.node_b, 0)
        graph = self._split()
        graph.remove_edge((self.demand.node_a, 0), source)
        parents = nx.immediate_dominators(graph, source)
        shared: list[str] = []
        at = sink
        while at != source:
            at = parents[at]
            if at[1] == 1 and at != source:
                shared.append(at[0])
        return shared[::-1]


def _between(demand: Demand, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The hops that lie on some path between the ends of a demand, in the order given.

    Those are the hops of the block that a further edge between the ends would lie in. In a
    network of cities most hops lie in others, and the search for a path need not see them.
    """
    import networkx as nx  # 120 ms, and many commands look for no path

    ends = (demand.node_a, demand.node_b)
    graph: nx.Graph[str] = nx.Graph(pairs)
    graph.add_edge(*ends)
    for block in nx.biconnected_component_edges(graph):
        if ends in block or ends[::-1] in block:
            found = {*block, *(pair[::-1] for pair in block)}
            return [pair for pair in pairs if pair in found]
    raise AssertionError("an edge lies in some block")


def _wishes(demand: Demand) -> str:
    """What a path has to do beside leading there, in words; empty if nothing."""
    domains = [f"domain {name}" for name in sorted(demand.avoid_domains)]
    avoided = ", ".join([*sorted(demand.avoid_nodes), *domains])
    required = " or ".join(sorted(demand.require_domains))
    wishes = [f"avoids {avoided}"] if avoided else []
    wishes += [f"stays in domain {required}"] if required else []
    return f" that {' and '.join(wishes)}" if wishes else ""


def _disjoint(paths: Paths, path: tuple[str, ...]) -> bool:
    """True if a path shares no inner node with others, nor their direct link."""
    inner = set(path[1:-1])
    return all(inner.isdisjoint(one[1:-1]) for one in paths) and (bool(inner) or path not in paths)
