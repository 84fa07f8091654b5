"""So much is computed at once: who waits, who is shed, who left, and who never waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Receive, Scope, Send

from api.problems import refusal
from api.security.load import BoundedWork
from scheduler.abandon import go_on


class Slow:
    """An application whose every answer waits until it is let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.append(scope["path"])
        if scope["path"] != "/health":
            await self.let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Caller:
    """One request, and the client that may leave."""

    def __init__(self, app: Any, path: str) -> None:
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self._messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
        scope = {"type": "http", "path": path, "method": "GET", "headers": []}
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        if self._messages:
            return self._messages.pop()
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    async def status(self) -> int:
        await asyncio.wait_for(self.task, 30)
        return int(self.sent[0]["status"])


def _try(case: Callable[[Slow, BoundedWork], Coroutine[Any, Any, None]], **limits: Any) -> None:
    async def run() -> None:
        slow = Slow()
        await case(slow, BoundedWork(slow, refuse=refusal, **limits))

    asyncio.run(run())


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_so_many_are_computed_the_next_wait_and_the_rest_is_shed() -> None:
    async def case(slow: Slow, bounded: BoundedWork) -> None:
        callers = [Caller(bounded, f"/{number}") for number in range(5)]
        await _settle()
        assert slow.begun == ["/0", "/1"]
        assert await callers[4].status() == 503
        headers = dict(callers[4].sent[0]["headers"])
        assert headers[b"retry-after"] == b"2"
        slow.let_go.set()
        assert [await one.status() for one in callers[:4]] == [200] * 4
        # Nothing of the burst is left: the next is computed at once.
        assert await Caller(bounded, "/5").status() == 200

    _try(case, at_once=2, waiting_max=2, wait_s_max=30.0)


def test_who_leaves_while_it_waits_is_never_computed() -> None:
    async def case(slow: Slow, bounded: BoundedWork) -> None:
        first, second, third = (Caller(bounded, path) for path in ("/first", "/left", "/stays"))
        await _settle()
        second.left.set()
        await second.task
        assert second.sent == []
        slow.let_go.set()
        assert [await first.status(), await third.status()] == [200, 200]
        assert slow.begun == ["/first", "/stays"]

    _try(case, at_once=1, waiting_max=2, wait_s_max=30.0)


def test_who_waited_long_enough_is_shed() -> None:
    async def case(slow: Slow, bounded: BoundedWork) -> None:
        first, second = Caller(bounded, "/first"), Caller(bounded, "/second")
        assert await second.status() == 503
        assert slow.begun == ["/first"]
        slow.let_go.set()
        assert await first.status() == 200
        assert await Caller(bounded, "/third").status() == 200

    _try(case, at_once=1, waiting_max=2, wait_s_max=0.0)


def test_a_computation_ends_at_its_next_step_when_whoever_asked_has_left() -> None:
    begun, steps = threading.Event(), list[int]()

    def compute() -> None:
        for number in range(2000):
            steps.append(number)
            begun.set()
            go_on()
            time.sleep(0.01)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/long":
            await run_in_threadpool(compute)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def run() -> None:
        bounded = BoundedWork(app, refuse=refusal, at_once=1, waiting_max=0)
        caller = Caller(bounded, "/long")
        await run_in_threadpool(begun.wait)
        caller.left.set()
        await asyncio.wait_for(caller.task, 10)
        assert caller.sent == []
        assert await Caller(bounded, "/next").status() == 200

    asyncio.run(run())
    assert len(steps) < 1000


def test_a_monitor_never_waits() -> None:
    async def case(slow: Slow, bounded: BoundedWork) -> None:
        first = Caller(bounded, "/first")
        await _settle()
        assert await Caller(bounded, "/health").status() == 200
        slow.let_go.set()
        assert await first.status() == 200

    _try(case, at_once=1, waiting_max=0)
