"""Use case: when the key of a pair runs dry at today's rate, and when the next comes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.domain import BookingState, KeyRunway, Pool, on_grid
from scheduler.errors import UnknownName
from scheduler.ledger.books.bookings import get_bookings
from scheduler.ledger.keys.stock import get_delivered, get_stock
from scheduler.network import pool_of
from scheduler.paths import hops_of
from scheduler.services.merges.at_request import routes_between

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.services.context import Context

DAY = timedelta(days=1)
KEPT_S = 10.0
"""A figure is read anew after so long: the sum over a day's deliveries is not free."""


def pair_runway(context: Context, pool: Pool) -> KeyRunway:
    """Estimate how long the key of a pair lasts: a point, at the rate of the last 24 hours.

    What comes next is the end of a booked session, or of an interval of a span, on a link that
    merges may use for this pair; whether they will is decided then.
    """
    now = context.clock.now()
    known = context.pair_runways.get(pool.pool_id)
    if known is not None and 0.0 <= (now - known.at).total_seconds() < KEPT_S:
        return known
    with context.view.read() as reader:
        stock = get_stock(reader, at=now).get(pool.pool_id, 0)
        drawn = get_delivered(reader, pool.pool_id, since=now - DAY)
        next_at, next_from = _next_key(context, reader, pool, now=now)
    empty_at = None
    if drawn:
        # Beyond ten years the rate of one day says nothing.
        empty_at = now + min(DAY * (stock / drawn), DAY * 3660)
    found = KeyRunway(
        pool_id=pool.pool_id,
        at=now,
        stock_bits=stock,
        drawn_bits_per_day=drawn,
        empty_at=empty_at,
        next_key_at=next_at,
        next_key_from=next_from,
    )
    context.pair_runways[pool.pool_id] = found
    return found


def _next_key(
    context: Context, reader: Reader, pool: Pool, *, now: datetime
) -> tuple[datetime | None, str]:
    """When a link that may serve the pair gets key next, and which; None where none will."""
    scenario = context.scenario
    useful = hops_of(scenario, routes_between(context, pool))
    coming: list[tuple[datetime, str]] = []
    if any(scenario.link(one).is_fibre for one in useful):
        step_s = scenario.schedule.trunk_interval_s
        span = next(one for one in sorted(useful) if scenario.link(one).is_fibre)
        coming.append((on_grid(now, step_s) + timedelta(seconds=step_s), span))
    for booking in get_bookings(reader, state=BookingState.BOOKED):
        candidate = booking.candidate
        try:
            link = pool_of(scenario, candidate.satellite_id, candidate.station_id)
        except UnknownName:  # booked in a scenario that had more stations
            continue
        if link.pool_id in useful and candidate.loses_at > now:
            coming.append((candidate.loses_at, link.pool_id))
    return min(coming, default=(None, ""))
