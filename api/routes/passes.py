"""When a satellite can be seen, and what key a pass would give."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.problems import problem_answers
from api.routes.common import ContextDependency
from api.schemas.passes import Passes, PassRequest
from scheduler import services

router = APIRouter(tags=["passes"])


@router.get("/passes", response_model_exclude_unset=True, responses=problem_answers(404, 409))
def passes(request: Annotated[PassRequest, Query()], context: ContextDependency) -> Passes:
    """List the passes of a satellite over one or more stations within [from, to)."""
    answer = services.upcoming_passes(
        context,
        satellite=request.satellite,
        stations=request.station,
        start=request.from_,
        end=request.to,
        min_elevation_deg=request.min_elevation_deg,
        as_known_at=request.as_known_at,
        forecast=request.forecast,
        dark_only=request.dark,
    )
    return Passes.of(answer, forecast=request.forecast)
