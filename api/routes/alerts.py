"""Alerts over HTTP; the same use case as `skytrunk alerts`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.routes.common import ContextDependency
from api.routes.reply import ReplyDependency, forms_of
from api.schemas.alerts import Alert, Alerts, AlertsRequest
from api.schemas.base import Answer
from scheduler import services

router = APIRouter(tags=["jobs"])


@router.get("/alerts", response_model=Alerts, responses=forms_of("csv"))
def alerts(
    request: Annotated[AlertsRequest, Query()], context: ContextDependency, reply: ReplyDependency
) -> Answer | Response:
    """List what somebody should look at, the last first."""
    rows = services.list_alerts(
        context,
        kind=request.kind,
        before=reply.instant_after(request),
        limit=request.limit + 1,
    )
    found = Alerts.of(rows)
    found.alerts = reply.page(request, found.alerts, _key, sought=True)
    return reply.of(found, rows=found.alerts)


def _key(one: Alert) -> tuple[str, str]:
    return one.at.isoformat(), str(one.alert)
