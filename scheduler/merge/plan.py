"""Deciding which key to merge: what every demand gets from the key in stock, with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orbits import as_utc
from scheduler.facts import KEY_GRAIN_BITS, CombinedStep, Demand, MergeStep
from scheduler.merge.allocate import Allocation, Ask, allocate, jain_index
from scheduler.merge.integrity import TAG_KEY_BITS
from scheduler.merge.paths import Route, Routes, parallel_pools, routes_of, scarcity
from scheduler.network import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """Which merges to make now, and why each demand gets what it gets."""

    at: datetime
    steps: tuple[MergeStep, ...]  #: relays along one path
    reasons: Mapping[str, str]  #: demand_id -> one sentence
    combined: tuple[CombinedStep, ...] = ()  #: relays along several paths, then combined
    tagged_links: tuple[str, ...] = ()  #: pools that spend a tag key on the announcements
    levels: Mapping[str, float] = field(default_factory=dict)  #: demand_id -> part of its day

    @property
    def bits(self) -> int:
        """End-to-end bits gained by the whole plan."""
        return sum(s.bits for s in self.steps) + sum(s.bits for s in self.combined)

    @property
    def fairness(self) -> float:
        """Jain's index of served/demanded bits, this plan and the 24 hours before it."""
        return jain_index(self.levels.values())


def plan_merges(
    *,
    scenario: Scenario,
    demands: Sequence[Demand],
    stock: Mapping[str, int],
    served: Mapping[str, int],
    now: datetime,
    routes: Mapping[str, Routes] | None = None,
    tagged: bool = False,
) -> MergePlan:
    """Decide which merges to make from the key in stock.

    Parameters
    ----------
    demands : the demands to serve, usually those of the scenario
    stock : pool_id -> spendable bits, of links and of pairs; a pool left out is empty
    served : demand_id -> bits merged for it in the 24 hours before `now`
    now : aware datetime
    routes : demand_id -> what `find_routes` found; by default found here, whatever the stock
    tagged : keep back a tag key on each link, and name the links that announcements travel

    A demand for combined key is served over node-disjoint paths or not at all. Grants are
    whole grains of 256 bits, never beyond the stock less each link's reserve, the daily bits
    or the high-water mark; `allocate` says who gets how much.
    """
    ordered = sorted(demands, key=lambda demand: (-demand.priority, demand.demand_id))
    found = routes_of(scenario, ordered) if routes is None else routes
    pools = _spendable(scenario, stock, TAG_KEY_BITS if tagged else 0)
    twins = parallel_pools(scenario)
    capacity = {hop: sum(pools[pool_id] for pool_id in pair) for hop, pair in twins.items()}
    asks = [_ask(d, found[d.demand_id], capacity, stock, served) for d in ordered]
    given = allocate(asks, capacity)
    steps: list[MergeStep] = []
    combined: list[CombinedStep] = []
    for demand, grants in zip(ordered, given.grains, strict=True):
        for route, grains in zip(found[demand.demand_id].routes, grants, strict=True):
            for legs in _legs(twins, route, grains, pools):
                if len(legs) == 1:
                    steps.append(legs[0])
                else:
                    combined.append(
                        CombinedStep(
                            demand_id=demand.demand_id, legs=legs, threshold=route.threshold
                        )
                    )
    legs = (*steps, *(leg for step in combined for leg in step.legs))
    return MergePlan(
        at=as_utc(now),
        steps=tuple(steps),
        combined=tuple(combined),
        reasons={
            demand.demand_id: _reason(
                demand, found[demand.demand_id], asks[i], given, i, stock, served
            )
            for i, demand in enumerate(ordered)
        },
        # Announcements travel towards the far end: every hop after the first carries some.
        tagged_links=tuple(sorted({pool for leg in legs for pool in leg.links[1:]}))
        if tagged
        else (),
        levels={
            demand.demand_id: (
                served.get(demand.demand_id, 0) + sum(given.grains[i]) * KEY_GRAIN_BITS
            )
            / demand.bits_per_day
            for i, demand in enumerate(ordered)
        },
    )


def _spendable(scenario: Scenario, stock: Mapping[str, int], kept_bits: int) -> dict[str, int]:
    """Return the grains of each pool that merges may take."""
    return {
        link.pool.pool_id: max(0, stock.get(link.pool.pool_id, 0) - link.reserve_bits - kept_bits)
        // KEY_GRAIN_BITS
        for link in scenario.links
    }


