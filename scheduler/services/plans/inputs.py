"""What the planner is asked: rules, demands with their paths, and the key on every link."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.domain import LinkSupply, Pool, pair_name
from scheduler.fibre import buffer_bits, link_rate_bps
from scheduler.network import NO_LIMIT_BITS, Announces, QuietHours, pairs_of
from scheduler.network.pairs import entangled_pool
from scheduler.paths import parallel_pools, sum_parallel
from scheduler.plan import PlanRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scheduler.domain import Candidate
    from scheduler.ledger import BlockRecord
    from scheduler.network import Link
    from scheduler.services.context import Context

DAY_S = 86_400.0
Dated = tuple[datetime, int]
"""(when, bits)."""


def rules_of(context: Context) -> PlanRules:
    """The rules that the scenario and the settings set."""
    planning = context.scenario.planning
    return PlanRules(
        setup_s=planning.setup_s,
        slew_s=planning.slew_s,
        mounts={s.station_id: s.mount for s in context.scenario.stations if s.mount},
        slew_rate_deg_s={
            s.station_id: s.slew_rate_deg_s
            for s in context.scenario.stations
            if s.slew_rate_deg_s is not None
        },
        quiet_hours={
            s.station_id: [QuietHours.parse(one) for one in s.quiet_hours]
            for s in context.scenario.stations
            if s.quiet_hours
        },
        sharing=context.scenario.sharing,
        min_secret_bits=planning.min_secret_bits,
        min_duration_s=planning.min_duration_s,
        max_sessions_per_day=planning.max_sessions_per_day,
        max_sessions_per_orbit=planning.max_sessions_per_orbit,
        risk_aversion=context.settings.risk_aversion,
    )


def demand_facts(
    context: Context,
    stock: Mapping[str, int],
    expiring_stock: Mapping[str, Sequence[Dated]],
    coming: Mapping[str, Sequence[Dated]],
) -> dict[str, Any]:
    """The part of a problem that is about demands: they, their paths, and every link's key.

    A hop of parallel links counts as one, under its first pool. `expiring_stock` is what of the
    stock ends when, `coming` what waits for an announcement. A supply lasts as long as some
    demand may use it; that others may ask for younger key is left to the merges.
    """
    scenario = context.scenario
    routes = context.routes
    path_sets = [found for d in scenario.demands for found in routes[d.demand_id].path_sets]
    used = {hop for found in routes.values() for hop in found.hops}
    links = scenario.links
    twins = parallel_pools(scenario)
    there = sum_parallel(scenario, {link.pool.pool_id: _stock(link, stock) for link in links})
    refill = sum_parallel(scenario, {link.pool.pool_id: _refill(context, link) for link in links})
    reserve = sum_parallel(scenario, {link.pool.pool_id: link.reserve_bits for link in links})
    limits = {link.pool.pool_id: buffer_bits(link, scenario.schedule) for link in links}
    buffers = sum_parallel(scenario, limits)
    return {
        "demands": scenario.demands,
        "path_sets": path_sets,
        "scenario": scenario,
        "refusals": {name: found.refusal for name, found in routes.items() if found.refusal},
        "supplies": [
            LinkSupply(
                pool_id=pool_id,
                stock_bits=int(there[pool_id]),
                refill_bits_per_day=refill[pool_id],
                reserve_bits=int(reserve[pool_id]),
                buffer_bits=None if buffers[pool_id] >= NO_LIMIT_BITS else int(buffers[pool_id]),
                lifetime_s=context.lifetimes_s.get(pool_id),
                expiring=_of_all(twins[pool_id], expiring_stock),
                coming=_of_all(twins[pool_id], coming),
            )
            for pool_id in sorted(used)
        ],
        "station_nodes": {station.station_id: station.node for station in scenario.stations},
        "pair_pools": {
            pair_name(one.station_id, other.station_id): entangled_pool(
                links, one.node, other.node
            ).pool_id
            for satellite in scenario.satellites
            for one, other in pairs_of(satellite, scenario.stations)
        },
        "pair_stock": {d.demand_id: stock.get(d.pool.pool_id, 0) for d in scenario.demands},
    }


def _of_all(pools: Iterable[str], dated: Mapping[str, Sequence[Dated]]) -> tuple[Dated, ...]:
    return tuple(sorted(one for pool_id in pools for one in dated.get(pool_id, ())))


def coming_key(
    context: Context,
    waiting: Iterable[BlockRecord],
    sessions: Iterable[Candidate],
    *,
    present: datetime,
) -> dict[str, list[Dated]]:
    """When the key that waits for an announcement can be used, by link.

    Assumed: a satellite's first session that stands or could be booked is its next contact. Key
    whose satellite has none in the window is left out: it is usable in none of its buckets.
    """
    contacts: dict[str, datetime] = {}
    for session in sessions:
        if session.acquires_at >= present:
            before = contacts.get(session.satellite_id, session.acquires_at)
            contacts[session.satellite_id] = min(before, session.acquires_at)
    satellites = {one.satellite_id: one for one in context.scenario.satellites}
    found: dict[str, list[Dated]] = {}
    for block in waiting:
        pool = Pool.parse(block.pool_id)
        satellite = satellites.get(pool.node_a) or satellites.get(pool.node_b)
        if satellite is None:
            continue
        when = contacts.get(satellite.satellite_id)
        if satellite.announces is Announces.DELAY:
            when = block.received_at + timedelta(seconds=satellite.announce_delay_s)
        if when is not None:
            found.setdefault(block.pool_id, []).append((when, block.left_bits))
    return found


def _stock(link: Link, stock: Mapping[str, int]) -> int:
    return stock.get(link.pool.pool_id, 0)


def _refill(context: Context, link: Link) -> float:
    """Bits a day that a fibre link makes; in each of its intervals no more than its buffer."""
    if not link.is_fibre:
        return 0.0
    interval_s = context.scenario.schedule.trunk_interval_s
    made = link_rate_bps(link) * interval_s
    limit = buffer_bits(link, context.scenario.schedule)
    return min(made, float(limit)) * DAY_S / interval_s
