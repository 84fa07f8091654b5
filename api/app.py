"""`create_app(settings)`: the only wiring of the HTTP side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from starlette.routing import Route

from api.dashboard import help as help_pages
from api.dashboard import pages, passes_page, plan_page, work_pages
from api.examples import add_example
from api.metrics import Metrics, Timed
from api.problems import add_problem_handlers, problem_answers, refusal
from api.routes import ALL_ROUTERS
from api.routes.common import refuse_repeats
from api.routes.events import LogWatch
from api.routes.reply import BySuffix
from api.security.limits import NOTHING_LOADS, OVER_TLS, LimitedBody, Rate, WithHeaders
from api.security.load import BoundedWork
from api.security.roles import ANYBODY, ROLES, OnlyRoles, check_route
from scheduler.services.context import Context

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from scheduler.settings import Settings

DESCRIPTION = (
    "Satellite-ground QKD: passes, key yield, and one ledger for satellite and fibre keys."
    " Instants are ISO 8601 in UTC; names carry their units; errors are RFC 9457 problems."
)


BODY_BYTES_MAX = 1_000_000  # the largest request of ours, a plan with 1,000 pins, takes 100 kB


ROUTERS = (
    *ALL_ROUTERS,
    pages.front_door,
    pages.router,
    passes_page.router,
    plan_page.router,
    work_pages.router,
    help_pages.router,
)


class HeadAsGet:
    """HEAD on everything that has GET (RFC 9110, 9.1): the same answer without its body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        await self.app({**scope, "method": "GET", "skytrunk.head": True}, receive, send_head)


class Described(FastAPI):
    """An application whose document also says what stands before the routes."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["components"]["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            }
            body_answers = {str(code): one for code, one in problem_answers(400, 413, 415).items()}
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    roles = ROLES.get(f"{method.upper()} {path}", ANYBODY)
                    operation["x-roles"] = sorted(roles)
                    operation["security"] = [{"bearer": []}, {"password": []}] if roles else []
                    if method == "post":
                        operation["responses"] |= body_answers
                    add_example(operation, f"{method.upper()} {path}")
        made = self.openapi_schema
        assert made is not None
        return made


def create_app(settings: Settings, shared: Context | None = None) -> FastAPI:
    """Return the application on these settings.

    Its context opens with it and closes with it, unless it shares one that somebody else closes.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with nullcontext(shared) if shared else Context(settings) as context:
            app.state.context = context
            yield

    app = Described(
        title="Skytrunk",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        dependencies=[Depends(check_route), Depends(refuse_repeats)],
        responses=problem_answers(401, 403, 422, 429, 500, 503),
        # The pages that FastAPI ships fetch scripts from elsewhere; ours is at /docs.
        docs_url=None,
        redoc_url=None,
    )
    add_problem_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    app.state.routes = routes_of(app)
    app.state.watch = LogWatch()
    app.add_middleware(HeadAsGet)
    # The last one added stands outermost.
    app.add_middleware(LimitedBody, bytes_max=BODY_BYTES_MAX, refuse=refusal)
    app.add_middleware(
        OnlyRoles,
        routes=app.state.routes,
        context=lambda: app.state.context,
        host=settings.host,
        rate=Rate(settings.requests_per_s),
        refuse=refusal,
    )
    app.add_middleware(BySuffix, whole=[one.path for one in app.state.routes])
    app.add_middleware(BoundedWork, refuse=refusal)
    app.state.metrics = Metrics(lambda: app.state.context)
    app.add_middleware(Timed, latency=app.state.metrics.latency)
    app.add_middleware(WithHeaders, headers=OVER_TLS if settings.certificate else NOTHING_LOADS)
    return app


def routes_of(app: FastAPI) -> list[Route]:
    """Return every route of the application, those of its routers among them."""
    found = [*app.routes, *(route for router in ROUTERS for route in router.routes)]
    return [route for route in found if isinstance(route, Route)]
