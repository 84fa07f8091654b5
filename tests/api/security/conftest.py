"""A laboratory of certificates, and a server with them on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.security.certificates import kme_of, peer_of
from api.security.pki import Laboratory
from api.security.tls import ServerTls, TlsFiles
from api.security.transport import Limits, Server

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

NOW = datetime.now(UTC)


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    """Two authorities, one key manager, one application."""
    made = Laboratory(tmp_path / "pki")
    made.init(NOW)
    made.issue("KME-A", plane="peer", now=NOW)
    made.issue("SAE-A", plane="application", now=NOW)
    return made


def files_of(laboratory: Laboratory, *kmes: str) -> TlsFiles:
    """What a server needs of it."""
    return TlsFiles(
        certificates=tuple(laboratory.file_of(name) for name in kmes or ("KME-A",)),
        applications=laboratory.authority_file("application"),
        peers=laboratory.authority_file("peer"),
        revocation_lists=(laboratory.list_file("application"), laboratory.list_file("peer")),
    )


class Asked:
    """An application that says who asks, and counts what reaches it."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": message["type"] + ".complete"})
            return
        self.count += 1
        peer = peer_of(scope)
        body = json.dumps([peer.name, peer.plane, kme_of(scope)]).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def tls_server(
    app: ASGIApp, files: TlsFiles | None, *, limits: Limits | None = None
) -> Iterator[int]:
    """The port of a server; it reads its files again at each look."""
    tls = ServerTls(files, look_every_s=0.0) if files else None
    server = Server(app, tls=tls, limits=limits or Limits())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=30.0)
            assert not thread.is_alive()
