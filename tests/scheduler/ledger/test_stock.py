"""What a pool can spend is read from running figures; it must be what its blocks say."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import NotEnoughKey, WrongState
from scheduler.ledger import KeyState, Ledger, ReservationState, Transaction, open_ledger
from scheduler.ledger.keys.reservation_reads import get_open_reservations
from scheduler.ledger.keys.reservations import reserve_key, resolve_reservation
from scheduler.ledger.keys.spending import spend_pool
from scheduler.ledger.keys.stock import get_stock
from scheduler.ledger.keys.transitions import move_block
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, uuid_of

POOL_ID = NANSHAN_XINGLONG.pool_id
BY_BLOCKS = """
    SELECT coalesce(sum((length_bits - next_bit) / 8 * 8), 0)
        + (SELECT coalesce(sum(end_bit - start_bit), 0) FROM freed_range
           JOIN block ON block.id = block_ref WHERE state = 'available')
    FROM block WHERE state = 'available'
"""
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deposit"), st.integers(1, 90)),  # bits, whole bytes or not
        st.tuples(st.sampled_from(("spend", "reserve")), st.integers(1, 8)),  # bytes
        st.tuples(st.sampled_from(("release", "hold", "free", "void")), st.integers(0, 9)),
    ),
    min_size=4,
    max_size=14,
)


def _step(tx: Transaction, number: int, step: str, size: int, made: list[str]) -> None:
    """One step on the pool; what has nothing to work on does nothing."""
    if step == "deposit":
        deposit(tx, f"block-{number}", size)
        made.append(f"block-{number}")
        return
    handle = tx.command(f"{step}/{number}", kind=step, at=NOON, digest="")
    handle.finish({})
    moves = {
        "hold": (KeyState.AVAILABLE, KeyState.HELD),
        "free": (KeyState.HELD, KeyState.AVAILABLE),
        "void": (KeyState.HELD, KeyState.COMPROMISED),
    }
    if step in moves and made:
        expected, to = moves[step]
        move_block(tx, handle, uuid_of(made[size % len(made)]), expected=expected, to=to)
    elif step == "spend":
        spend_pool(tx, handle, POOL_ID, 8 * size)
    elif step == "reserve":
        reserve_key(tx, handle, POOL_ID, 8 * size, reservation_id=uuid_of(f"hold-{number}"),
                   purpose="", expires_at=NOON + timedelta(hours=1))  # fmt: skip
    elif step == "release":
        for held in [
            one for one in get_open_reservations(tx) if one.state == ReservationState.OPEN
        ][:1]:
            resolve_reservation(tx, handle, held.reservation_id, ReservationState.RELEASED)


def _stocks(ledger: Ledger, path: Path) -> tuple[int, int]:
    with ledger.view.read() as reader:
        told = get_stock(reader).get(POOL_ID, 0)
    with closing(sqlite3.connect(path)) as connection:
        ((summed,),) = connection.execute(BY_BLOCKS).fetchall()
    return told, summed


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_the_stock_is_the_whole_bytes_of_the_blocks(
    sqlite_template: Path, kek: LocalKek, steps: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        shutil.copy(sqlite_template, path)
        with open_ledger(f"sqlite:///{path}", kek=kek) as ledger:
            made: list[str] = []
            for number, (step, size) in enumerate(steps):
                try:
                    with ledger.begin() as tx:
                        _step(tx, number, step, size, made)
                except (NotEnoughKey, WrongState):
                    continue
                told, summed = _stocks(ledger, path)
                assert told == summed
            assert ledger.view.verify().problems == ()
