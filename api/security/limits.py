"""What no request may exceed, whoever sends it: size, nesting, rate; and what every answer says."""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Refuse = Callable[["Scope", int, str], "Response"]
"""Makes the answer that says no, in the form that callers of that path know."""

DEPTH_MAX = 32  # levels of lists and objects; the deepest request of ours has four
CALLERS_KEPT = 10_000  # whose rates are known; the one that was quiet the longest goes first

# An open string goes on to the end, so that no byte is looked at twice.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|[\[{]|[\]}]', re.DOTALL)


def depth_of(body: bytes | bytearray) -> int:
    """Return how deep lists and objects lie in each other in a JSON text, well formed or not."""
    depth = deepest = 0
    for token in _TOKEN.finditer(body):
        first = token.group()[:1]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest


class LimitedBody:
    """Reads a body whole before the application sees it, and refuses what it should not parse.

    413 for more than `bytes_max`, 415 for what does not say that it is JSON, 400 for JSON nested
    deeper than DEPTH_MAX. What is too large is refused at its first byte too much, or before.
    """

    def __init__(
        self, app: ASGIApp, *, bytes_max: int, refuse: Refuse, untyped: bool = False
    ) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._refuse = refuse
        self._untyped = untyped  #: take a body that does not say what it is

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope.get("headers", ()))
        length = headers.get(b"content-length", b"0")
        if scope["type"] != "http" or not (length != b"0" or b"transfer-encoding" in headers):
            await self._app(scope, receive, send)
            return
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json" and not (self._untyped and not kind):
            shown = kind.decode("latin-1")[:80]
            refusal = self._refuse(scope, 415, f"a body of {shown!r}; allowed: application/json")
            await refusal(scope, receive, send)
            return
        body = bytearray()
        more = not length.isdigit() or int(length[:20]) <= self._bytes_max
        refused = None if more else self._too_large(scope)
        while more and refused is None:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._bytes_max:
                refused = self._too_large(scope)
        if refused is None and depth_of(body) > DEPTH_MAX:
            why = f"lists and objects nested more than {DEPTH_MAX} deep; allowed: fewer levels"
            refused = self._refuse(scope, 400, why)
        if refused is not None:
            await refused(scope, receive, send)
            return
        await self._app(scope, _again(bytes(body), receive), send)

    def _too_large(self, scope: Scope) -> Response:
        why = f"a body of more than {self._bytes_max} bytes; allowed: up to that"
        return self._refuse(scope, 413, why)


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand out a body that was read already, then whatever comes."""
    first = True

    async def handed_out() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return handed_out


class WithHeaders:
    """Adds headers to every answer that does not say the same itself."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), text.encode()) for name, text in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                said = {name.lower() for name, _ in own}
                own += [one for one in self._headers if one[0] not in said]
                message = {**message, "headers": own}
            await send(message)

        await self._app(scope, receive, send_with)


NOTHING_LOADS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every answer tells a browser, unless a page says otherwise of itself."""

OVER_TLS = {**NOTHING_LOADS, "Strict-Transport-Security": "max-age=31536000"}


class Rate:
    """How often each caller may ask: `per_s` on average, twice as many at once."""

    def __init__(self, per_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = max(1.0, 2.0 * per_s)
        self._monotonic = monotonic
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str) -> int:
        """Count a request of `caller`; return 0, or the whole seconds it must wait instead."""
        now_s = self._monotonic()
        left, since_s = self._left.pop(caller, (self._burst, now_s))
        left = min(self._burst, left + (now_s - since_s) * self._per_s)
        allowed = left >= 1.0
        self._left[caller] = (left - 1.0 if allowed else left, now_s)
        if len(self._left) > CALLERS_KEPT:
            self._left.popitem(last=False)
        return 0 if allowed else math.ceil((1.0 - left) / self._per_s)
