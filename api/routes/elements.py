"""Which element sets are known."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.problems import problem_answers
from api.routes.common import ContextDependency
from api.schemas.elements import Elements, ElementsRequest
from scheduler import services

router = APIRouter(tags=["elements"])


@router.get("/elements", responses=problem_answers(404))
def elements(request: Annotated[ElementsRequest, Query()], context: ContextDependency) -> Elements:
    """List the element sets known, of one satellite or of all."""
    answer = services.list_elements(context, request.satellite, latest=request.latest)
    return Elements.of(answer, limit=request.limit)
