"""When a satellite can be seen, and what key a pass would give."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.export.calendar import pass_entries, to_calendar
from api.export.czml import pass_packets, station_packets, to_czml, track_packets
from api.export.geojson import at_stations
from api.inputs import parse_instant
from api.problems import problem_answers
from api.routes.common import ContextDependency
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer
from api.schemas.passes import OnePassRequest, Pass, Passes, PassRequest
from scheduler import services
from scheduler.errors import InputError
from scheduler.services.context import Context

router = APIRouter(tags=["passes"])

STEP_S = 20.0
NEAR = timedelta(minutes=2)
"""How far a pass's rise may have moved by a newer element set and still be the one meant."""


@router.get(
    "/passes",
    response_model=Passes,
    response_model_exclude_unset=True,
    responses=forms_of("csv", "ics", "geojson", "czml", problems=(404, 409)),
)
def passes(
    request: Annotated[PassRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List the passes of a satellite over one or more stations within [from, to)."""
    answer = services.upcoming_passes(
        context,
        satellite=request.satellite,
        stations=request.station,
        start=request.from_,
        end=request.to,
        min_elevation_deg=request.min_elevation_deg,
        as_known_at=request.as_known_at,
        forecast=request.forecast,
        dark_only=request.dark,
    )
    found = Passes.of(answer, forecast=request.forecast)
    found.passes = reply.page(request, found.passes, _key)
    places = {one.station_id: one for one in context.scenario.stations}
    return reply.of(
        found,
        rows=found.passes,
        names=Pass.csv_names(forecast=request.forecast),
        ics=lambda: to_calendar(
            pass_entries(found.passes, at=context.clock.now()), context.scenario
        ),
        geojson=lambda: json.dumps(at_stations(found.passes, places)),
        czml=lambda: _czml(context, request, found),
    )


def _key(one: Pass) -> tuple[str, str]:
    return one.rises_at.isoformat(), one.station


def _czml(context: Context, request: PassRequest, found: Passes) -> str:
    """The satellite while it is up over any of the stations, and a line to each."""
    tracks = [
        services.track_of(
            context, request.satellite, None, one.rises_at, one.sets_at + timedelta(seconds=STEP_S),
            STEP_S,
        )
        for one in found.passes
    ]  # fmt: skip
    packets = [
        *station_packets(context.stations(request.station)),
        *track_packets(tracks, found.passes[0].satellite if found.passes else request.satellite),
        *pass_packets(found.passes),
    ]
    return to_czml(context.scenario.title, request.from_, request.to, packets)


@router.get(
    "/passes/{pass_id:path}",
    response_model_exclude_unset=True,
    responses=problem_answers(404, 409),
)
def one_pass(
    pass_id: Annotated[str, Path(max_length=200)],
    request: Annotated[OnePassRequest, Query()],
    context: ContextDependency,
) -> Pass:
    """Give one pass by its id, satellite/station/rise, or any instant of it."""
    try:
        satellite, station, at = pass_id.split("/")
    except ValueError:
        raise InputError(f"pass_id {pass_id!r:.80}; allowed: satellite/station/instant") from None
    when = parse_instant(at, "pass_id")
    row = services.pass_at(context, satellite, station, when)
    answer = services.upcoming_passes(
        context,
        satellite=satellite,
        stations=[station],
        start=row.rises_at - NEAR,
        end=row.sets_at + NEAR,
        forecast=request.forecast,
    )
    if row.rises_at > when + NEAR or not answer.rows:
        raise InputError(f"pass_id {pass_id!r:.80}: no pass then; allowed: an instant of a pass")
    return Passes.of(answer, forecast=request.forecast).passes[0]
