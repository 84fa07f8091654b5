"""Plans over HTTP; the same use cases as `skytrunk plan`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from api.export.csv import to_csv
from api.problems import problem_answers
from api.routes.common import ContextDependency, NoParameters, OperatorDependency, file_answers
from api.schemas.plans import (
    ExplainRequest,
    Explanation,
    Name,
    Plan,
    PlannedPass,
    PlanRequest,
    Plans,
    PlansRequest,
)
from scheduler import services

router = APIRouter(prefix="/plans", tags=["plans"])


@router.post("", status_code=status.HTTP_201_CREATED, responses=problem_answers(404, 409))
def make_plan(
    request: PlanRequest, context: ContextDependency, operator: OperatorDependency
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
    return Plan.model_validate(services.get_plan(context, answer["plan"]))


@router.get("")
def plans(request: Annotated[PlansRequest, Query()], context: ContextDependency) -> Plans:
    """List the newest plans, by the start of their window."""
    return Plans.of(services.list_plans(context, limit=request.limit))


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
    "/{plan_id}/passes.csv", response_class=Response, responses=file_answers("text/csv", 404)
)
def passes_csv(plan_id: Name, _: NoParameters, context: ContextDependency) -> Response:
    """Give the passes of a plan as CSV."""
    shown = Plan.model_validate(services.get_plan(context, plan_id))
    return Response(to_csv(shown.passes, PlannedPass.names()), media_type="text/csv")


@router.get(
    "/{plan_id}/bookings.ics", response_class=Response, responses=file_answers("text/calendar", 404)
)
def bookings_ics(plan_id: Name, _: NoParameters, context: ContextDependency) -> Response:
    """Give the bookings of a plan as an iCalendar file."""
    from api.export.calendar import to_calendar

    text = to_calendar(services.list_bookings(context, plan_id=plan_id), context.scenario)
    return Response(text, media_type="text/calendar")


@router.get(
    "/{plan_id}/timeline.png", response_class=Response, responses=file_answers("image/png", 404)
)
def timeline_png(plan_id: Name, _: NoParameters, context: ContextDependency) -> Response:
    """Draw a plan: stations by time, night shaded, booked and left-out passes."""
    from api.report.timeline import draw_plan

    with TemporaryDirectory() as folder:
        path = draw_plan(Path(folder) / "plan.png", services.get_plan(context, plan_id), context)
        return Response(path.read_bytes(), media_type="image/png")
