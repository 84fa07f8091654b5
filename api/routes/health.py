"""Is the server up, and what does it work on."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.routes.common import NoParameters, ServicesDependency
from api.shape import health_document
from scheduler import services

router = APIRouter(tags=["health"])


@router.get("/health")
def health(_: NoParameters, context: ServicesDependency) -> dict[str, Any]:
    """Say that the server answers, and on which scenario."""
    return health_document(services.health(context))
