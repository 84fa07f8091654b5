"""An answer with key counts as left once the transport has all of it, and not before."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.kme.sending import TAKEN_AT_ONCE_BYTES, KeyAnswer, Outbox
from scheduler.services.context import Context

LARGE = 3 * TAKEN_AT_ONCE_BYTES


class Transport:
    """A connection as uvicorn has it: what is sent next waits until the last was taken.

    It is lost while it takes message number `lost_at`; from then on what is sent goes nowhere.
    """

    def __init__(self, lost_at: int | None) -> None:
        self._lost_at = lost_at
        self.sent: list[dict[str, Any]] = []
        self.is_lost = False

    async def send(self, message: Any) -> None:
        self.is_lost |= len(self.sent) - 1 == self._lost_at
        self.sent.append(message)

    async def receive(self) -> Any:
        if not self.is_lost:
            await asyncio.get_running_loop().create_future()
        return {"type": "http.disconnect"}


def settled(context: Context, length: int, lost_at: int | None) -> tuple[list[str], Transport]:
    """What the outbox was told of an answer of that length, and how it was sent."""
    outbox, transport = Outbox(context), Transport(lost_at)
    answer = KeyAnswer({"keys": "0" * length}, outbox=outbox, answer_ids=["enc-keys/1"])
    asyncio.run(answer({"type": "http"}, transport.receive, transport.send))
    return [*(f"left {one}" for one in outbox._left), *(f"lost {one}" for one in outbox._lost)], (
        transport
    )


@pytest.mark.parametrize("length", [40, LARGE])
def test_an_answer_that_was_taken_whole_left(context: Context, length: int) -> None:
    what, transport = settled(context, length, lost_at=None)

    assert what == ["left enc-keys/1"]
    body = b"".join(one.get("body", b"") for one in transport.sent)
    assert len(body) == length + len('{"keys":""}')
    assert [one.get("more_body", True) for one in transport.sent][-1] is False


@pytest.mark.parametrize(("length", "lost_at"), [(40, -1), (LARGE, -1), (LARGE, 0), (LARGE, 1)])
def test_one_that_was_cut_short_is_in_doubt(context: Context, length: int, lost_at: int) -> None:
    what, _ = settled(context, length, lost_at)

    assert what == ["lost enc-keys/1"]
