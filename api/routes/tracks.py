"""Where a satellite is, above a station and above the ground."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.export.csv import to_csv
from api.export.geojson import track_geojson
from api.problems import problem_answers
from api.routes.common import ContextDependency
from api.schemas.base import to_json
from api.schemas.tracks import Track, TrackForm, TrackPoint, TrackRequest
from scheduler import services

router = APIRouter(tags=["passes"])


@router.get(
    "/track",
    response_model=Track,
    responses={
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/geo+json": {"schema": {"type": "object"}},
            }
        },
        **problem_answers(404, 409),
    },
)
def track(request: Annotated[TrackRequest, Query()], context: ContextDependency) -> Response:
    """Give a satellite's way within [from, to): below it, and as a station sees it."""
    answer = services.track_of(
        context, request.satellite, request.station, request.from_, request.to, request.step_s
    )
    found = Track.model_validate(answer)
    if request.format is TrackForm.CSV:
        return Response(to_csv(found.points, TrackPoint.names()), media_type="text/csv")
    if request.format is TrackForm.GEOJSON:
        return Response(to_json(track_geojson(found)), media_type="application/geo+json")
    return Response(to_json(found.document()), media_type="application/json")
