"""A real server of the doors on a ledger that is there; who calls stands in a header.

Run as `python -m tests.api.kme.server FOLDER FD`, with a listening socket handed over. With a
third word, a laboratory's folder, it speaks mutual TLS as `serve` does and believes the
certificates alone. /empty is a route of a bare FastAPI application behind the same TLS.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from api.kme import build_app
from api.security.guard import guarded
from api.security.pki import Laboratory
from api.security.tls import ServerTls
from api.security.transport import Limits, Server
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.kme.conftest import peer_of
from tests.api.security.conftest import files_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

KME = "kme-e"


def main(folder: Path, listener: int, pki: Path | None = None) -> None:
    """Serve until killed."""
    elsewhere = os.environ.get("SKYTRUNK_DATABASE_URL")
    settings = load_settings(
        database_url=elsewhere or f"sqlite:///{folder / 'ledger.db'}",
        scenario=str(folder / "ring.toml"),
        key_answer_s=5.0,
    )
    with Context(settings) as context:
        if pki is None:
            app = beside_an_empty_route(build_app(context, peer_of=peer_of))
            idle_s = round(Limits().idle_s)  # uvicorn's own 5 s are short on a busy machine
            uvicorn.Server(
                uvicorn.Config(app, fd=listener, log_level="warning", timeout_keep_alive=idle_s)
            ).run()
            return
        doors = guarded(build_app(context), requests_per_s=1e6)
        tls = ServerTls(files_of(Laboratory(pki), KME))
        server = Server(beside_an_empty_route(doors), tls=tls, limits=Limits())
        with socket.socket(fileno=listener) as listening:
            asyncio.run(server.serve(sockets=[listening]))


def beside_an_empty_route(doors: ASGIApp) -> ASGIApp:
    """The doors, and at /empty nothing but FastAPI."""
    bare = FastAPI()

    @bare.get("/empty")
    async def empty() -> dict[str, str]:
        return {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (bare if scope.get("path") == "/empty" else doors)(scope, receive, send)

    return app


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:]))
