"""Alerts: what somebody should look at."""

from __future__ import annotations

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from api.schemas.base import PAGE_MAX, Answer, Column, Instant, Listing, Paged, attribute
from scheduler.domain import AlertKind


class AlertsRequest(Paged):
    """Which alerts are asked for; the last ones come first."""

    kind: AlertKind | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100
    """Most alerts of a page."""


class Alert(Answer):
    """One event; it is told once, however often it is seen."""

    alert: UUID = attribute("alert_id")
    kind: AlertKind
    subject: str
    at: Instant
    words: str

    columns: ClassVar = (
        Column("at", "at"),
        Column("kind", "kind"),
        Column("what", "words", text=True),
        Column("alert", "alert", rank=1),
    )


class Alerts(Listing):
    """Alerts, the last ones first."""

    alerts: list[Alert]

    noun: ClassVar = "alert"
