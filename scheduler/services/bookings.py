"""Use cases: bookings listed, locked and cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.domain import (
    TERMINAL_STATES,
    Booking,
    BookingEvent,
    BookingState,
    BookingView,
    Directive,
    DirectiveKind,
    PassName,
)
from scheduler.errors import BookingConflict, InputError
from scheduler.ledger.books import directives, outages, plans
from scheduler.ledger.books.bookings import (
    changes_of,
    find_booking,
    get_booking_events,
    get_bookings,
    move_booking,
)
from scheduler.ledger.log.canonical import request_digest
from scheduler.services.outages import meets, out_of_service
from scheduler.services.plans.directives import check_operator, check_reason
from scheduler.services.plans.explain import plan_record
from scheduler.services.viewing import shown_booking, shown_bookings

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.network import Operator
    from scheduler.services.context import Context


BOOKINGS_MAX = 2000


def list_bookings(
    context: Context,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    state: str | None = None,
    plan_id: str | None = None,
    satellite: str | None = None,
    station: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int | None = None,
) -> list[BookingView]:
    """Bookings by AOS, locks as last decided; those of one state, span or plan where named.

    Of one satellite or station, and behind the AOS and id of `after`, the first `limit` of them,
    where these are named. Raises InputError for more than BOOKINGS_MAX without a limit,
    UnknownName.
    """
    satellite_id = None if satellite is None else context.satellite(satellite).satellite_id
    station_id = None if station is None else context.stations([station])[0].station_id
    try:
        wanted = None if state is None else BookingState(state)
    except ValueError:
        allowed = ", ".join(BookingState)
        raise InputError(f"state {state!r}; allowed: {allowed}") from None
    with context.view.read() as reader:
        found = get_bookings(
            reader,
            state=wanted,
            since=start,
            until=end,
            satellite_id=satellite_id,
            station_id=station_id,
            after=after,
            limit=limit if plan_id is None and context.viewer.sees_all else None,
        )
        if plan_id is not None:
            record = plan_record(reader, plan_id)
            named = plans.bookings_of(reader.connection, record)
            named |= {UUID(text) for text in record.details["cancelled"]}
            found = [booking for booking in found if booking.booking_id in named]
        found = shown_bookings(context, found)
        if limit is None and len(found) > BOOKINGS_MAX:
            raise InputError(
                f"{len(found)} bookings; allowed: up to {BOOKINGS_MAX} in one answer, ask for a"
                " shorter span"
            )
        return _views(reader, found if limit is None else found[:limit])


def get_booking(context: Context, booking_id: UUID) -> BookingView:
    """One booking. Raises UnknownName."""
    with context.view.read() as reader:
        return _views(reader, [shown_booking(context, reader, booking_id)])[0]


def booking_events(context: Context, booking_id: UUID) -> list[BookingEvent]:
    """The life of one booking, first event first. Raises UnknownName."""
    with context.view.read() as reader:
        return get_booking_events(reader, shown_booking(context, reader, booking_id).booking_id)


def bookings_of_plan(context: Context, plan_answer: Mapping[str, Any]) -> list[Booking]:
    """The bookings that a plan's answer names, in its order."""
    with context.view.read() as reader:
        return [find_booking(reader, UUID(text)) for text in plan_answer["bookings"]]


def _views(reader: Reader, bookings: Sequence[Booking]) -> list[BookingView]:
    if not bookings:
        return []
    near = outages.standing(
        reader.connection,
        since=min(booking.candidate.acquires_at for booking in bookings),
        until=max(booking.candidate.loses_at for booking in bookings),
    )
    changes = changes_of(reader, [booking.booking_id for booking in bookings])
    return [
        BookingView(
            booking=booking,
            out_of_service=next(
                (out_of_service(o) for o in near if meets(o, booking.candidate)), ""
            ),
            changes=changes[booking.booking_id],
        )
        for booking in bookings
    ]


def lock_booking(
    context: Context,
    booking_id: UUID,
    *,
    locked: bool = True,
    reason: str = "",
    operator: Operator | None = None,
) -> BookingView:
    """Let no plan move a booking, or let plans move it again; a repeat changes nothing.

    Raises UnknownName, BookingConflict if its life is over, NotAllowed for another operator's.
    """
    check_reason(reason)
    with context.existing_ledger.begin() as tx:
        booking = find_booking(tx, booking_id)
        check_operator(context, operator, booking.candidate.satellite_id)
        if booking.state in TERMINAL_STATES:
            raise BookingConflict(f"booking {booking_id} is {booking.state}; its life is over")
        if booking.locked is locked:
            return _views(tx, [booking])[0]
        turn = directives.count_of(tx.connection, booking_id) + 1
        command = tx.command(
            f"lock/{booking_id}/{turn}",
            kind="lock",
            at=context.clock.now(),
            digest=request_digest(str(booking_id), locked),
        )
        directive = Directive(
            kind=DirectiveKind.LOCK if locked else DirectiveKind.NONE,
            subject=PassName.of(booking.candidate),
            booking_id=booking_id,
            reason=reason,
        )
        directives.add(tx, command, [directive])
        command.finish({"booking": str(booking_id), "locked": locked, "reason": reason})
        return _views(tx, [replace(booking, locked=locked)])[0]


def cancel_booking(
    context: Context, booking_id: UUID, *, reason: str, operator: Operator | None = None
) -> BookingView:
    """Cancel a booking that has not begun, and veto its pass for later plans.

    A lock keeps plans away, not people. A repeat changes nothing. Raises UnknownName, InputError
    without a reason, BookingConflict for a session under way or over, NotAllowed for another
    operator's.
    """
    check_reason(reason)
    if not reason.strip():
        raise InputError(f"a cancellation needs a reason, got {reason!r}")
    now = context.clock.now()
    with context.existing_ledger.begin() as tx:
        booking = find_booking(tx, booking_id)
        check_operator(context, operator, booking.candidate.satellite_id)
        if booking.state is BookingState.CANCELLED:
            return _views(tx, [booking])[0]
        if booking.state not in {BookingState.PROPOSED, BookingState.BOOKED}:
            raise BookingConflict(
                f"booking {booking_id} is {booking.state}; allowed: only one that has not begun"
            )
        command = tx.command(
            f"cancel/{booking_id}", kind="cancel", at=now, digest=request_digest(str(booking_id))
        )
        move_booking(
            tx,
            booking_id,
            expected=booking.state,
            to=BookingState.CANCELLED,
            reason=f"cancelled by hand: {reason}",
            at=now,
        )
        veto = Directive(
            kind=DirectiveKind.VETO, subject=PassName.of(booking.candidate), reason=reason
        )
        directives.add(tx, command, [veto])
        command.finish({"booking": str(booking_id), "reason": reason})
        return _views(tx, [find_booking(tx, booking_id)])[0]
