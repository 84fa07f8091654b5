"""What whoever listens to changes asks for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas.base import Request


class EventsRequest(Request):
    """Where a stream of changes begins, and whether it ends."""

    after: Annotated[int | None, Field(ge=0, le=2**53)] = None
    """Begin behind this place in the log; the header Last-Event-ID goes before it."""
    follow: bool = True
    """Wait for more; else the stream ends with the last change there is."""
