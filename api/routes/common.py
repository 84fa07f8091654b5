"""What every route shares: the context, and the refusal of unknown parameters."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import Depends, Query
from fastapi import Request as HttpRequest

from api.problems import problem_answers
from api.schemas.base import Request
from api.security.viewing import operator_of, seen_context, whole_context
from scheduler.errors import InputError
from scheduler.network import Operator
from scheduler.services.context import Context

NoParameters = Annotated[Request, Query()]
"""For a route that takes no parameter at all."""

LISTS = frozenset({"station", "without"})
"""The query parameters that may stand more than once."""


async def refuse_repeats(request: HttpRequest) -> None:
    """Raise InputError for a parameter that stands twice: neither value is the right one."""
    counts = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in counts.items():
        if count > 1 and name not in LISTS:
            raise InputError(f"{name} stands {count} times in the query; allowed: once")


def file_answers(
    media_type: str, *problems: int, schema: dict[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that answers with a file of that type.

    The schema of a stream of events is that of each event, a text's without one.
    """
    content = {media_type: {"schema": schema or {"type": "string"}}}
    return {200: {"content": content}, **problem_answers(*problems)}


# What takes microseconds is a coroutine: a function gets a thread's turn, which takes longer.
async def _seen(request: HttpRequest) -> Context:
    return seen_context(request)


async def _whole(request: HttpRequest) -> Context:
    return whole_context(request)


async def _operator(request: HttpRequest) -> Operator | None:
    return operator_of(request)


ContextDependency = Annotated[Context, Depends(_seen)]
"""What questions are answered from."""
WholeDependency = Annotated[Context, Depends(_whole)]
"""What changes act on."""
OperatorDependency = Annotated[Operator | None, Depends(_operator)]
"""Whose token asks for a change."""
