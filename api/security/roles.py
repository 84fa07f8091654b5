"""Who may do what on the management API: every route and its roles, and who stands before it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Match, Route

from api.security.limits import Rate, Refuse
from api.security.session import check_form, secret_in_cookie
from scheduler import services
from scheduler.domain import AccessToken, Role
from scheduler.errors import LedgerUnavailable, NotAllowed, NotAuthenticated

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from scheduler.services.context import Context

log = structlog.get_logger("skytrunk.access")

Roles = frozenset[Role]
ANYBODY: Roles = frozenset()  # no token is asked for
CALENDAR: Roles = frozenset(Role)
READ: Roles = frozenset(Role) - {Role.CALENDAR}
PLAN: Roles = frozenset({Role.PLANNER, Role.OPERATOR, Role.ADMIN})
OPERATE: Roles = frozenset({Role.OPERATOR, Role.ADMIN})
AUDIT: Roles = frozenset({Role.AUDITOR, Role.OPERATOR, Role.ADMIN})

ROLES: dict[str, Roles] = {
    "GET /health": ANYBODY,
    "GET /problems": ANYBODY,
    "GET /problems/{kind}": ANYBODY,
    "GET /ready": READ,
    "GET /metrics": READ,
    "GET /docs": READ,
    "GET /openapi.json": READ,
    "GET /": READ,
    "GET /session": READ,
    "POST /session": READ,
    "DELETE /session": READ,
    "GET /ui/sign-in": ANYBODY,
    "GET /ui/": READ,
    "GET /ui/static/{name}": ANYBODY,
    "GET /ui/today": READ,
    "GET /ui/passes": READ,
    "GET /ui/plan": READ,
    "GET /ui/network": READ,
    "GET /ui/runway": READ,
    "GET /ui/ledger": READ,
    "GET /ui/replay": READ,
    "GET /ui/jobs": READ,
    "GET /runway": READ,
    "GET /satellites": READ,
    "GET /satellites/{satellite}": READ,
    "GET /stations": READ,
    "GET /stations/{station}": READ,
    "GET /network": READ,
    "GET /network/flow": READ,
    "GET /elements": READ,
    "GET /elements/check": READ,
    "POST /elements/accept": OPERATE,
    "POST /elements/withdraw": OPERATE,
    "GET /passes": READ,
    "GET /passes/{pass_id:path}": READ,
    "GET /pairs": READ,
    "GET /track": READ,
    "GET /plans": READ,
    "GET /plans/{plan_id}": READ,
    "GET /plans/{plan_id}/explain": READ,
    "GET /plans/{plan_id}/passes": READ,
    "GET /plans/{plan_id}/bookings": READ,
    "GET /plans/{plan_id}/timeline.png": READ,
    "POST /plans": PLAN,
    "GET /bookings": READ,
    "GET /bookings/{booking_id}": READ,
    "GET /bookings/{booking_id}/events": READ,
    "GET /calendar.ics": CALENDAR,
    "GET /sessions": READ,
    "POST /bookings/{booking_id}/lock": PLAN,
    "POST /bookings/{booking_id}/cancel": OPERATE,
    "GET /outages": READ,
    "POST /outages": OPERATE,
    "DELETE /outages/{outage_id:path}": OPERATE,
    "GET /events": READ,
    "GET /replays": READ,
    "GET /replays/{replay_id}": READ,
    "POST /replays": PLAN,
    "GET /merges": READ,
    "GET /alerts": READ,
    "GET /jobs": READ,
    "GET /jobs/events": READ,
    "POST /jobs/{work}/run": OPERATE,
    "POST /jobs/{work}/pause": OPERATE,
    "POST /jobs/{work}/resume": OPERATE,
    "GET /ledger/balances": READ,
    "GET /ledger/entries": READ,
    "GET /ledger/checkpoint": AUDIT,
    "GET /ledger/checkpoints": AUDIT,
    "GET /ledger/proof": AUDIT,
    "GET /ledger/verification": AUDIT,
    "GET /keys/{key_id}/trace": AUDIT,
}
"""Every route; one that is not here is nobody's."""

