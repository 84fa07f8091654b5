"""Which element sets are known."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.problems import problem_answers
from api.routes.common import ContextDependency
from api.schemas.elements import Elements, ElementsRequest, NamedSets, WithdrawRequest
from scheduler import services

router = APIRouter(tags=["elements"])


@router.get("/elements", responses=problem_answers(404))
def elements(request: Annotated[ElementsRequest, Query()], context: ContextDependency) -> Elements:
    """List the element sets known, of one satellite or of all."""
    answer = services.list_elements(context, request.satellite, latest=request.latest)
    return Elements.of(answer, limit=request.limit)


@router.post("/elements/accept", responses=problem_answers(404))
def accept(request: NamedSets, context: ContextDependency) -> Elements:
    """Let sets serve that are quarantined or withdrawn; they are not judged again."""
    answer = services.accept_elements(
        context, request.elements, satellite=request.satellite, reason=request.reason
    )
    return Elements.of(answer)


@router.post("/elements/withdraw", responses=problem_answers(404))
def withdraw(request: WithdrawRequest, context: ContextDependency) -> Elements:
    """Take sets out from an instant on; replays see them until then, their plans are marked."""
    answer = services.withdraw_elements(
        context,
        request.elements,
        satellite=request.satellite,
        since=request.from_,
        reason=request.reason,
    )
    return Elements.of(answer)
