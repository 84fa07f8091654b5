"""Looking many blocks up at once, and ranges that came back in the middle of a transaction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from scheduler.domain import NewBlock
from scheduler.errors import DuplicateBlock
from scheduler.ledger import Ledger, ReservationState, Transaction
from scheduler.ledger.keys.deposit import deposit_block, expect_blocks
from scheduler.ledger.keys.reservations import reserve_key, resolve_reservation
from scheduler.ledger.keys.spending import spend_pool
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, uuid_of

POOL = NANSHAN_XINGLONG


def block(name: str) -> NewBlock:
    return NewBlock(
        block_id=uuid_of(name), pool=POOL, natural_key=name, length_bits=64, source="simulator",
        simulated=True,
    )  # fmt: skip


def _deposit_expected(tx: Transaction, blocks: list[NewBlock]) -> None:
    handle = tx.command("twice", kind="deposit", at=NOON, digest="")
    expect_blocks(tx, blocks)
    for one in blocks:
        deposit_block(tx, handle, one, material_a=bytes(8), material_b=bytes(8))


SAME_NAME: Callable[[NewBlock], NewBlock] = lambda old: replace(old, block_id=UUID(int=7))  # noqa: E731
SAME_ID: Callable[[NewBlock], NewBlock] = lambda old: replace(old, natural_key="other")  # noqa: E731


@pytest.mark.parametrize("twin", [SAME_NAME, SAME_ID])
def test_a_known_name_or_id_among_many_is_refused(
    ledger: Ledger, twin: Callable[[NewBlock], NewBlock]
) -> None:
    with ledger.begin() as tx:
        deposit(tx, "first", 64)
    many = [block(str(number)) for number in range(600)]

    with pytest.raises(DuplicateBlock, match="deposited before"), ledger.begin() as tx:
        expect_blocks(tx, [*many, twin(block("first"))])


@pytest.mark.parametrize("twin", [SAME_NAME, SAME_ID])
def test_what_was_looked_up_is_still_taken_once(
    ledger: Ledger, twin: Callable[[NewBlock], NewBlock]
) -> None:
    both = [block("new"), twin(block("new"))]

    with pytest.raises(DuplicateBlock), ledger.begin() as tx:
        _deposit_expected(tx, both)

    assert ledger.view.verify().blocks == 0


def test_a_range_released_in_a_transaction_is_spent_in_it(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "first", 256)
    with ledger.begin() as tx:
        handle = tx.command("all", kind="test", at=NOON, digest="")
        held = reserve_key(
            tx, handle, POOL.pool_id, 128, reservation_id=uuid_of("held"), purpose="test",
            expires_at=NOON + timedelta(hours=1),
        )  # fmt: skip
        spend_pool(tx, handle, POOL.pool_id, 64)
        resolve_reservation(tx, handle, held.reservation_id, ReservationState.RELEASED)
        taken = spend_pool(tx, handle, POOL.pool_id, 192)
        handle.finish({})

    assert b"".join(chunk.material_a for chunk in taken) == key[:16] + key[24:]
    assert ledger.view.verify().ok
