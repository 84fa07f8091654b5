"""Bookings and outages over HTTP; the same use cases as `skytrunk plan` and `outage`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from api.problems import problem_answers
from api.routes.common import ContextDependency, NoParameters, OperatorDependency
from api.schemas.bookings import Booking, Bookings, BookingsRequest, CancelRequest, LockRequest
from api.schemas.outages import MarkedOutage, OutageRequest, Outages
from scheduler import services

router = APIRouter(tags=["plans"])


@router.get("/bookings")
def bookings(
    request: Annotated[BookingsRequest, Query()],
    context: ContextDependency,
    operator: OperatorDependency,
) -> Bookings:
    """List bookings by AOS; for an operator's token those that it may see."""
    found = services.list_bookings(
        context, start=request.from_, end=request.to, state=request.state, operator=operator
    )
    return Bookings.of(found)


@router.post("/bookings/{booking_id}/lock", responses=problem_answers(404, 409))
def lock(
    booking_id: UUID,
    request: LockRequest,
    context: ContextDependency,
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
    context: ContextDependency,
    operator: OperatorDependency,
) -> Booking:
    """Cancel a booking that has not begun; 409 for a session under way or over."""
    view = services.cancel_booking(context, booking_id, reason=request.reason, operator=operator)
    return Booking.model_validate(view)


@router.get("/outages")
def outages(_: NoParameters, context: ContextDependency) -> Outages:
    """List the outages that were not lifted."""
    return Outages.of(services.list_outages(context))


@router.post("/outages", status_code=status.HTTP_201_CREATED, responses=problem_answers(404))
def add_outage(request: OutageRequest, context: ContextDependency) -> MarkedOutage:
    """Take a station or satellite out of service; its bookings are marked, not deleted."""
    answer = services.add_outage(
        context,
        kind=request.kind,
        name=request.name,
        start=request.from_,
        end=request.to,
        reason=request.reason,
    )
    return MarkedOutage.model_validate(answer)
