"""When two stations can share a satellite."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.problems import problem_answers
from api.routes.common import ContextDependency
from api.schemas.pairs import PairRequest, Pairs
from scheduler import services

router = APIRouter(tags=["passes"])


@router.get("/pairs", responses=problem_answers(404, 409))
def pairs(request: Annotated[PairRequest, Query()], context: ContextDependency) -> Pairs:
    """List when a satellite serves A and then B, or both of them at once, within [from, to)."""
    answer = services.station_pairs(
        context,
        satellite=request.satellite,
        first=request.a,
        second=request.b,
        start=request.from_,
        end=request.to,
        gap_h=request.gap_h,
        simultaneous=request.simultaneous,
        as_known_at=request.as_known_at,
    )
    return Pairs.of(answer)
