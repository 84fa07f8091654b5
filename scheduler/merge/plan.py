"""Deciding which key to merge: what every demand gets from the key in stock, with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orbits import as_utc
from scheduler.facts import KEY_GRAIN_BITS, Demand, MergeStep
from scheduler.merge.paths import best_path, fullest_links, relay_graph
from scheduler.network import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """Which merges to make now, and why each demand gets what it gets."""

    at: datetime
    steps: tuple[MergeStep, ...]
    reasons: Mapping[str, str]  #: demand_id -> one sentence

    @property
    def bits(self) -> int:
        """End-to-end bits gained by the whole plan."""
        return sum(step.bits for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Want:
    demand: Demand
    path: tuple[str, ...]
    links: tuple[str, ...]
    grains: int


def plan_merges(
    *,
    scenario: Scenario,
    demands: Sequence[Demand],
    stock: Mapping[str, int],
    served: Mapping[str, int],
    now: datetime,
) -> MergePlan:
    """Decide which merges to make from the key in stock.

    Parameters
    ----------
    demands : the demands to serve, usually those of the scenario
    stock : pool_id -> spendable bits, of links and of pairs; a pool left out is empty
    served : demand_id -> bits merged for it in the 24 hours before `now`
    now : aware datetime

    Each demand gets one path; hops that several share are split by weighted max-min, in
    grains of 256 bits, never beyond the stock, the daily bits or the high-water mark.
    """
    reasons: dict[str, str] = {}
    spendable = {
        link.pool.pool_id: max(0, stock.get(link.pool.pool_id, 0) - link.reserve_bits)
        for link in scenario.links
    }
    wants: list[_Want] = []
    for demand in sorted(demands, key=lambda d: (-d.priority, d.demand_id)):
        want = _want(scenario, demand, spendable, stock, served, reasons)
        if want is not None:
            wants.append(want)
    grains, left = _max_min(wants, spendable)
    steps = []
    for want, given in zip(wants, grains, strict=True):
        demand_id = want.demand.demand_id
        scarce = min(want.links, key=lambda pool_id: left[pool_id])
        if given == 0:
            reasons[demand_id] = (
                f"not served: {scarce} holds {spendable[scarce]} bits to share,"
                f" and a merge needs {KEY_GRAIN_BITS}"
            )
            continue
        bits = given * KEY_GRAIN_BITS
        full = given == want.grains
        why = "all it asks for" if full else f"limited by {scarce}, {spendable[scarce]} bits"
        reasons[demand_id] = f"{bits} bits over {len(want.links)} hops: {why}"
        steps.append(MergeStep(demand_id=demand_id, path=want.path, links=want.links, bits=bits))
    return MergePlan(at=as_utc(now), steps=tuple(steps), reasons=reasons)


def _want(
    scenario: Scenario,
    demand: Demand,
    spendable: Mapping[str, int],
    stock: Mapping[str, int],
    served: Mapping[str, int],
    reasons: dict[str, str],
) -> _Want | None:
    """Find what one demand may ask for, or write down why it asks for nothing."""
    name = demand.demand_id
    room = demand.high_water_bits - stock.get(demand.pool.pool_id, 0)
    left = demand.bits_per_day - served.get(name, 0)
    path = best_path(scenario, demand)
    if path is None:
        reasons[name] = f"not served: no path from {demand.node_a} to {demand.node_b}"
    elif demand.min_disjoint_paths > 1:
        reasons[name] = f"not served: {demand.min_disjoint_paths} disjoint paths are wanted, 1 used"
    elif room < KEY_GRAIN_BITS:
        reasons[name] = f"not served: at its high-water mark of {demand.high_water_bits} bits"
    elif left < KEY_GRAIN_BITS:
        reasons[name] = f"not served: has had its {demand.bits_per_day} bits of 24 hours"
    else:
        links = fullest_links(relay_graph(scenario, demand), path, spendable)
        grains = min(room, left) // KEY_GRAIN_BITS
        return _Want(demand=demand, path=path, links=links, grains=grains)
    return None


def _max_min(
    wants: Sequence[_Want], spendable: Mapping[str, int]
) -> tuple[list[int], dict[str, int]]:
    """Split the key fairly: raise all by their weight, freeze who is full or stuck, go on.

    Returns the grains given to each, and those left in each pool.
    """
    left = {pool_id: bits // KEY_GRAIN_BITS for pool_id, bits in spendable.items()}
    given = [0] * len(wants)
    active = set(range(len(wants)))
    while active:
        users: dict[str, list[int]] = {}
        for index in active:
            for pool_id in wants[index].links:
                users.setdefault(pool_id, []).append(index)
        weight = {
            pool_id: sum(wants[i].demand.weight for i in names) for pool_id, names in users.items()
        }
        level = min(left[pool_id] / weight[pool_id] for pool_id in users)
        level = min(
            level,
            *((wants[i].grains - given[i]) / wants[i].demand.weight for i in active),
        )
        rises = {index: int(level * wants[index].demand.weight) for index in active}
        if not any(rises.values()):  # Less than a grain each: one each, in order, while it lasts.
            rises = dict.fromkeys(active, 1)
        for index in sorted(active):
            rise = min(
                rises[index],
                wants[index].grains - given[index],
                *(left[pool_id] for pool_id in wants[index].links),
            )
            given[index] += rise
            for pool_id in wants[index].links:
                left[pool_id] -= rise
        active = {
            index
            for index in active
            if given[index] < wants[index].grains
            and all(left[pool_id] > 0 for pool_id in wants[index].links)
        }
    return given, left
