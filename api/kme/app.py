"""`build_app(context)`: the one application behind every door for key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.kme import etsi014, etsi020, skip
from api.kme.errors import add_error_handlers
from api.kme.identity import PeerOf
from api.kme.sending import Outbox
from api.kme.waiting import Draws
from api.security.certificates import peer_of as peer_of_certificate
from scheduler.services.context import Context

ROUTERS = (etsi014.router, etsi020.router, skip.router)


def build_app(context: Context, *, peer_of: PeerOf = peer_of_certificate) -> FastAPI:
    """Return the doors for key on a context, which stays its owner's to close.

    `peer_of` says who calls, by default by the client certificate that the TLS layer saw.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        outbox = app.state.outbox = Outbox(context)
        outbox.start()
        try:
            yield
        finally:
            await outbox.stop()

    app = FastAPI(
        title="Skytrunk key delivery",
        version="1",
        description="ETSI GS QKD 014 and 020 and SKIP, over mutual TLS.",
        lifespan=lifespan,
        redirect_slashes=False,
        # Pages and documents are the management API's; a door for key has none.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.context = context
    app.state.peer_of = peer_of
    app.state.draws = Draws(context)
    add_error_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    app.state.routes = [route for router in ROUTERS for route in router.routes]
    return app
