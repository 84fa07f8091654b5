"""Plans, bookings and outages over HTTP; the same use cases as `skytrunk plan` and `outage`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.export import to_csv
from api.inputs import check_order
from api.problems import problem_answers
from api.routes.common import (
    Answer,
    Instant,
    NoParameters,
    Parameters,
    ServicesDependency,
    SpanParameters,
)
from api.shape_plans import (
    PLANNED_FIELDS,
    booking_fields,
    outage_document,
    plan_document,
    plans_document,
)
from scheduler import services

router = APIRouter(tags=["plans"])
NAMES_MAX = 100
Name = Annotated[str, Field(min_length=1, max_length=128)]
Reason = Annotated[str, Field(max_length=200)]


class Body(BaseModel):
    """A request's body; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class PlanAsked(Body):
    """A window to plan, and how."""

    from_: Annotated[Instant, Field(alias="from")]
    """Begin of the window. ISO 8601 with a zone, or a date."""
    to: Instant
    """Its end, not included."""
    at: Instant | None = None
    """The plan's present: what was known by then counts. Now, or an earlier begin, if not given."""
    objective: Literal["demand", "max-min", "total"] | None = None
    """What it is best at. The setting's, if not given."""
    planner: Literal["auto", "lp", "milp", "greedy"] | None = None
    """How it is solved. The setting's, if not given."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Of the solver, where it draws lots."""
    pins: Annotated[list[Name], Field(max_length=NAMES_MAX)] = []
    """Passes to book: satellite/station/instant, any instant of the pass."""
    vetoes: Annotated[list[Name], Field(max_length=NAMES_MAX)] = []
    """Passes never to book."""
    allow: Annotated[list[Name], Field(max_length=NAMES_MAX)] = []
    """Passes whose pin or veto is taken back."""
    request_id: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    """A repeat under the same name returns the first answer."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.from_, self.to)
        return self


class DemandServedOut(BaseModel):
    """What a plan expects to serve of a demand."""

    demand: str
    served_bits: float
    served_share: float


class PlanSummaryOut(Answer):
    """A plan's figures."""

    plan: str
    at: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    objective: str
    asked_solver: str
    solver: str
    seed: int
    value: float
    """Of the objective: a share served, or bits; standing bookings count."""
    bound: float | None
    """No plan can be worth more."""
    gap: float | None
    """Part of `bound` that may still be missing, 0 to 1."""
    expected_bits: float
    booked: int
    kept: int
    cancelled: int
    fallback: str
    notes: list[str]
    demands: list[DemandServedOut]
    link_prices: dict[str, float]
    """Pool: gain in weighed demand served for one more bit on that link."""


class PlannedPassOut(BaseModel):
    """One pass of a plan's window, and why it was or was not booked."""

    model_config = ConfigDict(populate_by_name=True)

    pass_: Annotated[str, Field(alias="pass")]
    satellite: str
    station: str
    rises_at: str
    sets_at: str
    max_elevation_deg: float
    sun_elevation_deg: float
    verdict: str
    acquires_at: str | None
    loses_at: str | None
    secret_bits: float | None
    clear_probability: float | None
    expected_bits: float | None
    booking: str | None
    booking_state: str | None
    why: str


class PlanOut(PlanSummaryOut):
    """A plan with every pass of its window."""

    passes: list[PlannedPassOut]


class PlansOut(BaseModel):
    """Plans by the start of their window."""

    plans: list[PlanSummaryOut]


class ExplanationOut(BaseModel):
    """One sentence."""

    pass_: Annotated[str, Field(alias="pass")]
    why: str


class BookingOut(BaseModel):
    """One booking as it stands."""

    booking: str
    satellite: str
    station: str
    acquires_at: str
    loses_at: str
    max_elevation_deg: float
    state: str
    locked: bool
    out_of_service: str
    expected_bits: float
    clear_probability: float
    reason: str
    plan: str
    booked_at: str
    changed_at: str
    changes: int


class BookingsOut(BaseModel):
    """Bookings by AOS."""

    bookings: list[BookingOut]


class OutageOut(BaseModel):
    """A station or satellite out of service."""

    outage: str
    kind: str
    name: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    reason: str


class OutagesOut(BaseModel):
    """Outages by their start."""

    outages: list[OutageOut]


class MarkedOut(OutageOut):
    """A new outage, and the bookings that it marked."""

    marked: list[str]


class PlansQuestion(Parameters):
    """How many plans to list."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class ExplainQuestion(Parameters):
    """The pass asked about: satellite/station/instant, or a booking's id."""

    pass_: Annotated[Name, Field(alias="pass")]


class BookingsQuestion(SpanParameters):
    """Which bookings to list."""

    state: Annotated[str | None, Field(max_length=16)] = None
    """proposed, booked, preparing, running, settled, failed, missed or cancelled."""


class LockAsked(Body):
    """A lock, or its end."""

    locked: bool = True
    reason: Reason = ""


