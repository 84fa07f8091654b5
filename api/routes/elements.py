"""Which element sets are known."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.problems import problem_answers
from api.routes.common import ContextDependency, WholeDependency
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer
from api.schemas.elements import (
    Checked,
    CheckRequest,
    Elements,
    ElementSet,
    ElementsRequest,
    NamedSets,
    WithdrawRequest,
)
from scheduler import services

router = APIRouter(tags=["elements"])


@router.get("/elements", response_model=Elements, responses=forms_of("csv", problems=(404,)))
def elements(
    request: Annotated[ElementsRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List the element sets known, of one satellite or of all; the newest come first."""
    found = Elements.of(services.list_elements(context, request.satellite, latest=request.latest))
    found.elements = reply.page(request, found.elements, _key, newest=True)
    return reply.of(found, rows=found.elements)


def _key(one: ElementSet) -> tuple[str, int, str]:
    return one.epoch.isoformat(), one.norad_id, one.sha256


@router.get("/elements/check", responses=problem_answers(404))
def check(request: Annotated[CheckRequest, Query()], context: ContextDependency) -> Checked:
    """Compare each element set with its neighbours, and name those that do not agree."""
    return Checked.model_validate(services.check_elements(context, request.satellite))


@router.post("/elements/accept", responses=problem_answers(404))
def accept(request: NamedSets, context: WholeDependency) -> Elements:
    """Let sets serve that are quarantined or withdrawn; they are not judged again."""
    answer = services.accept_elements(
        context, request.elements, satellite=request.satellite, reason=request.reason
    )
    return Elements.of(answer)


@router.post("/elements/withdraw", responses=problem_answers(404))
def withdraw(request: WithdrawRequest, context: WholeDependency) -> Elements:
    """Take sets out from an instant on; replays see them until then, their plans are marked."""
    answer = services.withdraw_elements(
        context,
        request.elements,
        satellite=request.satellite,
        since=request.from_,
        reason=request.reason,
    )
    return Elements.of(answer)
