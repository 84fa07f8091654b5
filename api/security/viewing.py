"""Who asks decides from what it is answered: an operator's token from its part of the network."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request

from api.security.roles import bearer_in
from scheduler import services
from scheduler.network import Operator
from scheduler.services.context import Context


def whole_context(request: Request) -> Context:
    """What a change acts on: the whole network."""
    return cast(Context, request.app.state.context)


def operator_of(request: Request) -> Operator | None:
    """Whose token the request showed, as the scenario's operators have it."""
    bearer = bearer_in(request)
    sharing = whole_context(request).scenario.sharing
    return None if bearer is None else sharing.of_token(bearer.token.name)


def seen_context(request: Request) -> Context:
    """What a question is answered from."""
    context, operator = whole_context(request), operator_of(request)
    return context if operator is None else services.seen_by(context, operator)
