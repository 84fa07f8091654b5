"""Which element sets are known."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.problems import problem_answers
from api.routes.common import Parameters, ServicesDependency
from api.shape import elements_document
from scheduler import services

router = APIRouter(tags=["elements"])
LIMIT_MAX = 5000


class ElementsQuestion(Parameters):
    """Which element sets to list."""

    satellite: Annotated[str | None, Field(max_length=64)] = None
    latest: bool = False
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 500


class ElementSetOut(BaseModel):
    """One element set, and where it came from."""

    norad_id: int
    name: str
    epoch: str
    age_days: float
    arrived_at: str | None
    source: str
    sha256: str


class ElementsOut(BaseModel):
    """The newest sets within the limit, oldest first; `count` is how many there are in all."""

    count: int
    elements: list[ElementSetOut]


@router.get("/elements", response_model=ElementsOut, responses=problem_answers(404))
def elements(
    question: Annotated[ElementsQuestion, Query()], context: ServicesDependency
) -> dict[str, Any]:
    """List the element sets known, of one satellite or of all."""
    answer = services.list_elements(context, question.satellite, latest=question.latest)
    return elements_document(answer, limit=question.limit)
