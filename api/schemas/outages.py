"""Stations and satellites out of service."""

from __future__ import annotations

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, Column, Instant, Listing, Paged, WholeSpan, attribute
from scheduler.domain import OutageKind

Name = Annotated[str, Field(min_length=1, max_length=128)]
Reason = Annotated[str, Field(max_length=200)]


class OutageRequest(WholeSpan):
    """What is out of service, and when."""

    kind: OutageKind
    name: Name
    reason: Reason = ""


class OutagesRequest(Paged):
    """Which outages to list."""

    kind: OutageKind | None = None
    name: Name | None = None


class Outage(Answer):
    """A station or satellite out of service."""

    outage: str = attribute("outage_id")
    kind: OutageKind
    name: str
    from_: Instant = attribute("starts_at", "from")
    to: Instant = attribute("ends_at")
    reason: str

    columns: ClassVar = (
        Column("kind", "kind"),
        Column("name", "name"),
        Column("from", "from_"),
        Column("to", "to"),
        Column("reason", "reason", text=True),
        Column("outage", "outage", rank=1),
    )


class Outages(Listing):
    """Outages by their start."""

    outages: list[Outage]

    noun: ClassVar = "outage"


class MarkedOutage(Outage):
    """A new outage, and the bookings that it marked."""

    marked: list[UUID]
