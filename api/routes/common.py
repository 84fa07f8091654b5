"""What every route shares: the context, and the refusal of unknown parameters."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Self, cast

from fastapi import Depends, Query, Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from api.inputs import ALLOWED_INSTANT, check_order, parse_instant
from scheduler.errors import InputError
from scheduler.services.context import Context


class Parameters(BaseModel):
    """Query parameters of a route; anything else in the query string is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


Instant = Annotated[
    datetime,
    BeforeValidator(lambda value: parse_instant(str(value))),
    WithJsonSchema({"type": "string", "format": "date-time", "description": ALLOWED_INSTANT}),
]


class SpanParameters(Parameters):
    """Parameters of a question about a span that may be open at either end."""

    from_: Annotated[Instant | None, Field(alias="from")] = None
    """Begin. ISO 8601 with a zone, or a date. From the first on, if not given."""
    to: Instant | None = None
    """End, not included. To the last, if not given."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.to is not None:
            check_order(self.from_, self.to)
        return self


class Answer(BaseModel):
    """An answer's body; what stands under a field describes it."""

    model_config = ConfigDict(use_attribute_docstrings=True)


NoParameters = Annotated[Parameters, Query()]
"""For a route that takes no parameter at all."""

LISTS = frozenset({"station"})
"""The query parameters that may stand more than once."""


def refuse_repeats(request: Request) -> None:
    """Raise InputError for a parameter that stands twice: neither value is the right one."""
    counts = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in counts.items():
        if count > 1 and name not in LISTS:
            raise InputError(f"{name} stands {count} times in the query; allowed: once")


def _services(request: Request) -> Context:
    return cast(Context, request.app.state.services)


ServicesDependency = Annotated[Context, Depends(_services)]
