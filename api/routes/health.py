"""Is the server up, is all well, and the figures to be watched."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.routes.common import ContextDependency, NoParameters, file_answers
from api.schemas.health import Health, Readiness
from scheduler import services

router = APIRouter(tags=["health"])
PROMETHEUS = "text/plain; version=0.0.4"


@router.get("/health")
async def health(_: NoParameters, context: ContextDependency) -> Health:
    """Say that the server answers, and on which scenario; nothing is read for it."""
    return Health.model_validate(services.health(context))


@router.get("/ready", responses={503: {"model": Readiness}})
def ready(_: NoParameters, context: ContextDependency, response: Response) -> Readiness:
    """Say whether ledger, element sets and clockwork are well; 503 with what is not."""
    found = Readiness.model_validate(services.readiness(context))
    response.status_code = 200 if found.ready else 503
    return found


@router.get("/metrics", response_class=Response, responses=file_answers("text/plain"))
def metrics(_: NoParameters, request: Request) -> Response:
    """Give what is counted in the text format of Prometheus."""
    return Response(request.app.state.metrics.text(), media_type=PROMETHEUS)
