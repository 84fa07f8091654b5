"""When a satellite can be seen, and what key a pass would give."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from api.inputs import check_order
from api.problems import problem_answers
from api.routes.common import Instant, Parameters, ServicesDependency
from api.shape import passes_document

router = APIRouter(tags=["passes"])
STATIONS_MAX = 64


class PassQuestion(Parameters):
    """A question about passes, the same that `skytrunk passes` asks."""

    satellite: Annotated[str, Field(max_length=64)]
    station: Annotated[
        list[Annotated[str, Field(max_length=64)]] | None, Field(max_length=STATIONS_MAX)
    ] = None
    from_: Annotated[Instant, Field(alias="from")]
    to: Instant
    min_elevation_deg: Annotated[float | None, Field(ge=0.0, lt=90.0)] = None
    as_known_at: Instant | None = None
    forecast: bool = False
    dark: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.from_, self.to)
        return self


class PassOut(BaseModel):
    """One pass; the three bits of forecast are there only if it was asked for."""

    satellite: str
    norad_id: int
    station: str
    rises_at: str
    culminates_at: str
    sets_at: str
    max_elevation_deg: float
    range_km_min: float
    sifted_bits: float | None = None
    secret_bits: int | None = None
    qber: float | None = None
    max_elevation_azimuth_deg: float
    nearest_at: str
    rise_azimuth_deg: float
    set_azimuth_deg: float
    cut_at_start: bool
    cut_at_end: bool
    dark: bool
    sun_elevation_deg: float
    acquires_at: str | None
    loses_at: str | None
    elements_epoch: str
    time_sigma_s: float | None


class PassesOut(BaseModel):
    """Passes in order of rise, by which rule the element sets were picked, what else to know."""

    rule: str
    as_known_at: str | None
    elements_epochs: list[str]
    notes: list[str]
    passes: list[PassOut]


@router.get(
    "/passes",
    response_model=PassesOut,
    response_model_exclude_unset=True,
    responses=problem_answers(404, 409),
)
def passes(
    question: Annotated[PassQuestion, Query()], services: ServicesDependency
) -> dict[str, Any]:
    """List the passes of a satellite over one or more stations within [from, to)."""
    answer = services.passes(
        satellite=question.satellite,
        stations=question.station,
        start=question.from_,
        end=question.to,
        min_elevation_deg=question.min_elevation_deg,
        as_known_at=question.as_known_at,
        forecast=question.forecast,
        dark_only=question.dark,
    )
    return passes_document(answer, forecast=question.forecast)
