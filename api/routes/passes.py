"""When a satellite can be seen, and what key a pass would give."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from api.inputs import check_order
from api.problems import problem_answers
from api.routes.common import Answer, Instant, Parameters, ServicesDependency
from api.shape import passes_document
from scheduler import services

router = APIRouter(tags=["passes"])
STATIONS_MAX = 64


class PassQuestion(Parameters):
    """A question about passes, the same that `skytrunk passes` asks."""

    satellite: Annotated[str, Field(max_length=64)]
    """Its id, name or catalogue number."""
    station: Annotated[
        list[Annotated[str, Field(max_length=64)]] | None, Field(max_length=STATIONS_MAX)
    ] = None
    """A station's id; may stand several times. All, if none is given."""
    from_: Annotated[Instant, Field(alias="from")]
    """Passes that rise from here on, or are under way. ISO 8601 with a zone, or a date."""
    to: Instant
    """End, not included; the setting `passes_days_max` says how many days there may be."""
    min_elevation_deg: Annotated[float | None, Field(ge=0.0, lt=90.0)] = None
    """Passes are cut where the satellite is lower. The scenario's, if not given."""
    as_known_at: Instant | None = None
    """Use only sets known by then; else each instant is served by the set nearest to it."""
    forecast: bool = False
    """Tell the key that each pass would give as well."""
    dark: bool = False
    """Only passes with a part that is dark enough for a link."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.from_, self.to)
        return self


class PassOut(Answer):
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
    """Expected, of the dark part."""
    secret_bits: int | None = None
    """Expected after error correction and privacy amplification, finite size included."""
    qber: float | None = None
    """Expected fraction of errors in the sifted key, 0 to 1."""
    max_elevation_azimuth_deg: float
    nearest_at: str
    rise_azimuth_deg: float
    set_azimuth_deg: float
    cut_at_start: bool
    """It was up already at `from`."""
    cut_at_end: bool
    """It was still up at `to`."""
    dark: bool
    sun_elevation_deg: float
    """At the station, at culmination."""
    acquires_at: str | None
    """AOS: begin of the part that is dark and high enough for a link; null without one."""
    loses_at: str | None
    """LOS: its end."""
    elements_epoch: str
    """Epoch of the element set that the pass was computed from."""
    time_sigma_s: float | None
    """One sigma of the pass's time at the age of its set, from how well earlier sets foretold
    their successors; null where there is no history to tell."""


class PassesOut(Answer):
    """Passes in order of rise, by which rule the element sets were picked, what else to know."""

    rule: str
    """How the element set of each pass was chosen."""
    as_known_at: str | None
    elements_epochs: list[str]
    notes: list[str]
    """What else to know, such as that the satellite was coming down."""
    passes: list[PassOut]


@router.get(
    "/passes",
    response_model=PassesOut,
    response_model_exclude_unset=True,
    responses=problem_answers(404, 409),
)
def passes(
    question: Annotated[PassQuestion, Query()], context: ServicesDependency
) -> dict[str, Any]:
    """List the passes of a satellite over one or more stations within [from, to)."""
    answer = services.upcoming_passes(
        context,
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
