"""A client that asks an ASGI application inside this process, its lifespan included."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx
import uvicorn
from fastapi import FastAPI

from api.kme import build_app
from api.security.certificates import Peer
from scheduler.services.context import Context

T = TypeVar("T")


class InsideClient:
    """Requests by name and path; open it with `with`, so that the application starts and stops."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request and its answer."""
        return self._run(self._client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        """One GET and its answer."""
        return self.request("GET", path, **more)

    async def _open(self) -> None:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://kme.example")
        self._lifespan = self.app.router.lifespan_context(self.app)
        await self._lifespan.__aenter__()

    async def _close(self) -> None:
        await self._lifespan.__aexit__(None, None, None)
        await self._client.aclose()
        await self._loop.shutdown_default_executor()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def key_manager(context: Context, name: str) -> Iterator[str]:
    """The address of a key manager at which everybody is one application."""

    def peer_of(_: Mapping[str, Any]) -> Peer:
        return Peer(name=name, plane="application", serial="1")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(build_app(context, peer_of=peer_of), log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=30)
