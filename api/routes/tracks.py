"""Where a satellite is, above a station and above the ground."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.export.czml import station_packets, to_czml, track_packets
from api.export.geojson import track_geojson
from api.routes.common import ContextDependency
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.base import Answer, to_json
from api.schemas.tracks import Track, TrackPoint, TrackRequest
from scheduler import services

router = APIRouter(tags=["passes"])


@router.get(
    "/track",
    response_model=Track,
    responses=forms_of("csv", "geojson", "czml", problems=(404, 409)),
)
def track(
    request: Annotated[TrackRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """Give a satellite's way within [from, to): below it, and as a station sees it."""
    answer = services.track_of(
        context, request.satellite, request.station, request.from_, request.to, request.step_s
    )
    found = Track.model_validate(answer)
    named = [answer.station] if answer.station else []

    def czml() -> str:
        packets = [
            *station_packets(context.stations(named)),
            *track_packets([answer], answer.satellite),
        ]
        return to_czml(answer.satellite, request.from_, request.to, packets)

    return reply.of(
        found,
        rows=found.points,
        names=TrackPoint.names(),
        geojson=lambda: to_json(track_geojson(found)),
        czml=czml,
    )
