"""Drawing and collecting keys: no thread waits while the ledger does what is short."""

from __future__ import annotations

from asyncio import wrap_future
from collections.abc import Sequence
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from scheduler.domain import Delivery, KeyRequest
from scheduler.errors import NotEnoughKey, UnknownName, WrongState
from scheduler.services import delivery
from scheduler.services.context import Context


async def draw_keys(context: Context, master: str, slave: str, request: KeyRequest) -> Delivery:
    """Draw keys; where link key must be merged first, a thread does it. Raises as `enc_keys`."""
    try:
        found = delivery.enc_keys_of_stock(context, master=master, slave=slave, request=request)
        return await wrap_future(found)
    except NotEnoughKey:
        return await run_in_threadpool(
            delivery.enc_keys, context, master=master, slave=slave, request=request
        )


async def take_keys(context: Context, slave: str, master: str, key_ids: Sequence[UUID]) -> Delivery:
    """Collect keys; where there are none, a thread finds out why. Raises as `dec_keys`."""
    try:
        found = delivery.dec_keys_soon(context, slave=slave, master=master, key_ids=key_ids)
        return await wrap_future(found)
    except (UnknownName, WrongState):
        return await run_in_threadpool(
            delivery.dec_keys, context, slave=slave, master=master, key_ids=key_ids
        )
