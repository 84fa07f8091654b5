"""Parallel links as one hop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from scheduler.domain import Pool
from scheduler.network import Scenario


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


def ends_of(pool_id: str) -> tuple[str, str]:
    """The two nodes of a link."""
    pool = Pool.parse(pool_id)
    return pool.node_a, pool.node_b