WHOLE = frozenset({
    "GET /metrics", "GET /ledger/proof", "GET /ledger/verification", "GET /keys/{key_id}/trace",
    "GET /ui/replay", "GET /replays", "GET /replays/{replay_id}", "POST /replays",
})  # fmt: skip
"""Routes that tell of the whole network, or of whatever is named: closed to operators' tokens."""

BY_ADDRESS = "GET /calendar.ics"
"""The route that takes a token in its address; of the role calendar alone, which opens no other."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
CHALLENGE = 'Bearer realm="skytrunk", Basic realm="skytrunk"'
FOREIGN = frozenset({"cross-site", "same-site"})  # what a browser says of another page's request


SIGN_IN = "/ui/sign-in"
"""Where a browser is led that asks for a page without a token that counts."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who asks, and by which secret."""

    token: AccessToken
    secret: str = field(repr=False)


BEARER = "skytrunk.bearer"  #: key of the scope: who asks; missing where nobody had to say
TOLD = "skytrunk.told"  #: key of the scope: where whoever stands outside reads the route
DECIDED = "skytrunk.route"  #: key of the scope: the route that the decision was about
NOWHERE = "-"
AWAY_S = 5


async def check_route(request: Request) -> None:
    """Raise NotAllowed if a handler runs for which nothing was decided.

    The decision is taken before the body is read, by a look of its own at the routes; this holds
    it against the route that was taken in the end.
    """
    method = "GET" if request.method == "HEAD" else request.method
    taken = f"{method} {request.scope['route'].path}"
    decided = request.scope.get(DECIDED)
    if taken != decided:
        raise NotAllowed(f"{taken} was not decided on, but {decided}; allowed: a route of ROLES")


def check_whole(context: Context, token: AccessToken, route: str) -> None:
    """Raise NotAllowed for an operator's token where a route tells of more than its part."""
    if route in WHOLE and context.scenario.sharing.of_token(token.name) is not None:
        raise NotAllowed(f"{route} by the token of an operator; allowed: one that is no operator's")


