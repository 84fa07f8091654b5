"""Use cases: the network as it stands, and each station with its sky and its outages."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from scheduler.domain import DemandStock, LinkStock
from scheduler.errors import LedgerMissing
from scheduler.fibre import buffer_bits
from scheduler.network import NO_LIMIT_BITS
from scheduler.services.audit import pool_balances
from scheduler.services.records import outages_standing
from scheduler.services.weather import weather_in_use
from scheduler.sources.weather import weather_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scheduler.domain import Outage
    from scheduler.network import Station
    from scheduler.services.context import Context


def pool_stock(context: Context) -> dict[str, int]:
    """Bits that each pool holds and may give; none without a ledger."""
    try:
        balances = pool_balances(context)
    except LedgerMissing:
        return {}
    return {pool: accounts.get("pool", 0) for pool, accounts in balances.items()}


def link_stocks(context: Context, stock: Mapping[str, int]) -> list[LinkStock]:
    """Every link of the scenario with its stock."""
    schedule = context.scenario.schedule
    limits = [(one, buffer_bits(one, schedule)) for one in context.scenario.links]
    return [
        LinkStock(
            pool=one.pool.pool_id,
            node_a=one.pool.node_a,
            node_b=one.pool.node_b,
            kind=one.kind.value,
            length_km=one.length_km,
            stock_bits=stock.get(one.pool.pool_id, 0),
            buffer_bits=None if limit >= NO_LIMIT_BITS else limit,
        )
        for one, limit in limits
    ]


def demand_stocks(context: Context, stock: Mapping[str, int]) -> list[DemandStock]:
    """Every demand of the scenario with its stock and its paths."""
    return [
        DemandStock(
            demand_id=one.demand_id,
            node_a=one.node_a,
            node_b=one.node_b,
            bits_per_day=one.bits_per_day,
            min_disjoint_paths=one.min_disjoint_paths,
            max_age_s=one.max_age_s,
            stock_bits=stock.get(one.pool.pool_id, 0),
            paths=tuple(path for route in routes.routes for path in route.paths),
            refusal=routes.refusal,
        )
        for one in context.scenario.demands
        for routes in [context.routes[one.demand_id]]
    ]


def stations_now(
    context: Context,
) -> list[tuple[Station, float | None, Sequence[Outage]]]:
    """Each station, how likely its sky is clear this month, and its outages that are not over.

    By the climatology, whatever forecasts plans use; None where no weather is used.
    """
    now: datetime = context.clock.now()
    stations = context.scenario.stations
    weather = None if weather_in_use(context) == "none" else weather_of((), stations)
    outages = [one for one in outages_standing(context) if one.ends_at > now]
    return [
        (
            one,
            None
            if weather is None
            else weather.clear_probability(one.station_id, now, known_at=now),
            [out for out in outages if out.kind == "station" and out.name == one.station_id],
        )
        for one in stations
    ]
