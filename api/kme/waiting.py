"""Drawing and collecting keys: no thread waits while the ledger does what is short."""

from __future__ import annotations

import asyncio
from asyncio import wrap_future
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from scheduler.domain import Delivery, KeyRequest
from scheduler.errors import NotEnoughKey, UnknownName, WrongState
from scheduler.services import delivery
from scheduler.services.context import Context

GROUP_MAX = 64
"""Requests that share a transaction; more would make the first of them wait too long."""

GATHER_S = 0.003
"""How long a group waits for those who were there at the last one: a commit costs ten draws."""

_Found = Delivery | delivery.Refusal | None  # None: nobody knows, for others of its group failed
_Waiting = tuple[delivery.Asked, "asyncio.Future[_Found]"]


class Draws:
    """Requests for keys of one event loop, drawn together: one transaction, one commit.

    Who comes while the ledger draws goes with its next turn, which waits a moment for as many as
    there were at the last; who comes alone waits for nobody.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: list[_Waiting] = []
        self._is_drawing = False
        self._expected = 1
        self._gathering: asyncio.TimerHandle | None = None

    async def draw(self, master: str, slave: str, request: KeyRequest) -> Delivery:
        """Draw keys; where link key is merged first, a thread does it. Raises as `enc_keys`."""
        asked = delivery.asked_of(self._context, master=master, slave=slave, request=request)
        try:
            found = await self._together(asked) if asked.is_plain else None
            if found is None:
                (found,) = await wrap_future(delivery.draw_of_stock(self._context, [asked]))
        except NotEnoughKey:
            return await run_in_threadpool(
                delivery.enc_keys, self._context, master=master, slave=slave, request=request
            )
        if not isinstance(found, Delivery):
            raise found
        return found

    def _together(self, asked: delivery.Asked) -> asyncio.Future[_Found]:
        found: asyncio.Future[_Found] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, found))
        self._gather()
        return found

    def _gather(self) -> None:
        """Let the next group go as soon as it is as large as expected, or has waited enough."""
        if self._is_drawing or not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if len(self._waiting) >= self._expected:
            if self._gathering is not None:
                self._gathering.cancel()
            self._is_drawing = True
            loop.call_soon(self._draw)  # so that whatever came at the same time goes along
        elif self._gathering is None:
            self._gathering = loop.call_later(GATHER_S, self._draw)

    def _draw(self) -> None:
        """Have the ledger draw for those who wait."""
        self._gathering = None
        self._is_drawing = True
        some, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
        try:
            drawn = wrap_future(delivery.draw_of_stock(self._context, [asked for asked, _ in some]))
        except Exception as error:  # noqa: BLE001 - no ledger: for each to say
            drawn = asyncio.get_running_loop().create_future()
            drawn.set_exception(error)
        drawn.add_done_callback(partial(self._drawn, [one for _, one in some]))

    def _drawn(
        self,
        waiting: Sequence[asyncio.Future[_Found]],
        drawn: asyncio.Future[list[Delivery | delivery.Refusal]],
    ) -> None:
        """Tell those who waited; the next are drawn for meanwhile."""
        self._is_drawing = False
        self._expected = min(GROUP_MAX, len(waiting) + len(self._waiting))
        self._gather()
        error = drawn.exception()
        for place, one in enumerate(waiting):
            if one.done():
                continue  # called off; nobody will see its answer leave
            if error is None:
                one.set_result(drawn.result()[place])
            elif len(waiting) == 1:
                one.set_exception(error)
            else:
                one.set_result(None)


def draws_of(request: Request) -> Draws:
    """The draws of the application that was asked."""
    draws: Draws = request.app.state.draws
    return draws


async def take_keys(context: Context, slave: str, master: str, key_ids: Sequence[UUID]) -> Delivery:
    """Collect keys; where there are none, a thread finds out why. Raises as `dec_keys`."""
    try:
        found = delivery.dec_keys_soon(context, slave=slave, master=master, key_ids=key_ids)
        return await wrap_future(found)
    except (UnknownName, WrongState):
        return await run_in_threadpool(
            delivery.dec_keys, context, slave=slave, master=master, key_ids=key_ids
        )
