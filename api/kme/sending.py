"""Answers that hold key: sent once, and told to the ledger as left or lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.kme.errors import NO_STORE
from scheduler.errors import SchedulerError
from scheduler.services import delivery

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from scheduler.services.context import Context

GATHER_S = 0.05
"""Answers that left within this time are told to the ledger together."""
PASS_ON_S = 1.0
"""How often keys for other networks are looked for."""
TAKEN_AT_ONCE_BYTES = 16_384
"""A body that every transport takes whole, however slowly the other side reads."""
WAITING_MAX = 1000
"""Answers told at once; more wait for the next time."""

log = structlog.get_logger("skytrunk.kme")


class Outbox:
    """What became of answers, gathered and told to the ledger beside the requests.

    An answer of which nothing is told (this process died) is in doubt after a while.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._left: list[str] = []
        self._lost: list[str] = []
        self._some = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to tell the ledger."""
        self._tasks = [asyncio.create_task(self._run())]
        if self._context.settings.kme_peers:
            self._tasks.append(asyncio.create_task(self._pass_on()))

    async def stop(self) -> None:
        """Tell it the rest."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._left or self._lost:
            if not await self._tell():
                break

    def note(self, answer_id: str, *, left: bool) -> None:
        """Note that an answer left, or that it may not have."""
        (self._left if left else self._lost).append(answer_id)
        self._some.set()

    async def _run(self) -> None:
        patience_s = self._context.settings.key_answer_s
        while True:
            try:
                await asyncio.wait_for(self._some.wait(), patience_s)
            except TimeoutError:
                await run_in_threadpool(self._doubt)
                continue
            await asyncio.sleep(GATHER_S)
            self._some.clear()
            await self._tell()

    async def _pass_on(self) -> None:
        """Send other networks what waits for them, time and again."""
        while True:
            try:
                calls = await run_in_threadpool(delivery.send_due, self._context)
            except SchedulerError as error:
                log.warning("keys not passed on", why=type(error).__name__)
                calls = 0
            await asyncio.sleep(0.0 if calls else PASS_ON_S)

    async def _tell(self) -> bool:
        left, self._left = self._left[:WAITING_MAX], self._left[WAITING_MAX:]
        lost, self._lost = self._lost[:WAITING_MAX], self._lost[WAITING_MAX:]
        try:
            await run_in_threadpool(delivery.settle_answers, self._context, left, lost)
        except SchedulerError as error:
            # Untold they are in doubt after a while, which is true.
            log.warning(
                "answers not settled", count=len(left) + len(lost), why=type(error).__name__
            )
            return False
        return True

    def _doubt(self) -> None:
        try:
            doubted, voided = delivery.doubt_overdue(self._context)
        except SchedulerError as error:
            log.warning("answers not doubted", why=type(error).__name__)
        else:
            if doubted:
                log.warning("answers in doubt", keys=doubted, voided=voided)


class KeyAnswer(Response):
    """A JSON answer with key; notes in the outbox whether the transport took all of it."""

    media_type = "application/json"

    def __init__(self, body: Any, *, outbox: Outbox, answer_ids: Sequence[str]) -> None:
        text = json.dumps(body, separators=(",", ":")).encode()
        super().__init__(text, headers=NO_STORE)
        self._outbox = outbox
        self._answer_ids = answer_ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        left = False
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            rest = bytes(self.body)
            if len(rest) > TAKEN_AT_ONCE_BYTES:
                await send({"type": "http.response.body", "body": rest, "more_body": True})
                # The next one waits until the transport has taken this one, or was lost.
                await send({"type": "http.response.body", "body": b"", "more_body": True})
                rest = b""
            # A connection that was lost before takes what is sent in silence.
            left = not _is_gone(receive)
            await send({"type": "http.response.body", "body": rest, "more_body": False})
        except BaseException:
            left = False
            raise
        finally:
            for answer_id in self._answer_ids:
                self._outbox.note(answer_id, left=left)


def _is_gone(receive: Receive) -> bool:
    """Whether the other side has closed the connection; asks without waiting."""
    while True:
        asking = receive().__await__()
        try:
            next(asking)
        except StopIteration as told:
            if told.value["type"] == "http.disconnect":
                return True
        else:
            asking.close()  # it would wait: nothing is there
            return False
