"""What happens to the unallocated rest of a block: accepted, held, expired, voided, destroyed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, text, update

from scheduler.errors import UnknownName, WrongState
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import query
from scheduler.ledger.keys.due import DUE_BLOCKS
from scheduler.ledger.log.canonical import marker_digest
from scheduler.ledger.schema import (
    EXPIRED_BLOCK,
    Block,
    FreedRange,
    KeyRecipient,
    KeyRow,
    LedgerEntry,
    PoolRow,
    ReservationPart,
    ReservationRow,
)
from scheduler.ledger.states import (
    ACCOUNT_OF,
    ALLOWED_MOVES,
    RESERVATION_MOVES,
    TERMINAL_KEY_STATES,
    KeyState,
)
from scheduler.ledger.transaction import Transaction

_MOVE = (
    update(Block)
    .where(Block.id == bindparam("block_"), Block.state == bindparam("from_"))
    .values(state=bindparam("to_"))
)
_FREED = (
    select(FreedRange.start_bit, FreedRange.end_bit)
    .where(FreedRange.block_ref == bindparam("block_"))
    .order_by(FreedRange.start_bit)
)
_BLOCK = (
    select(Block.id, Block.state, Block.next_bit, Block.length_bits, PoolRow.pool_id)
    .join(PoolRow, Block.pool_ref == PoolRow.id)
    .where(Block.block_id == bindparam("name_"))
    .with_for_update(of=Block)
)


def move_block(
    tx: Transaction,
    handle: CommandHandle,
    block_id: UUID,
    *,
    expected: KeyState,
    to: KeyState,
) -> int:
    """Move what is left of a block to another state; return how many bits that was.

    Accepts, holds, frees, expires, voids, quarantines or compromises, as the states allow.
    Raises WrongState if they do not or the block is not in `expected`.
    """
    if to not in ALLOWED_MOVES.get(expected, frozenset()):
        allowed = ", ".join(sorted(ALLOWED_MOVES.get(expected, ()))) or "nothing"
        raise WrongState(f"a block goes from {expected.value} to: {allowed}; not to {to.value}")
    block = _row(tx, block_id)
    tx.guarded(
        _MOVE,
        [{"block_": block.id, "from_": expected.value, "to_": to.value}],
        lambda: f"block {block_id} is {block.state}, was to be {expected.value}",
    )
    bits = _book_rest(tx, handle, block, expected, to)
    if not bits:
        raise WrongState(f"block {block_id}: nothing of it is left to become {to.value}")
    return bits


def expire_blocks(tx: Transaction, handle: CommandHandle) -> list[int]:
    """Expire the available blocks whose time is over; return the bits that were left of each."""
    tx.flush()
    due = tx.raw.execute(DUE_BLOCKS, {"at_": handle.at}).scalars().all()
    return [
        move_block(tx, handle, UUID(name), expected=KeyState.AVAILABLE, to=KeyState.EXPIRED)
        for name in due
    ]


def destroy_block(tx: Transaction, block_id: UUID) -> None:
    """Erase the bytes of a block voided, expired, compromised or distilled; its row stays.

    Raises WrongState while any of it is reserved, uncertain or waits to be collected.
    """
    block = _row(tx, block_id)
    ended = (KeyState.VOIDED, KeyState.EXPIRED, KeyState.COMPROMISED, KeyState.DISTILLED)
    if block.state not in ended:
        raise WrongState(f"block {block_id} is {block.state}; allowed: {', '.join(ended)}")
    if outstanding := _outstanding(tx, block.id):
        raise WrongState(f"block {block_id}: {outstanding} of its ranges wait to be resolved")
    tx.guarded(
        _MOVE,
        [{"block_": block.id, "from_": block.state, "to_": KeyState.DESTROYED.value}],
        lambda: f"block {block_id} was to be {block.state}",
    )
    tx.vault.erase_all([block.id])
    tx.erased = True
    _log_erased(tx, str(block_id))


def erase_expired(tx: Transaction) -> int:
    """Erase the bytes of expired blocks, but for what is reserved or waits to be collected.

    Returns how many blocks became tombstones.
    """
    tx.flush()
    expired = select(Block.id, Block.block_id).where(text(EXPIRED_BLOCK)).order_by(Block.id)
    names = {
        ref: block_id
        for ref, block_id in tx.raw.execute(expired).all()
        if not _outstanding(tx, ref)
    }
    refs = list(names)
    if refs:
        ends = {"from_": KeyState.EXPIRED.value, "to_": KeyState.DESTROYED.value}
        moves = [{"block_": ref, **ends} for ref in refs]
        tx.guarded(_MOVE, moves, lambda: "expired blocks were to stay as read")
        tx.vault.erase_all(refs)
        tx.erased = True
        for block_id in names.values():
            _log_erased(tx, block_id)
    return len(refs)


def _log_erased(tx: Transaction, block_id: str) -> None:
    """Say in the log that what was left of a block is no longer there."""
    tx.trail.record("erased", block_id, marker_digest(block_id))


def _book_rest(
    tx: Transaction,
    handle: CommandHandle,
    block: Any,
    expected: KeyState,
    to: KeyState,
) -> int:
    """Entries for the freed ranges and for what lies behind the cursor."""
    numbers = tx.pools.find(tx.raw, block.pool_id)
    assert numbers is not None
    spans = [(start, end) for start, end in query(tx.raw, _FREED, {"block_": block.id})]
    if block.next_bit < block.length_bits:
        spans.append((block.next_bit, block.length_bits))
    for start, end in spans:
        tx.post(handle, numbers.accounts, ACCOUNT_OF[expected], to, (block.id, start, end))
    if to in TERMINAL_KEY_STATES:
        tx.raw.execute(delete(FreedRange).where(FreedRange.block_ref == block.id))
    return sum(end - start for start, end in spans)


def _outstanding(tx: Transaction, block_ref: int) -> int:
    """Ranges of a block that somebody must still resolve or collect."""
    reserved = select(func.count()).select_from(ReservationPart)
    reserved = (
        reserved.join(ReservationRow, ReservationPart.reservation_ref == ReservationRow.id)
        .join(LedgerEntry, LedgerEntry.id == ReservationPart.entry_id)
        .where(
            LedgerEntry.block_ref == block_ref,
            ReservationRow.state.in_([state.value for state in RESERVATION_MOVES]),
        )
    )
    waiting = (
        select(func.count())
        .select_from(KeyRecipient)
        .join(KeyRow, KeyRecipient.key_ref == KeyRow.id)
        .where(
            KeyRow.block_ref == block_ref,
            KeyRow.closed_by.is_(None),
            KeyRecipient.settled_by.is_(None),
        )
    )
    return int(tx.raw.execute(reserved).scalar_one() + tx.raw.execute(waiting).scalar_one())


def _row(tx: Transaction, block_id: UUID) -> Any:
    tx.flush()
    rows = query(tx.raw, _BLOCK, {"name_": str(block_id)})
    if not rows:
        raise UnknownName(f"no block {block_id}")
    return rows[0]
