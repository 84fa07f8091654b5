"""Use case: a session that can no longer begin in its time is missed; none is run late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.domain import BookingState
from scheduler.services.bookings import bookings_of_plan
from scheduler.services.sessions import miss_session

if TYPE_CHECKING:
    from scheduler.agenda import Due
    from scheduler.services.context import Context


def late_reason(context: Context, due: Due, *, rate: float = 1.0) -> str | None:
    """Why a session that is due to begin cannot any more; None if it can, or is not booked."""
    assert due.booking_id is not None
    (booking,) = bookings_of_plan(context, {"bookings": [str(due.booking_id)]})
    if booking.state is not BookingState.BOOKED:
        return None
    now = context.clock.now()
    # No later than half of the pass, or a second of the machine on a fast clock.
    late_s = max(rate, booking.candidate.duration_s / 2)
    came_s = (now - due.at).total_seconds()
    if now < booking.candidate.loses_at and came_s <= late_s:
        return None
    return f"the clockwork came {came_s:.0f} s late"


def miss_late_session(context: Context, due: Due, reason: str) -> None:
    """Miss a session that comes too late."""
    assert due.booking_id is not None
    miss_session(context, due.booking_id, at=context.clock.now(), reason=reason)
