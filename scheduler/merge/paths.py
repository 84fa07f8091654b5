"""The graph of a network, and the paths through it that a demand may use."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import networkx as nx

from scheduler.facts import Demand
from scheduler.network import Scenario


def relay_graph(scenario: Scenario, demand: Demand) -> nx.Graph[str]:
    """Return the nodes that may carry key of one demand, an edge for each pair with a link.

    Users other than the two ends and nodes to avoid are left out. An edge holds `pools`, the
    pool of every parallel link, and `weight`, half the trust weights of its two ends.
    """
    ends = {demand.node_a, demand.node_b}
    weights = {
        node.node_id: node.trust_weight
        for node in scenario.nodes
        if node.node_id in ends or (node.relays and node.node_id not in demand.avoid_nodes)
    }
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(weights)
    for link in scenario.links:
        one, other = link.pool.node_a, link.pool.node_b
        if one not in weights or other not in weights:
            continue
        if graph.has_edge(one, other):
            graph.edges[one, other]["pools"].append(link.pool.pool_id)
        else:
            weight = (weights[one] + weights[other]) / 2.0
            graph.add_edge(one, other, weight=weight, pools=[link.pool.pool_id])
    return graph


def best_path(scenario: Scenario, demand: Demand) -> tuple[str, ...] | None:
    """Return the path of least trust weight between the ends of a demand, if there is one."""
    graph = relay_graph(scenario, demand)
    try:
        return tuple(nx.shortest_path(graph, demand.node_a, demand.node_b, weight="weight"))
    except nx.NetworkXNoPath:
        return None


def fullest_links(
    graph: nx.Graph[str], path: tuple[str, ...], spendable: Mapping[str, int]
) -> tuple[str, ...]:
    """Return for each hop of a path the parallel link with the most key, the first of equals."""
    return tuple(
        max(graph.edges[one, other]["pools"], key=lambda pool_id: spendable.get(pool_id, 0))
        for one, other in pairwise(path)
    )
