"""Use case: whether what the plan in force rests on has changed since, and what."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduler.domain import instant_key
from scheduler.errors import LedgerMissing
from scheduler.ledger.books import forecasts, outages, plans
from scheduler.ledger.keys.stock import get_stock
from scheduler.services.plans.outlook import known_elements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scheduler.ledger import PlanRecord, Reader
    from scheduler.services.context import Context
    from scheduler.services.plans.problem import Standing

STOCK_FACTOR = 2
STOCK_BITS_MIN = 100_000
"""Key on a link counts as another when it has doubled or halved, and by no less than this: merges
move it every time, and a plan of days does not hang on that."""


def rests_on(standing: Standing) -> dict[str, Any]:
    """What a plan keeps of its inputs, as JSON-able data, beside its element sets."""
    return {
        "outages": {one.outage_id: instant_key(one.ends_at) for one in standing.outages},
        "stock": {name: bits for name, bits in standing.stock.items() if bits},
        "weather": {name: instant_key(at) for name, at in standing.weather.items()},
    }


def plan_changes(context: Context, *, at: datetime) -> list[str]:
    """What has changed since the plan that covers an instant, in words; nothing if it holds.

    Without such a plan that is the change. Cheap: a few rows, and no pass is searched.
    """
    context.refresh_elements()
    with suppress(LedgerMissing), context.view.read() as reader:
        plan = plans.last_made(reader.connection, at=at)
        if plan is not None and plan.window_end > at:
            return list(_changes(context, reader, plan, at))
    return [f"no plan covers {instant_key(at)}"]


def _changes(context: Context, reader: Reader, plan: PlanRecord, at: datetime) -> Iterator[str]:
    kept: Mapping[str, Any] = plan.details.get("rests_on", {})
    for satellite in context.scenario.satellites:
        known = known_elements(context, satellite, at=at)
        before = plan.details["elements"].get(satellite.satellite_id, {}).get("sha256")
        if known.elements is not None and known.elements.sha256 != before:
            yield f"elements of {satellite.satellite_id}"
    issued = forecasts.last_issues(reader, at=at)
    if {name: instant_key(when) for name, when in issued.items()} != kept.get("weather", {}):
        yield "weather"
    standing = outages.standing(reader.connection, since=at, until=plan.window_end)
    there = {one.outage_id for one in standing}
    before = {name for name, end in kept.get("outages", {}).items() if end > instant_key(at)}
    if there != before:
        yield "outages"
    stock = get_stock(reader, at=at)
    for pool_id in sorted(stock.keys() | kept.get("stock", {}).keys()):
        if _is_other(stock.get(pool_id, 0), kept.get("stock", {}).get(pool_id, 0)):
            yield f"stock of {pool_id}"
            return


def _is_other(bits: int, before: int) -> bool:
    low, high = sorted((bits, before))
    return high >= STOCK_FACTOR * low and high - low >= STOCK_BITS_MIN
