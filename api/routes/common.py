"""What every route shares: the services, and the refusal of unknown parameters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from api.inputs import ALLOWED_INSTANT, parse_instant
from scheduler.services import Services


class Parameters(BaseModel):
    """Query parameters of a route; anything else in the query string is refused."""

    model_config = ConfigDict(extra="forbid")


NoParameters = Annotated[Parameters, Query()]
"""For a route that takes no parameter at all."""

Instant = Annotated[
    datetime,
    BeforeValidator(lambda value: parse_instant(str(value))),
    WithJsonSchema({"type": "string", "format": "date-time", "description": ALLOWED_INSTANT}),
]


def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


ServicesDependency = Annotated[Services, Depends(_services)]
