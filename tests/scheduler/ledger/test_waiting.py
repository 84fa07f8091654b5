"""Key that waits for an announcement: in the books, in no stock, and found by its index."""

from __future__ import annotations

import pytest

from scheduler.domain import NewBlock, Pool
from scheduler.errors import NotEnoughKey
from scheduler.ledger import KeyState, Ledger, Transaction
from scheduler.ledger.keys import blocks, due
from scheduler.ledger.keys.blocks import get_waiting_blocks
from scheduler.ledger.keys.delivery import draw_keys
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.reservations import reserve_key
from scheduler.ledger.keys.spending import spend_pool
from scheduler.ledger.keys.stock import get_balances, get_stock
from scheduler.ledger.keys.transitions import move_block
from tests.scheduler.ledger.builders import NOON, bytes_of, deposit, uuid_of

MINE, OTHERS = Pool.link("micius", "nanshan"), Pool.link("nanshan", "other")


def _receive(tx: Transaction, name: str, bits: int, pool: Pool) -> None:
    handle = tx.command(f"receive/{name}", kind="settle", at=NOON, digest="")
    block = NewBlock(
        block_id=uuid_of(name), pool=pool, natural_key=name, length_bits=bits, source="device",
        simulated=False,
    )  # fmt: skip
    key = bytes_of(name, bits)
    deposit_block(tx, handle, block, material_a=key, material_b=key, received_only=True)
    handle.finish({})


def test_key_that_waits_cannot_be_spent_drawn_or_set_aside(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        _receive(tx, "one", 1024, MINE)
        assert get_stock(tx) == {MINE.pool_id: 0}
        assert get_balances(tx)[MINE.pool_id]["received"] == 1024
        handle = tx.command("try", kind="try", at=NOON, digest="")
        for attempt in (
            lambda: spend_pool(tx, handle, MINE.pool_id, 8),
            lambda: draw_keys(
                tx, handle, MINE.pool_id, key_ids=[uuid_of("k")], size_bits=8, recipients={"m": 0}
            ),
            lambda: reserve_key(
                tx, handle, MINE.pool_id, 8, reservation_id=uuid_of("r"), purpose="test",
                expires_at=NOON.replace(year=2017),
            ),
        ):  # fmt: skip
            with pytest.raises(NotEnoughKey, match="holds 0"):
                attempt()
        moved = move_block(
            tx, handle, uuid_of("one"), expected=KeyState.RECEIVED, to=KeyState.AVAILABLE
        )
        assert (moved, get_stock(tx)) == (1024, {MINE.pool_id: 1024})
        (chunk,) = spend_pool(tx, handle, MINE.pool_id, 1024)
        handle.finish({})
    assert chunk.material_a == bytes_of("one", 1024)
    assert ledger.view.verify().problems == ()


def test_what_waits_is_listed_oldest_first_and_by_node(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        _receive(tx, "one", 800, MINE)
        _receive(tx, "two", 400, OTHERS)
        _receive(tx, "three", 264, MINE)
        deposit(tx, "available", 1024, pool=MINE)
        assert [block.natural_key for block in get_waiting_blocks(tx)] == ["one", "two", "three"]
    with ledger.view.read() as reader:
        assert [block.natural_key for block in get_waiting_blocks(reader, "micius")] == [
            "one",
            "three",
        ]
        assert [block.length_bits for block in get_waiting_blocks(reader, "other")] == [400]
        assert len(get_waiting_blocks(reader, "nanshan")) == 3
        assert get_waiting_blocks(reader, "xinglong") == []


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (blocks._RECEIVED, "ix_block_received"),
        (blocks._OF_NODE, "ix_block_received"),
        (due.DUE_BLOCKS, "ix_block_expiring"),
        (due.DUE_RESERVATIONS, "ix_reservation_open"),
    ],
)
def test_no_question_about_waiting_or_time_reads_the_whole_ledger(
    sqlite_ledger: Ledger, query: object, index: str
) -> None:
    with sqlite_ledger._engine.connect() as connection:
        asked = str(query.compile(connection))  # type: ignore[attr-defined]
        values = ("x",) * asked.count("?")
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", values)
        steps = [row.detail for row in plan]

    assert any(f"USING INDEX {index}" in step for step in steps), steps
