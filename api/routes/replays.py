"""Replays over HTTP: started, watched, and what they came to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response, status

from api.problems import problem_answers
from api.routes.common import ContextDependency, NoParameters, WholeDependency
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer, Paged
from api.schemas.replays import Replay, ReplayRequest, Run, RunResult, Runs
from scheduler import replays

router = APIRouter(prefix="/replays", tags=["replays"])


@router.get("", response_model=Runs, responses=forms_of("csv"))
def list_runs(
    request: Annotated[Paged, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List the replays that were started here, the newest last."""
    rows = replays.list_replays(context)
    page = reply.page(
        request, rows, lambda one: (one.asked_at.isoformat(), one.replay_id), newest=True
    )
    return reply.of(Runs.of(page))


@router.post("", status_code=status.HTTP_202_ACCEPTED, responses=problem_answers(409))
def start(request: ReplayRequest, context: WholeDependency) -> Run:
    """Start a replay in a process and a ledger of its own; 409 while another one runs."""
    found = replays.start_replay(
        context,
        start=request.from_,
        end=request.to,
        seed=request.seed,
        objective=request.objective,
        planner=request.planner,
    )
    return Run.model_validate(found)


@router.get("/{replay_id}", responses=problem_answers(404))
def one_run(
    replay_id: Annotated[str, Path(max_length=80)], _: NoParameters, context: ContextDependency
) -> RunResult:
    """Say how a replay stands, and what it came to if it is done."""
    run, summary = replays.get_replay(context, replay_id)
    result = None if summary is None else Replay.of(summary)
    return RunResult.model_validate({**Run.model_validate(run).model_dump(), "result": result})
