"""The key runway."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.problems import problem_answers
from api.routes.common import ContextDependency
from api.schemas.runway import KeyRunway, RunwayRequest
from scheduler import services

router = APIRouter(tags=["runway"])


@router.get("/runway", responses=problem_answers(404))
def runway(request: Annotated[RunwayRequest, Query()], context: ContextDependency) -> KeyRunway:
    """Say when each pair and link runs dry, with or without some of the booked sessions."""
    answer = services.key_runway(context, days=request.days, at=request.at, without=request.without)
    return KeyRunway.model_validate(answer)
