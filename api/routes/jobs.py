"""Jobs of the clockwork over HTTP; the same use cases as `skytrunk jobs`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.problems import problem_answers
from api.routes.common import ContextDependency, NoParameters, WholeDependency
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer
from api.schemas.jobs import (
    Job,
    JobEvents,
    JobEventsRequest,
    JobRun,
    Jobs,
    JobsRequest,
    Pause,
    PauseRequest,
)
from scheduler import services

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("", response_model=Jobs, responses=forms_of("csv", problems=(404,)))
def jobs(
    request: Annotated[JobsRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List what repeats, and the jobs due last with what became of each; the last one first."""
    answer = services.list_jobs(
        context,
        work=request.work,
        state=request.state,
        limit=request.limit + 1,
        before=reply.instant_after(request),
    )
    found = Jobs.model_validate(answer)
    found.jobs = reply.page(request, found.jobs, _due, sought=True)
    return reply.of(found, rows=found.jobs)


def _due(one: Job) -> tuple[str, str]:
    return one.scheduled_for.isoformat(), one.job


@router.get("/events", responses=problem_answers(404))
def events(request: Annotated[JobEventsRequest, Query()], context: ContextDependency) -> JobEvents:
    """Show every change of one job."""
    return JobEvents.of(services.job_events(context, request.job, request.at))


@router.post("/{work}/run", responses=problem_answers(404, 409))
def run(work: str, _: NoParameters, context: WholeDependency) -> JobRun:
    """Do work that repeats at once, as if it were due now."""
    return JobRun.model_validate(services.run_job_now(context, work))


@router.post("/{work}/pause", responses=problem_answers(404, 409))
def pause(work: str, request: PauseRequest, context: WholeDependency) -> Pause:
    """Have work not done until it is resumed; 409 if it is paused already."""
    return Pause.model_validate(services.pause_job(context, work, reason=request.reason))


@router.post("/{work}/resume", responses=problem_answers(404))
def resume(work: str, _: NoParameters, context: WholeDependency) -> Pause:
    """Have paused work done again; return the pause that ended."""
    return Pause.model_validate(services.resume_job(context, work))
