"""Alerts over HTTP; the same use case as `skytrunk alerts`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.routes.common import ContextDependency
from api.schemas.alerts import Alerts, AlertsRequest
from scheduler import services

router = APIRouter(tags=["jobs"])


@router.get("/alerts")
def alerts(request: Annotated[AlertsRequest, Query()], context: ContextDependency) -> Alerts:
    """List what somebody should look at, the last first."""
    return Alerts.of(services.list_alerts(context, kind=request.kind, limit=request.limit))
