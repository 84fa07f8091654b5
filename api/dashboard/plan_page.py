"""The page of plans: stations by time, each pass with its reason, and what may be decided of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.dashboard.render import Text, context_of, page
from api.dashboard.svg.timeline import timeline
from api.errors import known_errors, message_of
from api.schemas.base import Table
from api.schemas.plans import DemandServed
from scheduler import services
from scheduler.domain import BookingState, BookingView, PlanView
from scheduler.services.context import Context

router = APIRouter(prefix="/ui", include_in_schema=False)

PLANS_SHOWN = 50
PLAN_DAYS = 3


@router.get("/plan")
def plan(
    request: Request,
    plan: Text = "",
    chosen: Annotated[str, Query(alias="pass", max_length=200)] = "",
) -> HTMLResponse:
    """Show a plan on the stations' time, with a reason for every pass."""
    context = context_of(request)
    start = context.clock.now().replace(second=0, microsecond=0)
    again: dict[str, Any] = {"again": (start, start + timedelta(days=PLAN_DAYS))}
    try:
        plans = services.list_plans(context, limit=PLANS_SHOWN)
        found = services.get_plan(context, plan or None)
        outages = services.list_outages(context)
        nights = {
            one.station_id: services.nights(context, one.station_id, found.start, found.end)
            for one in context.scenario.stations
        }
        booking = _booking(context, found, chosen)
    except known_errors() as error:
        return page(request, "plan", plan=None, problem=message_of(error), **again)
    return page(
        request,
        "plan",
        plan=found,
        plans=plans,
        chosen=next((one for one in found.passes if one.pass_id == chosen), None),
        booking=booking,
        is_open=booking is not None and _is_open(booking),
        notes=[text for text in (*found.withdrawn, *found.notes, found.fallback) if text],
        picture=timeline(
            start=found.start,
            end=found.end,
            now=context.clock.now(),
            stations={one.station_id: one.name for one in context.scenario.stations},
            passes=found.passes,
            nights=nights,
            outages=[o for o in outages if _meets(o.starts_at, o.ends_at, found)],
            locked=_locked(context, found),
            address=f"/ui/plan?plan={found.plan_id}" if plan else "/ui/plan?",
        ),
        demands=Table("Demand served", DemandServed.columns, _served(found.demands)),
        **again,
    )


def _meets(start: datetime, end: datetime, found: PlanView) -> bool:
    return start < found.end and found.start < end


def _booking(context: Context, found: PlanView, chosen: str) -> BookingView | None:
    """The booking of the chosen pass, as it stands now."""
    one = next((one for one in found.passes if one.pass_id == chosen), None)
    if one is None or one.booking_id is None:
        return None
    return services.get_booking(context, one.booking_id)


def _is_open(view: BookingView) -> bool:
    """Whether anything can still be decided of it."""
    return view.booking.state in {BookingState.PROPOSED, BookingState.BOOKED}


def _locked(context: Context, found: PlanView) -> set[str]:
    """The passes of a plan whose booking no plan may move."""
    views = services.list_bookings(context, start=found.start, end=found.end, limit=2000)
    return {view.booking.candidate.pass_id for view in views if view.booking.locked}


def _served(demands: Iterable[Any]) -> list[DemandServed]:
    return [DemandServed.model_validate(one) for one in demands]
