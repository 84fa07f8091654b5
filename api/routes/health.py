"""Is the server up, and what does it work on."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes.common import ContextDependency, NoParameters
from api.schemas.health import Health
from scheduler import services

router = APIRouter(tags=["health"])


@router.get("/health")
def health(_: NoParameters, context: ContextDependency) -> Health:
    """Say that the server answers, and on which scenario."""
    return Health.model_validate(services.health(context))
