"""How much is computed at once: the rest waits a moment, or is told to come again."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING

from api.security.limits import Refuse
from scheduler.abandon import Abandoned, abandoned_by

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
"""Requests that are computed at once: threads of Python take turns, and those that read and answer
need theirs."""

WAITING_MAX = 64
WAIT_S_MAX = 1.2
"""How many more wait for their turn, and how long at most. So many questions about passes take
less than that: where they come at the rate at which they are computed, one that took longer than
usual sheds none of those behind it. Two pages of one person who waits for a runway both come."""

RETRY_AFTER_S = 2
ALWAYS = frozenset({"/health", "/ready", "/metrics", "/events"})
"""What a monitor asks never waits for what others compute; nor does a stream, which computes
nothing and would keep its turn for ever."""
FILES = "/ui/static/"


class BoundedWork:
    """Computes so many requests at once; sheds what would wait too long with 503.

    Who leaves while it waits is never computed. A computation that has begun is told that nobody
    waits for it any more, and ends at its next step; its turn is free when it has.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        refuse: Refuse,
        at_once: int = AT_ONCE,
        waiting_max: int = WAITING_MAX,
        wait_s_max: float = WAIT_S_MAX,
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._turns = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._waiting_max = waiting_max
        self._wait_s_max = wait_s_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in ALWAYS or (scope["path"].startswith(FILES)):
            await self._app(scope, receive, send)
            return
        if not self._turns.locked():
            async with self._turns:
                await self._compute(scope, _Client(receive), send)
            return
        if self._waiting >= self._waiting_max:
            await self._shed(scope, receive, send)
            return
        client = _Client(receive)
        self._waiting += 1
        try:
            got_turn = await self._turn_or_leave(client)
        finally:
            self._waiting -= 1
        if got_turn:
            try:
                await self._compute(scope, client, send)
            finally:
                self._turns.release()
        elif not client.has_left:
            await self._shed(scope, receive, send)
        await client.forget()

    async def _compute(self, scope: Scope, client: _Client, send: Send) -> None:
        """Compute one answer, and tell the computation if whoever asked leaves."""
        left = threading.Event()

        async def watch() -> None:
            await client.leaves()
            left.set()

        watching = asyncio.ensure_future(watch())
        try:
            with abandoned_by(left), suppress(Abandoned):
                await self._app(scope, client.receive, send)
        finally:
            await _cancelled(watching)
            await client.forget()

    async def _turn_or_leave(self, client: _Client) -> bool:
        """Wait for a turn; False if none came in time, or whoever asked has left."""
        turn = asyncio.ensure_future(self._turns.acquire())
        left = asyncio.ensure_future(client.leaves())
        try:
            await asyncio.wait(
                {turn, left}, timeout=self._wait_s_max, return_when=asyncio.FIRST_COMPLETED
            )
            if turn.done() and not client.has_left:
                return True
            if turn.done():
                self._turns.release()
            return False
        finally:
            # What has its turn keeps it; a turn that is cancelled here was not taken.
            for one in (turn, left):
                await _cancelled(one)

    async def _shed(self, scope: Scope, receive: Receive, send: Send) -> None:
        why = f"too much to compute; allowed: again in {RETRY_AFTER_S} s"
        answer = self._refuse(scope, 503, why)
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        await answer(scope, receive, send)


class _Client:
    """What a client sends, read ahead as far as it takes to see that it left."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: list[Message] = []
        self._reading: asyncio.Future[Message] | None = None
        self.has_left = False

    async def leaves(self) -> None:
        """Return when the client has left; a body is not read, so for one it never returns."""
        while True:
            message = await self._next()
            self._read.append(message)
            if message["type"] == "http.disconnect":
                self.has_left = True
                return
            if message.get("more_body", False):
                await asyncio.Event().wait()

    async def _next(self) -> Message:
        """The next message; what is under way goes on if whoever waits for it is cancelled."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._receive())
        message = await asyncio.shield(self._reading)
        self._reading = None
        return message

    async def receive(self) -> Message:
        """Hand out what was read ahead, then whatever comes."""
        return self._read.pop(0) if self._read else await self._next()

    async def forget(self) -> None:
        """Wait no longer for what the client would send."""
        if self._reading is not None:
            await _cancelled(self._reading)


async def _cancelled(task: Awaitable[object]) -> None:
    assert isinstance(task, asyncio.Future)
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
