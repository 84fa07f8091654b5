"""Reading bookings and their events back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from scheduler.domain import Booking, BookingEvent, BookingState, Candidate, DirectiveKind
from scheduler.errors import UnknownName
from scheduler.ledger.schema import BookingEventRow, BookingRow, DirectiveRow

_DECIDED = (
    select(DirectiveRow.kind)
    .where(DirectiveRow.booking_id == BookingRow.booking_id)
    .order_by(DirectiveRow.command_id.desc(), DirectiveRow.position.desc())
    .limit(1)
    .scalar_subquery()
    .label("decided")
)
_BOOKINGS = select(*BookingRow.__table__.c, _DECIDED)


def read_candidate(text: str) -> Candidate:
    """Read back what `candidate_text` wrote."""
    values: dict[str, Any] = json.loads(text)
    for name in ("acquires_at", "loses_at", "elements_epoch"):
        values[name] = datetime.fromisoformat(values[name])
    return Candidate(**values)


def find(
    connection: Connection,
    *,
    state: BookingState | None,
    since: datetime | None,
    until: datetime | None,
) -> list[Booking]:
    """Bookings by AOS, filtered; each locked or not as was last decided."""
    query = _BOOKINGS.order_by(BookingRow.acquires_at, BookingRow.booking_id)
    if state is not None:
        query = query.where(BookingRow.state == state.value)
    if since is not None:
        query = query.where(BookingRow.acquires_at >= since)
    if until is not None:
        query = query.where(BookingRow.acquires_at < until)
    return [_booking(row) for row in connection.execute(query)]


def one(connection: Connection, booking_id: UUID) -> Booking:
    """The booking of that id. Raises UnknownName."""
    query = _BOOKINGS.where(BookingRow.booking_id == str(booking_id))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise UnknownName(f"booking {booking_id} is not known")
    return _booking(row)


def _booking(row: Any) -> Booking:
    return Booking(
        booking_id=UUID(row.booking_id),
        candidate=read_candidate(row.candidate),
        state=BookingState(row.state),
        reason=row.reason,
        booked_at=row.booked_at,
        changed_at=row.changed_at,
        locked=row.locked if row.decided is None else row.decided == DirectiveKind.LOCK,
        plan_id=row.plan_id,
    )


def events(connection: Connection, booking_id: UUID) -> list[BookingEvent]:
    """The events of one booking in order."""
    query = (
        select(*BookingEventRow.__table__.c)
        .where(BookingEventRow.booking_id == str(booking_id))
        .order_by(BookingEventRow.position)
    )
    return [
        BookingEvent(
            booking_id=booking_id,
            at=row.at,
            from_state=None if row.from_state is None else BookingState(row.from_state),
            to_state=BookingState(row.to_state),
            reason=row.reason,
        )
        for row in connection.execute(query)
    ]
