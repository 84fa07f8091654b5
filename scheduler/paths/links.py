"""Parallel links as one hop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TypeVar

from scheduler.domain import Pool
from scheduler.network import Scenario

T = TypeVar("T")
NETWORKS_MAX = 64


def of_network(make: Callable[[Scenario], T]) -> Callable[[Scenario], T]:
    """Remember what is made of a scenario's nodes and links alone, by their identity.

    Demands change from one merge to the next, and to hash a network of 135 links and 300 demands
    takes longer than to share out its key.
    """
    known: dict[tuple[int, int], tuple[object, T]] = {}

    @wraps(make)
    def remembered(scenario: Scenario) -> T:
        key = id(scenario.nodes), id(scenario.links)
        if key not in known:
            while len(known) >= NETWORKS_MAX:
                known.pop(next(iter(known)), None)
            # What is held keeps its identity.
            known[key] = (scenario.nodes, scenario.links), make(scenario)
        return known[key][1]

    return remembered


@of_network
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


def ends_of(pool_id: str) -> tuple[str, str]:
    """The two nodes of a link."""
    pool = Pool.parse(pool_id)
    return pool.node_a, pool.node_b
