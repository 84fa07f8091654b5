"""Plans over HTTP; the same use cases as `skytrunk plan`."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from api.export.geojson import at_stations
from api.problems import problem_answers
from api.routes.bookings import reply_with
from api.routes.common import (
    ContextDependency,
    NoParameters,
    OperatorDependency,
    WholeDependency,
    file_answers,
)
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer, Paged
from api.schemas.bookings import Bookings, BookingsRequest
from api.schemas.plans import (
    ExplainRequest,
    Explanation,
    Name,
    Plan,
    PlannedPass,
    PlannedPasses,
    PlanRequest,
    Plans,
    PlansRequest,
)
from scheduler import services

router = APIRouter(prefix="/plans", tags=["plans"])


@router.post("", status_code=status.HTTP_201_CREATED, responses=problem_answers(404, 409))
def make_plan(
    request: PlanRequest,
    context: WholeDependency,
    shown: ContextDependency,
    operator: OperatorDependency,
) -> Plan:
    """Plan a window and book what is chosen; a repeated request_id gives the first answer."""
    answer = services.plan_by_hand(
        context,
        start=request.from_,
        end=request.to,
        at=request.at,
        objective=request.objective,
        solver=request.planner,
        seed=request.seed,
        pins=request.pins,
        vetoes=request.vetoes,
        allow=request.allow,
        request_id=request.request_id,
        operator=operator,
    )
    return Plan.model_validate(services.get_plan(shown, answer["plan"]))


@router.get("", response_model=Plans, responses=forms_of("csv"))
def plans(
    request: Annotated[PlansRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List the newest plans, by the start of their window."""
    after = reply.after(request)
    rows = services.list_plans(
        context, limit=request.limit + 1, before=None if after is None else str(after[0])
    )
    page = reply.page(request, rows, lambda one: (one.plan_id,), newest=True, sought=True)
    return reply.of(Plans.of(page))


@router.get("/{plan_id}", responses=problem_answers(404))
def plan(plan_id: Name, _: NoParameters, context: ContextDependency) -> Plan:
    """Give one plan with every pass of its window and the reason for each."""
    return Plan.model_validate(services.get_plan(context, plan_id))


@router.get("/{plan_id}/explain", responses=problem_answers(404))
def explain(
    plan_id: Name, request: Annotated[ExplainRequest, Query()], context: ContextDependency
) -> Explanation:
    """Say in one sentence why a pass was or was not booked."""
    why = services.explain_pass(context, request.pass_, plan_id=plan_id)
    return Explanation(pass_=request.pass_, why=why)


@router.get(
    "/{plan_id}/passes",
    response_model=PlannedPasses,
    responses=forms_of("csv", "geojson", problems=(404,)),
)
def plan_passes(
    plan_id: Name,
    request: Annotated[Paged, Query()],
    context: ContextDependency,
    reply: ReplyDependency,
) -> Answer | Response:
    """List the passes of a plan's window, each with its verdict and the reason for it."""
    shown = Plan.model_validate(services.get_plan(context, plan_id))
    rows = sorted(shown.passes, key=_rise)
    page = reply.page(request, rows, _rise)
    found = PlannedPasses.of(page)
    places = {one.station_id: one for one in context.scenario.stations}
    return reply.of(found, geojson=lambda: json.dumps(at_stations(found.rows, places)))


def _rise(one: PlannedPass) -> tuple[str, str]:
    return one.rises_at.isoformat(), one.pass_


@router.get(
    "/{plan_id}/bookings",
    response_model=Bookings,
    responses=forms_of("csv", "ics", "geojson", problems=(404,)),
)
def plan_bookings(
    plan_id: Name,
    request: Annotated[BookingsRequest, Query()],
    context: ContextDependency,
    reply: ReplyDependency,
) -> Answer | Response:
    """List the bookings that a plan made, kept or cancelled."""
    return reply_with(context, reply, request, plan_id)


@router.get(
    "/{plan_id}/timeline.png", response_class=Response, responses=file_answers("image/png", 404)
)
def timeline_png(plan_id: Name, _: NoParameters, context: ContextDependency) -> Response:
    """Draw a plan: stations by time, night shaded, booked and left-out passes."""
    from api.report.timeline import draw_plan

    with TemporaryDirectory() as folder:
        path = draw_plan(Path(folder) / "plan.png", services.get_plan(context, plan_id), context)
        return Response(path.read_bytes(), media_type="image/png")
