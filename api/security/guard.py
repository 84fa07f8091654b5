"""The guard before the key manager's handlers: whose certificate, which plane, how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from starlette.responses import JSONResponse

from api.security.certificates import Peer, Plane, peer_of
from api.security.limits import OVER_TLS, LimitedBody, Rate, WithHeaders
from scheduler.errors import NotAuthenticated

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger("skytrunk.access")

BETWEEN_PEERS = "/kmapi/"  # ETSI GS QKD 020; every other path is for applications
BODY_BYTES_MAX = 65_536  # 128 key ids of 291 characters, the longest seen, take 40 kB


def plane_of_path(path: str) -> Plane:
    """Return whose certificates count on a path."""
    return "peer" if path.startswith(BETWEEN_PEERS) else "application"


def refusal(scope: Scope, status: int, why: str) -> JSONResponse:
    """Return the error of the standard that the path belongs to: of 020, else of 014."""
    if plane_of_path(scope["path"]) == "application":
        return JSONResponse({"message": why}, status_code=status)
    body = {"type": "about:blank", "title": "Refused", "status": status, "detail": why}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


class OnlyPeers:
    """401 without a certificate that counts on this path; 503 for one who asks too often.

    ETSI GS QKD 014 knows 400, 401 and 503 alone.
    """

    def __init__(self, app: ASGIApp, rate: Rate) -> None:
        self._app = app
        self._rate = rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            peer = peer_of(scope, plane_of_path(scope["path"]))
        except NotAuthenticated as error:
            _tell(scope, None, str(error))
            await refusal(scope, 401, str(error))(scope, receive, send)
            return
        wait_s = self._rate.wait_s(f"{peer.plane} {peer.name}")
        if wait_s:
            _tell(scope, peer, "too many requests")
            answer = refusal(scope, 503, f"too many requests; allowed: again in {wait_s} s")
            answer.headers["Retry-After"] = str(wait_s)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _tell(scope: Scope, peer: Peer | None, why: str) -> None:
    who = {"name": peer.name, "plane": peer.plane, "serial": peer.serial} if peer else {}
    log.warning("refused", method=scope["method"], path=scope["path"], why=why, **who)


def guarded(app: ASGIApp, *, requests_per_s: float) -> ASGIApp:
    """Return the key manager's application behind everything that stands before it."""
    limited = LimitedBody(app, bytes_max=BODY_BYTES_MAX, refuse=refusal, untyped=True)
    return WithHeaders(OnlyPeers(limited, Rate(requests_per_s)), OVER_TLS)