class CancelAsked(Body):
    """A cancellation needs a reason."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]


class OutageAsked(Body):
    """What is out of service, and when."""

    kind: Literal["station", "satellite"]
    name: Name
    from_: Annotated[Instant, Field(alias="from")]
    to: Instant
    reason: Reason = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.from_, self.to)
        return self


@router.post(
    "/plans",
    status_code=status.HTTP_201_CREATED,
    response_model=PlanOut,
    responses=problem_answers(404, 409),
)
def make_plan(asked: PlanAsked, context: ServicesDependency) -> dict[str, Any]:
    """Plan a window and book what is chosen; a repeated request_id gives the first answer."""
    answer = services.plan_by_hand(
        context,
        start=asked.from_,
        end=asked.to,
        at=asked.at,
        objective=asked.objective,
        solver=asked.planner,
        seed=asked.seed,
        pins=asked.pins,
        vetoes=asked.vetoes,
        allow=asked.allow,
        request_id=asked.request_id,
    )
    return plan_document(services.get_plan(context, answer["plan"]))


@router.get("/plans", response_model=PlansOut)
def plans(
    question: Annotated[PlansQuestion, Query()], context: ServicesDependency
) -> dict[str, Any]:
    """List the newest plans, by the start of their window."""
    return plans_document(services.list_plans(context, limit=question.limit))


@router.get("/plans/{plan_id}", response_model=PlanOut, responses=problem_answers(404))
def plan(plan_id: Name, _: NoParameters, context: ServicesDependency) -> dict[str, Any]:
    """Give one plan with every pass of its window and the reason for each."""
    return plan_document(services.get_plan(context, plan_id))


@router.get(
    "/plans/{plan_id}/explain", response_model=ExplanationOut, responses=problem_answers(404)
)
def explain(
    plan_id: Name, question: Annotated[ExplainQuestion, Query()], context: ServicesDependency
) -> dict[str, Any]:
    """Say in one sentence why a pass was or was not booked."""
    return {
        "pass": question.pass_,
        "why": services.explain_pass(context, question.pass_, plan_id=plan_id),
    }


@router.get("/plans/{plan_id}/passes.csv", response_class=Response,
            responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
                       **problem_answers(404)})  # fmt: skip
def passes_csv(plan_id: Name, _: NoParameters, context: ServicesDependency) -> Response:
    """Give the passes of a plan as CSV."""
    rows = plan_document(services.get_plan(context, plan_id))["passes"]
    return Response(to_csv(rows, PLANNED_FIELDS), media_type="text/csv")


@router.get("/plans/{plan_id}/bookings.ics", response_class=Response,
            responses={200: {"content": {"text/calendar": {"schema": {"type": "string"}}}},
                       **problem_answers(404)})  # fmt: skip
def bookings_ics(plan_id: Name, _: NoParameters, context: ServicesDependency) -> Response:
    """Give the bookings of a plan as an iCalendar file."""
    from api.calendar import to_calendar

    text = to_calendar(
        services.list_bookings(context, plan_id=plan_id),
        satellites={item.satellite_id: item for item in context.scenario.satellites},
        stations={item.station_id: item for item in context.scenario.stations},
    )
    return Response(text, media_type="text/calendar")


@router.get("/plans/{plan_id}/timeline.png", response_class=Response,
            responses={200: {"content": {"image/png": {"schema": {"type": "string"}}}},
                       **problem_answers(404)})  # fmt: skip
def timeline_png(plan_id: Name, _: NoParameters, context: ServicesDependency) -> Response:
    """Draw a plan: stations by time, night shaded, booked and left-out passes."""
    from api.timeline import draw_plan

    with TemporaryDirectory() as folder:
        path = draw_plan(Path(folder) / "plan.png", services.get_plan(context, plan_id), context)
        return Response(path.read_bytes(), media_type="image/png")


@router.get("/bookings", response_model=BookingsOut)
def bookings(
    question: Annotated[BookingsQuestion, Query()], context: ServicesDependency
) -> dict[str, Any]:
    """List bookings by AOS."""
    found = services.list_bookings(
        context, start=question.from_, end=question.to, state=question.state
    )
    return {"bookings": [booking_fields(told) for told in found]}


@router.post(
    "/bookings/{booking_id}/lock", response_model=BookingOut, responses=problem_answers(404, 409)
)
def lock(booking_id: UUID, asked: LockAsked, context: ServicesDependency) -> dict[str, Any]:
    """Let no plan move a booking, or let plans move it again."""
    told = services.lock_booking(context, booking_id, locked=asked.locked, reason=asked.reason)
    return booking_fields(told)


@router.post(
    "/bookings/{booking_id}/cancel", response_model=BookingOut, responses=problem_answers(404, 409)
)
def cancel(booking_id: UUID, asked: CancelAsked, context: ServicesDependency) -> dict[str, Any]:
    """Cancel a booking that has not begun; 409 for a session under way or over."""
    return booking_fields(services.cancel_booking(context, booking_id, reason=asked.reason))


@router.get("/outages", response_model=OutagesOut)
def outages(_: NoParameters, context: ServicesDependency) -> dict[str, Any]:
    """List the outages that were not lifted."""
    return {"outages": [outage_document(outage) for outage in services.list_outages(context)]}


@router.post(
    "/outages",
    status_code=status.HTTP_201_CREATED,
    response_model=MarkedOut,
    responses=problem_answers(404),
)
def add_outage(asked: OutageAsked, context: ServicesDependency) -> dict[str, Any]:
    """Take a station or satellite out of service; its bookings are marked, not deleted."""
    return services.add_outage(
        context,
        kind=asked.kind,
        name=asked.name,
        start=asked.from_,
        end=asked.to,
        reason=asked.reason,
    )
