"""Signing in and out of the pages."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.routes.common import ContextDependency, NoParameters
from api.schemas.session import Session
from api.security.roles import bearer_in
from api.security.session import close_session, csrf_of, open_session
from scheduler.errors import NotAuthenticated

router = APIRouter(prefix="/session", tags=["session"])


@router.get("")
def who(_: NoParameters, request: Request) -> Session:
    """Say who asks."""
    bearer = bearer_in(request)
    if bearer is None:
        return Session(name=None, role=None, expires_at=None, csrf=None)
    token = bearer.token
    return Session(
        name=token.name,
        role=token.role,
        expires_at=token.expires_at,
        csrf=csrf_of(bearer.secret),
    )


@router.post("")
def sign_in(
    _: NoParameters, request: Request, response: Response, context: ContextDependency
) -> Session:
    """Open a session for the token that the request shows: the answer sets a cookie."""
    bearer = bearer_in(request)
    if bearer is None:
        raise NotAuthenticated("no token was shown; allowed: Authorization: Bearer with a token")
    open_session(
        response,
        bearer.secret,
        expires_at=bearer.token.expires_at,
        now=context.clock.now(),
        over_tls=context.settings.certificate is not None,
    )
    return who(_, request)


@router.delete("", status_code=204)
def sign_out(_: NoParameters, response: Response, context: ContextDependency) -> None:
    """Close the session: the answer takes the cookie back."""
    close_session(response, over_tls=context.settings.certificate is not None)
