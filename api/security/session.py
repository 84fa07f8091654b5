"""A browser's session: the cookie that holds its token, and the mark of forms of our own.

The cookie holds the secret of a token and nothing else, so that there is no second thing that
opens the door: a token that is revoked or over ends its sessions at once, in every process, and a
server that starts again knows them all.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from scheduler.errors import NotAllowed

if TYPE_CHECKING:
    from starlette.responses import Response

COOKIE = "skytrunk_session"
LASTS = timedelta(hours=12)
CSRF_HEADER = "x-csrf-token"
_CSRF = b"skytrunk csrf/1"


def secret_in_cookie(headers: dict[str, str]) -> str | None:
    """Return the secret that a browser's cookie holds; None without one."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def csrf_of(secret: str) -> str:
    """Return the mark that forms of a session carry; it says nothing of the secret."""
    return hmac.new(secret.encode(), _CSRF, hashlib.sha256).hexdigest()


def check_form(headers: dict[str, str], secret: str) -> None:
    """Raise NotAllowed unless a change asked for by cookie carries the mark of its session."""
    shown = headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(shown.encode(), csrf_of(secret).encode()):
        raise NotAllowed("a change by cookie without its mark; allowed: forms of the pages here")


def open_session(
    response: Response, secret: str, *, expires_at: datetime, now: datetime, over_tls: bool
) -> None:
    """Hand out the cookie, which ends with its token, or after LASTS."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(min(LASTS, expires_at - now).total_seconds()),
        httponly=True,
        samesite="strict",
        secure=over_tls,
    )


def close_session(response: Response, *, over_tls: bool) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=over_tls)
