"""The night of 2016-12-19, session by session: Xinglong, then Nanshan, then Delingha."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from scheduler import services
from scheduler.domain import Booking
from scheduler.services.context import Context

NIGHT = datetime(2016, 12, 19, tzinfo=UTC)
MORNING = NIGHT + timedelta(days=1)
XINGLONG, NANSHAN, DELINGHA = (
    f"link:{link}" for link in ("micius--xinglong", "micius--nanshan", "delingha--micius")
)


def booked(context: Context, night: datetime = NIGHT) -> list[Booking]:
    """Plan a night and return its bookings by AOS."""
    answer = services.plan_window(context, start=night, end=night + timedelta(days=1))
    found = services.bookings_of_plan(context, answer)
    return sorted(found, key=lambda one: one.candidate.acquires_at)


def begin(context: Context, booking: Booking) -> dict[str, object]:
    """Begin a session at its AOS."""
    return services.begin_session(context, booking.booking_id, at=booking.candidate.acquires_at)


def settle(context: Context, booking: Booking) -> dict[str, object]:
    """Settle a session at its LOS."""
    return services.settle_session(context, booking.booking_id, at=booking.candidate.loses_at)


def run(context: Context, booking: Booking) -> None:
    """Run a session from beginning to end."""
    begin(context, booking)
    assert settle(context, booking)


def held(context: Context, pool_id: str) -> tuple[int, int]:
    """Bits of a pool that are available, and bits that wait."""
    accounts = services.pool_balances(context).get(pool_id, {"pool": 0, "received": 0})
    return accounts["pool"], accounts["received"]


def fill_trunk(context: Context) -> None:
    """Let the fibre links deposit a quarter of a day's key."""
    services.deposit_trunk(context, start=NIGHT, end=NIGHT + timedelta(hours=6))


def export(context: Context) -> list[str]:
    """The whole ledger, to compare."""
    return list(services.export_ledger(context))
