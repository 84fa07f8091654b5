"""An independent look at the flows of a plan: ways, demands, and every link's key in its time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise

from scheduler.domain import Candidate, Demand, LinkSupply, PathSet, Pool
from scheduler.network import Scenario
from scheduler.plan.problem import PlanDecision, PlannedFlow, PlanProblem

ROUNDING = 1e-6  # relative; sums of floats in another order
DAY_S = 86_400.0


def flow_faults(
    problem: PlanProblem, decision: PlanDecision, booked: Sequence[Candidate]
) -> Iterable[str]:
    """What the plan means to merge must be wanted, by ways that there are, of key that is there."""
    demands = {demand.demand_id: demand for demand in problem.demands}
    for flow in decision.flows:
        if not (math.isfinite(flow.bits) and flow.bits >= 0.0):
            yield f"demand {flow.demand_id} has a flow of {flow.bits} bits"
        yield from _way(problem, flow, demands.get(flow.demand_id))
    links = {link for flow in decision.flows for link, _ in flow.path_set.uses}
    span = _Span.of(problem, booked)
    for link in sorted(links):
        yield from _given_in_time(problem, decision, booked, link, span)
    for supply in problem.supplies:
        if supply.pool_id in links:
            yield from _left_over(problem, decision, booked, supply, span)
    yield from _served(problem, decision, demands, span)


@dataclass(frozen=True, slots=True)
class _Span:
    """The buckets of a plan."""

    start: datetime
    length_s: float
    count: int

    @classmethod
    def of(cls, problem: PlanProblem, booked: Sequence[Candidate]) -> _Span:
        every = [*problem.candidates, *booked]
        start = problem.starts_at or problem.now
        if start is None:
            first = min((c.acquires_at for c in every), default=datetime.min.replace(tzinfo=UTC))
            start = first.replace(hour=0, minute=0, second=0, microsecond=0)
        end = problem.ends_at or max((c.loses_at for c in every), default=start)
        count = math.ceil((end - start).total_seconds() / problem.bucket_s)
        return cls(start, problem.bucket_s, max(1, count))

    def end(self, bucket: int) -> datetime:
        return self.start + timedelta(seconds=self.length_s * (bucket + 1))


def _way(problem: PlanProblem, flow: PlannedFlow, demand: Demand | None) -> Iterable[str]:
    path_set = flow.path_set
    if path_set.demand_id != flow.demand_id:
        yield f"a flow of {flow.demand_id} goes by a way of {path_set.demand_id}"
    elif path_set not in problem.path_sets and (
        problem.scenario is None
        or demand is None
        or not _is_way(problem.scenario, demand, path_set)
    ):
        yield "a flow goes by a way that no path set of this problem allows"


def _is_way(scenario: Scenario, demand: Demand, path_set: PathSet) -> bool:
    """Disjoint paths between the ends, over links that exist and relays that may be used."""
    pools = {link.pool.pool_id for link in scenario.links}
    relays = {
        node.node_id
        for node in scenario.nodes
        if node.relays and demand.may_pass(node.node_id, node.domain)
    }
    ends = [demand.node_a, demand.node_b]
    hops = [Pool.link(*hop).pool_id for path in path_set.paths for hop in pairwise(path)]
    inner = [path[1:-1] for path in path_set.paths]
    return (
        all([path[0], path[-1]] == ends for path in path_set.paths)
        and len(path_set.paths) >= demand.min_disjoint_paths
        and sorted(path_set.uses) == sorted((hop, 1) for hop in hops)
        and pools.issuperset(hops)
        and all(relays.issuperset(nodes) for nodes in inner)
        and all(set(one).isdisjoint(other) for one, other in combinations(inner, 2))
    )


def _given_in_time(
    problem: PlanProblem,
    decision: PlanDecision,
    booked: Sequence[Candidate],
    link: str,
    span: _Span,
) -> Iterable[str]:
    """No link gives by any instant more than has come to it until then."""
    for instant in sorted({flow.merged_at for flow in decision.flows}):
        used = math.fsum(
            flow.bits * dict(flow.path_set.uses).get(link, 0)
            for flow in decision.flows
            if flow.merged_at <= instant
        )
        there = _key_there(problem, booked, link, instant, span.start)
        if used > there * (1.0 + ROUNDING) + 1.0:
            yield f"{link} gives {used:,.0f} bits by {instant}, but has {there:,.0f}"


def _key_there(
    problem: PlanProblem,
    booked: Sequence[Candidate],
    link: str,
    instant: datetime,
    start: datetime,
) -> float:
    """All the key a link can have had by an instant: stock, refill, announced, sessions over."""
    there = 0.0
    for supply in problem.supplies:
        if supply.pool_id == link:
            days = (instant - start) / timedelta(days=1)
            there += supply.stock_bits + supply.refill_bits_per_day * days
            there += sum(bits for when, bits in supply.coming if when < instant)
    sessions = (c for c in booked if c.loses_at <= instant)
    return there + math.fsum(c.expected_bits for c in sessions if _link_of(problem, c) == link)


def _link_of(problem: PlanProblem, candidate: Candidate) -> str:
    if len(candidate.station_ids) > 1:
        return problem.pair_pools[candidate.station_id]
    node = problem.station_nodes.get(candidate.station_id, candidate.station_id)
    return Pool.link(candidate.satellite_id, node).pool_id


def _left_over(
    problem: PlanProblem,
    decision: PlanDecision,
    booked: Sequence[Candidate],
    supply: LinkSupply,
    span: _Span,
) -> Iterable[str]:
    """Key expires and buffers overflow, and the reserve stays: a store with dated batches."""
    store, alone = _Store(supply, span), _Store(supply, span)
    sessions = [c for c in booked if _link_of(problem, c) == supply.pool_id]
    for bucket in range(span.count):
        begin, end = span.end(bucket - 1), span.end(bucket)
        for one in (store, alone):
            one.fill(bucket)
        for session in sessions:
            if begin <= session.loses_at < end:
                store.add(session.loses_at, session.expected_bits)
        used = math.fsum(
            flow.bits * dict(flow.path_set.uses).get(supply.pool_id, 0)
            for flow in decision.flows
            if begin < flow.merged_at <= end
        )
        missing = store.take(used)
        if missing > used * ROUNDING + 1.0:
            yield f"{supply.pool_id} lacks {missing:,.0f} bits at {end}: expired or overflowed"
        left, kept = store.close(end), min(float(supply.reserve_bits), alone.close(end))
        if left < kept * (1.0 - ROUNDING) - 1.0:
            yield f"{supply.pool_id} has {left:,.0f} bits left at {end}, its reserve is {kept:,.0f}"


class _Store:
    """Key of one link in batches: [when it expires, bits]; the next to expire is taken first."""

    def __init__(self, supply: LinkSupply, span: _Span) -> None:
        self._supply, self._span = supply, span
        ageless = supply.stock_bits - sum(bits for _, bits in supply.expiring)
        self._batches: list[tuple[datetime | None, float]] = [(None, float(ageless))]
        self._batches += [(when, float(bits)) for when, bits in supply.expiring]

    def add(self, made: datetime, bits: float) -> None:
        lifetime_s = self._supply.lifetime_s
        ends = None if lifetime_s is None else made + timedelta(seconds=lifetime_s)
        self._batches.append((ends, bits))

    def fill(self, bucket: int) -> None:
        """What comes in a bucket without any session."""
        begin, end = self._span.end(bucket - 1), self._span.end(bucket)
        refill = self._supply.refill_bits_per_day * self._span.length_s / DAY_S
        self.add(begin, refill)
        for when, bits in self._supply.coming:
            if (begin <= when < end) or (bucket == 0 and when < begin):
                self._batches.append((None, float(bits)))

    def take(self, bits: float) -> float:
        """Take so many bits; return what is missing."""
        self._batches.sort(key=lambda one: (one[0] is None, one[0] or self._span.start))
        left = []
        for ends, there in self._batches:
            taken = min(bits, there)
            bits -= taken
            left.append((ends, there - taken))
        self._batches = left
        return bits

    def close(self, end: datetime) -> float:
        """Drop what has expired by the end of a bucket and what overflows; return what is left."""
        self._batches = [(e, b) for e, b in self._batches if e is None or e > end]
        total = math.fsum(bits for _, bits in self._batches)
        limit = self._supply.buffer_bits
        if limit is not None and total > limit:
            self.take(total - limit)
            total = float(limit)
        return total


def wanted_of(problem: PlanProblem, booked: Sequence[Candidate]) -> dict[str, float]:
    """The bits that each demand wants in the time of a plan, as far as its mark leaves room."""
    return _wanted(problem, _Span.of(problem, booked))


def _wanted(problem: PlanProblem, span: _Span) -> dict[str, float]:
    found = {}
    for demand in problem.demands:
        asked = demand.bits_per_day * span.count * span.length_s / DAY_S
        room = demand.high_water_bits - problem.pair_stock.get(demand.demand_id, 0) + asked
        found[demand.demand_id] = max(0.0, min(asked, room))
    return found


def _served(
    problem: PlanProblem, decision: PlanDecision, demands: dict[str, Demand], span: _Span
) -> Iterable[str]:
    """What is served adds up, is no more than is wanted, and the shares say so."""
    every = _wanted(problem, span)
    served = {flow.demand_id for flow in decision.flows} | decision.served_bits.keys()
    for name in sorted(served):
        bits = decision.served_bits.get(name, 0.0)
        total = math.fsum(flow.bits for flow in decision.flows if flow.demand_id == name)
        if name not in demands:
            yield f"{name} is not a demand of this problem"
            continue
        if not math.isclose(total, bits, rel_tol=ROUNDING, abs_tol=1.0):
            yield f"demand {name} is served {bits:g} bits, but its flows add up to {total:g}"
        wanted = every[name]
        if bits > wanted * (1.0 + ROUNDING) + 1.0:
            yield f"demand {name} is served {bits:g} bits, but wants {wanted:g}"
        share = decision.served_share.get(name, 0.0)
        right = min(1.0, bits / wanted) if wanted > 0.0 else 0.0
        if not math.isclose(share, right, rel_tol=ROUNDING, abs_tol=ROUNDING):
            yield f"demand {name} has a share of {share:g}, but {bits:g} bits are {right:g}"
