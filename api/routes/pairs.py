"""When two stations can share a satellite."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.routes.common import ContextDependency
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer
from api.schemas.pairs import PairRequest, Pairs, PairWindow
from scheduler import services

router = APIRouter(tags=["passes"])


@router.get("/pairs", response_model=Pairs, responses=forms_of("csv", problems=(404, 409)))
def pairs(
    request: Annotated[PairRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
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
    found = Pairs.of(answer)
    found.pairs = reply.page(request, found.pairs, _begin)
    return reply.of(found, rows=found.pairs, names=PairWindow.names())


def _begin(one: PairWindow) -> tuple[str, str]:
    return one.a_begins_at.isoformat(), one.b_begins_at.isoformat()
