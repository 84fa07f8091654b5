"""Bookings and outages over HTTP; the same use cases as `skytrunk plan` and `outage`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response, status

from api.export.calendar import booking_entries, outage_entries, to_calendar
from api.export.geojson import at_stations
from api.problems import problem_answers
from api.routes.common import (
    ContextDependency,
    NoParameters,
    OperatorDependency,
    WholeDependency,
)
from api.routes.reply import Reply, ReplyDependency, forms_of
from api.schemas.base import Answer
from api.schemas.bookings import (
    Booking,
    BookingEvents,
    Bookings,
    BookingsRequest,
    CalendarRequest,
    CancelRequest,
    LockRequest,
)
from api.schemas.outages import MarkedOutage, Outage, OutageRequest, Outages, OutagesRequest
from scheduler import services
from scheduler.domain import BookingView
from scheduler.domain import Outage as OutageFact
from scheduler.services.context import Context

router = APIRouter(tags=["plans"])

BEHIND, AHEAD = timedelta(days=30), timedelta(days=120)
"""What a subscribed calendar shows around the present."""
CALENDAR_MAX = 2000


@router.get(
    "/bookings",
    response_model=Bookings,
    responses=forms_of("csv", "ics", "geojson", problems=(404,)),
)
def bookings(
    request: Annotated[BookingsRequest, Query()],
    context: ContextDependency,
    reply: ReplyDependency,
) -> Answer | Response:
    """List bookings by AOS."""
    return reply_with(context, reply, request, request.plan)


def reply_with(
    context: Context, reply: Reply, request: BookingsRequest, plan: str | None
) -> Answer | Response:
    """Answer with bookings, those of one plan where it is named."""
    views = services.list_bookings(
        context,
        start=request.from_,
        end=request.to,
        state=request.state,
        plan_id=plan,
        satellite=request.satellite,
        station=request.station,
        after=reply.instant_after(request) if plan is None else None,
        limit=request.limit + 1 if plan is None else CALENDAR_MAX,
    )
    rows = reply.page(request, views, _key)
    found = Bookings.of(rows)
    places = {one.station_id: one for one in context.scenario.stations}
    return reply.of(
        found,
        ics=lambda: to_calendar(booking_entries(rows, context.scenario), context.scenario),
        geojson=lambda: json.dumps(at_stations(found.rows, places)),
    )


def _key(one: BookingView) -> tuple[str, str]:
    return one.booking.candidate.acquires_at.isoformat(), str(one.booking.booking_id)


@router.get("/calendar.ics", response_class=Response, responses=forms_of("ics", problems=(404,)))
def calendar(request: Annotated[CalendarRequest, Query()], context: ContextDependency) -> Response:
    """Give the bookings around the present as a calendar to subscribe to, with alarms.

    `token` may be the secret of a token of the role calendar, which opens this address alone.
    """
    now = context.clock.now()
    rows = services.list_bookings(
        context,
        start=now - BEHIND,
        end=now + AHEAD,
        station=request.station,
        limit=CALENDAR_MAX,
    )
    entries = booking_entries(rows, context.scenario)
    text = to_calendar(entries, context.scenario, alarm_min=request.alarm_min)
    return Response(text, media_type="text/calendar")


@router.get("/bookings/{booking_id}", responses=problem_answers(404))
def booking(booking_id: UUID, _: NoParameters, context: ContextDependency) -> Booking:
    """Give one booking."""
    return Booking.model_validate(services.get_booking(context, booking_id))


@router.get("/bookings/{booking_id}/events", responses=problem_answers(404))
def booking_events(booking_id: UUID, _: NoParameters, context: ContextDependency) -> BookingEvents:
    """Give the life of a booking, first event first."""
    return BookingEvents.of(services.booking_events(context, booking_id))


@router.post("/bookings/{booking_id}/lock", responses=problem_answers(404, 409))
def lock(
    booking_id: UUID,
    request: LockRequest,
    context: WholeDependency,
    operator: OperatorDependency,
) -> Booking:
    """Let no plan move a booking, or let plans move it again."""
    view = services.lock_booking(
        context, booking_id, locked=request.locked, reason=request.reason, operator=operator
    )
    return Booking.model_validate(view)


@router.post("/bookings/{booking_id}/cancel", responses=problem_answers(404, 409))
def cancel(
    booking_id: UUID,
    request: CancelRequest,
    context: WholeDependency,
    operator: OperatorDependency,
) -> Booking:
    """Cancel a booking that has not begun; 409 for a session under way or over."""
    view = services.cancel_booking(context, booking_id, reason=request.reason, operator=operator)
    return Booking.model_validate(view)


@router.get("/outages", response_model=Outages, responses=forms_of("csv", "ics"))
def outages(
    request: Annotated[OutagesRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List the outages that were not lifted, by their start."""
    found = [
        one
        for one in services.list_outages(context)
        if (request.kind in (None, one.kind)) and (request.name in (None, one.name))
    ]
    rows = reply.page(request, sorted(found, key=_start), _start)
    at = context.clock.now()
    return reply.of(
        Outages.of(rows), ics=lambda: to_calendar(outage_entries(rows, at=at), context.scenario)
    )


def _start(one: OutageFact) -> tuple[str, str]:
    return one.starts_at.isoformat(), one.outage_id


@router.post("/outages", status_code=status.HTTP_201_CREATED, responses=problem_answers(404))
def add_outage(
    request: OutageRequest, context: WholeDependency, operator: OperatorDependency
) -> MarkedOutage:
    """Take a station or satellite out of service; its bookings are marked, not deleted."""
    answer = services.add_outage(
        context,
        kind=request.kind,
        name=request.name,
        start=request.from_,
        end=request.to,
        reason=request.reason,
        operator=operator,
    )
    return MarkedOutage.model_validate(answer)


@router.delete("/outages/{outage_id:path}", responses=problem_answers(404, 409))
def lift_outage(
    outage_id: Annotated[str, Path(max_length=300)],
    _: NoParameters,
    context: WholeDependency,
    operator: OperatorDependency,
) -> Outage:
    """Put a station or satellite back into service; return the outage that was lifted."""
    return Outage.model_validate(services.lift_outage(context, outage_id, operator=operator))