def _room(demand: Demand, stock: Mapping[str, int], served: Mapping[str, int]) -> tuple[int, int]:
    """Return what a demand may still get: under its high-water mark, and of its day."""
    in_pool = stock.get(demand.pool.pool_id, 0)
    return (
        max(0, demand.high_water_bits - in_pool),
        max(0, demand.bits_per_day - served.get(demand.demand_id, 0)),
    )


def _ask(
    demand: Demand,
    routes: Routes,
    capacity: Mapping[str, int],
    stock: Mapping[str, int],
    served: Mapping[str, int],
) -> Ask:
    """Put one demand in grains. Hops short of a day's demand make a route cost more."""
    in_pool = stock.get(demand.pool.pool_id, 0)
    day = demand.bits_per_day / KEY_GRAIN_BITS
    lacking = max(0, demand.low_water_bits - in_pool)
    return Ask(
        demand_id=demand.demand_id,
        routes=tuple(route.links for route in routes.routes),
        costs=tuple(
            route.cost + sum(4.0 * scarcity(capacity[hop], day) for hop in route.links)
            for route in routes.routes
        ),
        wanted=min(_room(demand, stock, served)) // KEY_GRAIN_BITS,
        share=demand.weight * day,
        had=served.get(demand.demand_id, 0) // KEY_GRAIN_BITS,
        low=-(-lacking // KEY_GRAIN_BITS),
        low_share=max(1.0, demand.weight * demand.low_water_bits / KEY_GRAIN_BITS),
        low_had=in_pool // KEY_GRAIN_BITS,
        priority=demand.priority,
    )


def _legs(
    twins: Mapping[str, tuple[str, ...]], route: Route, grains: int, pools: dict[str, int]
) -> Iterator[tuple[MergeStep, ...]]:
    """Cut a grant into steps that take one pool a hop, and take them from `pools`.

    The fullest of parallel links goes first, so most grants are one step.
    """
    while grains > 0:
        chosen = [
            tuple(max(twins[hop], key=pools.__getitem__) for hop in hops) for hops in route.hops
        ]
        piece = min(grains, *(pools[pool_id] for links in chosen for pool_id in links))
        assert piece > 0, "the allocation gave more than the pools hold"
        for pool_id in (pool_id for links in chosen for pool_id in links):
            pools[pool_id] -= piece
        grains -= piece
        yield tuple(
            MergeStep(
                demand_id=route.demand_id, path=path, links=links, bits=piece * KEY_GRAIN_BITS
            )
            for path, links in zip(route.paths, chosen, strict=True)
        )


def _reason(
    demand: Demand,
    routes: Routes,
    ask: Ask,
    given: Allocation,
    index: int,
    stock: Mapping[str, int],
    served: Mapping[str, int],
) -> str:
    """Say in a sentence what a demand gets, and why not more."""
    high_room, day_room = _room(demand, stock, served)
    granted = given.grains[index]
    bits = sum(granted) * KEY_GRAIN_BITS
    if routes.refusal:
        return f"refused: {routes.refusal}"
    if high_room < KEY_GRAIN_BITS:
        return f"not served: at its high-water mark of {demand.high_water_bits} bits"
    if day_room < KEY_GRAIN_BITS:
        return f"not served: has had its {demand.bits_per_day} bits of 24 hours"
    if sum(granted) >= ask.wanted:
        limit = "all that its day leaves"
        if high_room < day_room:
            limit = f"up to its high-water mark of {demand.high_water_bits} bits"
        return f"{bits} bits {_ways(routes, granted)}: {limit}"
    empty = sorted({next(h for h in hops if given.left[h] == 0) for hops in ask.routes})
    short = f"no key to spare on {', '.join(empty)}"
    if bits == 0:
        return f"not served: {short}"
    return f"{bits} of {ask.wanted * KEY_GRAIN_BITS} bits {_ways(routes, granted)}: {short}"


def _ways(routes: Routes, granted: Sequence[int]) -> str:
    used = [route for route, grains in zip(routes.routes, granted, strict=True) if grains]
    if len(used) > 1:
        return f"over {len(used)} routes"
    (route,) = used
    hops = " and ".join(str(len(hops)) for hops in route.hops)
    if len(route.paths) == 1:
        return f"over {hops} hops"
    return f"combined of {len(route.paths)} disjoint paths of {hops} hops"