def is_loopback(host: str) -> bool:
    """Whether an address or a name means this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


class OnlyRoles:
    """Lets a request through to its route if its token may use it.

    Where no token was ever given, and the server listens on a loopback address alone, whoever is
    on the machine may do everything; a page in a browser of that machine may not.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Sequence[Route],
        context: Callable[[], Context],
        host: str,
        rate: Rate,
        refuse: Refuse,
    ) -> None:
        self._app = app
        self._routes = routes
        self._context = context
        self._loopback = is_loopback(host)
        self._rate = rate
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name, roles = self._roles_of(scope)
        scope.get(TOLD, []).append(name)
        scope = {**scope, DECIDED: name}
        refused = None
        if roles is not ANYBODY:
            refused = await self._refusal(scope, name, roles)
        await (refused or self._app)(scope, receive, send)

    def _roles_of(self, scope: Scope) -> tuple[str, Roles]:
        """Return the route that a request goes to, and its roles; READ for what goes nowhere."""
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        for route in self._routes:
            if route.matches(asked)[0] is Match.FULL:
                name = f"{asked['method']} {route.path}"
                return name, ROLES.get(name, frozenset({Role.ADMIN}))
        return NOWHERE, READ

    async def _refusal(self, scope: Scope, name: str, roles: Roles) -> ASGIApp | None:
        headers = {key.decode("latin-1"): text.decode("latin-1") for key, text in scope["headers"]}
        caller = scope["client"][0] if scope.get("client") else ""
        token = None
        changes = scope["method"] not in SAFE
        try:
            shown = secret_in(headers)
            by_cookie = secret_in_cookie(headers) if shown is None else None
            shown = by_cookie if shown is None else shown
            secret = secret_in_address(scope, name) if shown is None else shown
            token = await run_in_threadpool(services.bearer_of, self._context(), secret)
            if token is not None and shown is None and token.role != Role.CALENDAR:
                raise NotAuthenticated(
                    f"a token of role {token.role} in an address; allowed: one of role calendar"
                )
            if token is None:
                self._check_open(headers)
            else:
                caller = token.token_id
                wait_s = self._rate.wait_s(caller)
                if wait_s:
                    return self._too_often(scope, wait_s)
            if changes:
                _check_origin(headers)
                if by_cookie is not None:
                    check_form(headers, by_cookie)
            if token is not None and secret is not None:
                scope[BEARER] = Bearer(token, secret)
            if token is not None:
                await self._decide(token, name, allowed=token.role in roles, changes=changes)
            return None
        except NotAuthenticated as error:
            wait_s = self._rate.wait_s(caller)
            if wait_s:
                return self._too_often(scope, wait_s)
            log.warning("refused", route=name, caller=caller, why=str(error))
            if name.startswith("GET /") and "text/html" in headers.get("accept", ""):
                return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': scope['path']})}", 303)
            return self._with(scope, 401, str(error), {"WWW-Authenticate": CHALLENGE})
        except NotAllowed as error:
            who = {"token": token.token_id, "role": token.role.value} if token else {}
            log.warning("refused", route=name, caller=caller, why=str(error), **who)
            return self._refuse(scope, 403, str(error))
        except LedgerUnavailable as error:
            # Who somebody is stands in the ledger; it comes back, and nobody is let in meanwhile.
            log.warning("refused", route=name, caller=caller, why=str(error))
            return self._with(scope, 503, str(error), {"Retry-After": str(AWAY_S)})

    async def _decide(self, token: AccessToken, name: str, *, allowed: bool, changes: bool) -> None:
        """Write down what was decided of a change, before it is made."""
        if changes:
            await run_in_threadpool(
                services.record_access, self._context(), token, route=name, allowed=allowed
            )
        if not allowed:
            raise NotAllowed(f"{name} by a token of role {token.role}; allowed: a role that may")
        check_whole(self._context(), token, name)

    def _check_open(self, headers: dict[str, str]) -> None:
        """Nobody ever gave a token: this machine may come in, and nobody else."""
        if not self._loopback:
            raise NotAuthenticated("no token was given yet; allowed: `skytrunk token add`, first")
        # A page elsewhere can point a name of its own at this address; it cannot change this.
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if not is_loopback(host):
            raise NotAllowed(f"host {host!r:.80} without any token; allowed: localhost")

    def _too_often(self, scope: Scope, wait_s: int) -> ASGIApp:
        why = f"too many requests; allowed: again in {wait_s} s"
        return self._with(scope, 429, why, {"Retry-After": str(wait_s)})

    def _with(self, scope: Scope, status: int, why: str, headers: dict[str, str]) -> ASGIApp:
        answer: Response = self._refuse(scope, status, why)
        answer.headers.update(headers)
        return answer


def secret_in(headers: dict[str, str]) -> str | None:
    """Return the secret that a request shows: as a bearer token, or as a password (Basic).

    A browser asks for the second by itself. What cannot be read counts as a wrong secret.
    """
    shown = headers.get("authorization")
    if shown is None:
        return None
    kind, _, rest = shown.strip().partition(" ")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return rest.strip() if kind.lower() == "bearer" else ""


def bearer_in(request: Request) -> Bearer | None:
    """Return who asks; None where nobody had to say."""
    found = request.scope.get(BEARER)
    assert found is None or isinstance(found, Bearer)
    return found


def secret_in_address(scope: Scope, name: str) -> str | None:
    """Return the secret in the address of the calendar, which can send no header."""
    if name != BY_ADDRESS:
        return None
    return dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token")


def _check_origin(headers: dict[str, str]) -> None:
    """Let no page of another place make a change with what the browser knows."""
    origin = headers.get("origin")
    if headers.get("sec-fetch-site", "none") in FOREIGN or (
        origin is not None and urlsplit(origin).netloc != headers.get("host")
    ):
        raise NotAllowed("a change asked for by another page; allowed: by a page of this server")
