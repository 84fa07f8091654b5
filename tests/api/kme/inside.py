"""A client that asks an ASGI application inside this process, its lifespan included."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

import httpx
from fastapi import FastAPI

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
