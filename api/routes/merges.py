"""Past merges, and where a key came from; names and amounts only, never key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.problems import problem_answers
from api.routes.common import ContextDependency, NoParameters
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer
from api.schemas.keys import Trace
from api.schemas.merges import Merges, MergesRequest
from scheduler import services

router = APIRouter(tags=["merges"])


@router.get("/merges", response_model=Merges, responses=forms_of("csv"))
def merges(
    request: Annotated[MergesRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List the last merge executions within [from, to)."""
    after = reply.after(request)
    history = services.merge_history(
        context,
        start=request.from_,
        end=request.to,
        limit=request.limit + 1,
        before=None if after is None else str(after[0]),
    )
    page = reply.page(request, history, lambda one: (one["request"],), newest=True, sought=True)
    return reply.of(Merges.of(page))


@router.get("/keys/{key_id}/trace", responses=problem_answers(404))
def trace(
    key_id: Annotated[str, Path(max_length=64)], _: NoParameters, context: ContextDependency
) -> Trace:
    """Follow a key or a block back to passes, spans and announcements."""
    return Trace.of(services.trace_key(context, key_id))
