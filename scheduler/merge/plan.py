"""Deciding which key to merge: what every demand gets from the key in stock, with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf

from orbits import as_utc
from scheduler.domain import KEY_GRAIN_BITS, CombinedStep, Demand, MergeStep
from scheduler.merge.allocate import Allocation, Ask, allocate
from scheduler.merge.further_routes import FurtherRoutes, Penalties
from scheduler.merge.integrity import PROOF_BITS, TAG_KEY_BITS
from scheduler.merge.key_age import KeyAgeLimits, YoungStock
from scheduler.merge.parallel_links import ParallelLinks, YoungParallelLinks
from scheduler.network import Scenario
from scheduler.paths import Route, Routes, graphs_of, jain_index, parallel_pools, routes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """Which merges to make now, and why each demand gets what it gets."""

    at: datetime
    steps: tuple[MergeStep, ...]  #: relays along one path
    reasons: Mapping[str, str]  #: demand_id -> one sentence
    combined: tuple[CombinedStep, ...] = ()  #: relays along several paths, then combined
    #: (pool_id, node that sends): each spends a tag key on the announcements it sends there
    tags: tuple[tuple[str, str], ...] = ()
    needs: Mapping[str, int] = field(default_factory=dict)
    """pool_id -> bits spent of any age, tags included."""
    young_needs: Mapping[float, Mapping[str, int]] = field(default_factory=dict)
    """Limit of age, the shortest first -> pool_id -> bits spent of key younger than that."""
    levels: Mapping[str, float] = field(default_factory=dict)  #: demand_id -> part of its day
    max_age_s: Mapping[str, float] = field(default_factory=dict)
    """demand_id -> limit of age of the key that its steps spend; those without are left out."""

    @property
    def every_step(self) -> tuple[MergeStep | CombinedStep, ...]:
        """The relays, then the combinations, in the order in which they are executed.

        With limits of age the shortest goes first: it finds key of its age before others take it.
        """
        every: tuple[MergeStep | CombinedStep, ...] = (*self.steps, *self.combined)
        if not self.max_age_s:
            return every
        return tuple(sorted(every, key=lambda step: self.limit_of(step.demand_id)))

    def limit_of(self, demand_id: str) -> float:
        """The most age in seconds of key for a demand; endless without a limit."""
        return self.max_age_s.get(demand_id, inf)

    @property
    def bits(self) -> int:
        """End-to-end bits merged by the whole plan."""
        return sum(step.bits for step in self.every_step)

    @property
    def fairness(self) -> float:
        """Jain's index of served/demanded bits, this plan and the 24 hours before it."""
        return jain_index(self.levels.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One demand as it stands at the time of planning."""

    demand: Demand
    routes: Routes
    in_pool: int  #: bits
    served: int  #: bits, in the last 24 hours
    ways: tuple[tuple[str, ...], ...]  #: of each route its hops, and what its age asks of them
    under_mark: int  #: bits that fit under the high-water mark
    left_of_day: int  #: bits of the day that are not served yet

    def ask(self, more: FurtherRoutes) -> Ask:
        """Put it in grains. Hops short of a day's demand make a route cost more."""
        demand = self.demand
        day = demand.bits_per_day / KEY_GRAIN_BITS
        lacking = max(0, demand.low_water_bits - self.in_pool)
        return Ask(
            demand_id=demand.demand_id,
            routes=self.ways,
            costs=tuple(more.cost(route) for route in self.routes.routes),
            wanted=min(self.under_mark, self.left_of_day) // KEY_GRAIN_BITS,
            share=demand.weight * day,
            had=self.served // KEY_GRAIN_BITS,
            low=-(-lacking // KEY_GRAIN_BITS),
            low_share=max(1.0, demand.weight * demand.low_water_bits / KEY_GRAIN_BITS),
            low_had=self.in_pool // KEY_GRAIN_BITS,
            priority=demand.priority,
            price=more.price if self.routes.routes else None,
        )

    def with_routes(self, found: Iterable[Route], ways: tuple[tuple[str, ...], ...]) -> _Case:
        """The same with the routes that were found since."""
        routes = replace(self.routes, routes=(*self.routes.routes, *found))
        return replace(self, routes=routes, ways=ways)


def plan_merges(
    *,
    scenario: Scenario,
    demands: Sequence[Demand],
    stock: Mapping[str, int],
    served: Mapping[str, int],
    now: datetime,
    routes: Mapping[str, Routes] | None = None,
    young: YoungStock | None = None,
    tagged: bool = False,
    proved: bool = False,
) -> MergePlan:
    """Decide which merges to make from the key in stock.

    Parameters
    ----------
    demands : the demands to serve, usually those of the scenario
    stock : pool_id -> spendable bits, of links and of pairs; a pool left out is empty
    served : demand_id -> bits merged for it in the 24 hours before `now`
    now : aware datetime
    routes : demand_id -> what `find_routes` found; by default found here, whatever the stock
    young : for each limit of age among the demands, pool_id -> spendable bits younger than that
    tagged : keep back a tag key for each direction of a link, and say who tags where
    proved : make no step too small to leave key after `prove_equality`

    A demand for combined key is served over node-disjoint paths or not at all. Grants are
    whole grains of 256 bits, never beyond the stock less each link's reserve, the daily bits
    or the high-water mark; a demand with a limit of age gets no more than the links hold of key
    that young. `allocate` says who gets how much. Raises PlanError without `young` where some
    demand needs it.
    """
    ordered = sorted(demands, key=lambda demand: (-demand.priority, demand.demand_id))
    found = routes_of(scenario, ordered) if routes is None else routes
    key_age = KeyAgeLimits.of(ordered, young or {})
    cases = [_case(demand, found, stock, served, key_age) for demand in ordered]
    pools = _spendable(scenario, stock, 2 * TAG_KEY_BITS if tagged else 0)
    parallel = parallel_pools(scenario)
    capacity = {hop: sum(pools[pool_id] for pool_id in pair) for hop, pair in parallel.items()}
    links = ParallelLinks(parallel, pools)
    if key_age.limits:
        pools |= key_age.grains(pools, young or {})
        capacity |= key_age.capacity(parallel, pools)
    young_links = {
        limit: YoungParallelLinks(parallel, pools, key_age, limit) for limit in key_age.limits
    }
    least = 1 + PROOF_BITS // KEY_GRAIN_BITS if proved else 1
    cases, given = _share_out(scenario, cases, key_age, capacity, least)
    steps: list[MergeStep] = []
    combined: list[CombinedStep] = []
    reasons, levels = {}, {}
    merged: Counter[str] = Counter()
    for case, grants in _in_order(cases, given.grains, key_age):
        name, pair, bits = case.demand.demand_id, case.demand.pool.pool_id, 0
        for route, grains in zip(case.routes.routes, grants, strict=True):
            # Another demand of the same pair may have filled their pool meanwhile.
            room = max(0, case.under_mark - merged[pair]) // KEY_GRAIN_BITS
            taker = links if case.demand.max_age_s is None else young_links[case.demand.max_age_s]
            for legs in _legs(taker, route, min(grains, room), least):
                bits += legs[0].bits
                merged[pair] += legs[0].bits
                if len(legs) == 1:
                    steps.append(legs[0])
                else:
                    combined.append(
                        CombinedStep(demand_id=name, legs=legs, threshold=route.threshold)
                    )
        reasons[name] = _reason(case, grants, bits, given.left, least)
        levels[name] = (case.served + bits) / case.demand.bits_per_day
    tags = _tags(steps, combined) if tagged else ()
    young_needs = {limit: one.spent_bits() for limit, one in young_links.items()}
    return MergePlan(
        at=as_utc(now),
        steps=tuple(steps),
        combined=tuple(combined),
        reasons=reasons,
        tags=tags,
        needs=_needs(links.spent_bits(), young_needs, tags),
        young_needs=young_needs,
        levels=levels,
        max_age_s={one.demand_id: one.max_age_s for one in ordered if one.max_age_s is not None},
    )


def _share_out(
    scenario: Scenario,
    cases: Sequence[_Case],
    key_age: KeyAgeLimits,
    capacity: Mapping[str, int],
    least: int,
) -> tuple[list[_Case], Allocation]:
    """The cases with every route that is of use, and the grains of each of their routes."""
    penalties, graphs = Penalties(capacity), graphs_of(scenario)
    further = [
        FurtherRoutes(graphs.of(case.demand), case.demand, key_age, capacity, penalties)
        for case in cases
    ]
    asks = [case.ask(more) for case, more in zip(cases, further, strict=True)]
    given = allocate(asks, capacity, least=least)
    every = zip(cases, further, given.routes, strict=True)
    found = [case.with_routes(more.routes(w[len(case.ways) :]), w) for case, more, w in every]
    return found, given


def _needs(
    spent: Mapping[str, int],
    young_needs: Mapping[float, Mapping[str, int]],
    tags: Iterable[tuple[str, str]],
) -> dict[str, int]:
    """Bits of each link of any age: what is spent, less what must be young, and the tag keys."""
    needs = Counter(spent)
    for young in young_needs.values():
        needs.subtract(young)
    for link, _ in tags:
        needs[link] += TAG_KEY_BITS
    return {link: bits for link, bits in needs.items() if bits}


def _case(
    demand: Demand,
    routes: Mapping[str, Routes],
    stock: Mapping[str, int],
    served: Mapping[str, int],
    key_age: KeyAgeLimits,
) -> _Case:
    found, limit = routes[demand.demand_id], demand.max_age_s
    links = tuple([route.links for route in found.routes])
    in_pool, had = stock.get(demand.pool.pool_id, 0), served.get(demand.demand_id, 0)
    return _Case(
        demand=demand,
        routes=found,
        in_pool=in_pool,
        served=had,
        under_mark=max(0, demand.high_water_bits - in_pool),
        left_of_day=max(0, demand.bits_per_day - had),
        ways=links if limit is None else tuple(key_age.names(hops, limit) for hops in links),
    )


def _in_order(
    cases: Sequence[_Case], grains: Sequence[tuple[int, ...]], key_age: KeyAgeLimits
) -> list[tuple[_Case, tuple[int, ...]]]:
    """The demands as they were sorted; with limits of age those of the shortest come first."""
    found = list(zip(cases, grains, strict=True))
    if key_age.limits:
        found.sort(key=lambda one: one[0].demand.max_age_s or inf)
    return found


def _tags(
    steps: Sequence[MergeStep], combined: Sequence[CombinedStep]
) -> tuple[tuple[str, str], ...]:
    """Announcements travel towards the far end: every hop after the first carries some.

    Paths may cross a link in either direction. Its two nodes then send different messages, and
    a one-time key must not tag two: each direction has a key of its own.
    """
    legs = [*steps, *(leg for step in combined for leg in step.legs)]
    sent: set[tuple[str, str]] = set()
    for leg in legs:
        sent.update(zip(leg.links[1:], leg.path[1:], strict=False))
    return tuple(sorted(sent))


def _spendable(scenario: Scenario, stock: Mapping[str, int], kept_bits: int) -> dict[str, int]:
    """Return the grains of each pool that merges may take."""
    return {
        link.pool.pool_id: max(0, stock.get(link.pool.pool_id, 0) - link.reserve_bits - kept_bits)
        // KEY_GRAIN_BITS
        for link in scenario.links
    }


def _legs(
    links: ParallelLinks, route: Route, grains: int, least: int
) -> Iterator[tuple[MergeStep, ...]]:
    """Cut a grant into steps that take one pool a hop.

    Ends when what is left is smaller than the least step.
    """
    while grains >= least:
        piece = links.room(route.links, grains)
        if piece < least:
            return
        grains -= piece
        yield tuple(
            MergeStep(
                demand_id=route.demand_id,
                path=path,
                links=links.take(hops, piece),
                bits=piece * KEY_GRAIN_BITS,
            )
            for path, hops in zip(route.paths, route.hops, strict=True)
        )


def _reason(
    case: _Case, granted: Sequence[int], bits: int, left: Mapping[str, int], least: int
) -> str:
    """Say in a sentence what a demand gets, and why not more."""
    demand, routes = case.demand, case.routes
    if routes.refusal:
        return f"refused: {routes.refusal}"
    if case.under_mark < KEY_GRAIN_BITS:
        return f"not served: at its high-water mark of {demand.high_water_bits} bits"
    if case.left_of_day < KEY_GRAIN_BITS:
        return f"not served: has had its {demand.bits_per_day} bits of 24 hours"
    wanted = min(case.under_mark, case.left_of_day) // KEY_GRAIN_BITS
    lacking = _lacking(case, granted, left, least) if sum(granted) < wanted else {}
    if lacking:
        limit = f"no key to spare on {', '.join(sorted(lacking))}"
    else:
        limit = "all that its day leaves"
        if case.under_mark < case.left_of_day or 0 < bits < wanted * KEY_GRAIN_BITS:
            limit = f"up to its high-water mark of {demand.high_water_bits} bits"
    if bits:
        of = f" of {wanted * KEY_GRAIN_BITS}" if lacking else ""
        return f"{bits}{of} bits {_ways(routes, granted)}: {limit}"
    if any(lacking.values()) or not lacking:
        return f"not served: too little for a proof of equality, {PROOF_BITS} bits; {limit}"
    return f"not served: {limit}"


def _lacking(
    case: _Case, granted: Sequence[int], left: Mapping[str, int], least: int
) -> dict[str, int]:
    """The first hop of each route that could give no more, and the grains it has left."""
    found: dict[str, int] = {}
    for way, grains in zip(case.ways, granted, strict=True):
        piece = 1 if grains else least
        hop = next((hop for hop in way if left[hop] < piece), None)
        if hop is not None:
            found[hop] = left[hop]
    return found


def _ways(routes: Routes, granted: Sequence[int]) -> str:
    used = [route for route, grains in zip(routes.routes, granted, strict=True) if grains]
    if len(used) > 1:
        return f"over {len(used)} routes"
    (route,) = used
    hops = " and ".join(str(len(hops)) for hops in route.hops)
    if len(route.paths) == 1:
        return f"over {hops} hops"
    return f"combined of {len(route.paths)} disjoint paths of {hops} hops"
