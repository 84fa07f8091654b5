"""What time or a satellite's contact brings: key to announce, key too old, what is due to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select, text

from scheduler.ledger.keys.tracing import block_records
from scheduler.ledger.records import BlockRecord
from scheduler.ledger.schema import (
    EXPIRING_BLOCK,
    OPEN_BLOCK,
    OPEN_RESERVATION,
    RECEIVED_BLOCK,
    Block,
    FreedRange,
    KeyRecipient,
    KeyRow,
    PoolRow,
    ReservationRow,
)
from scheduler.ledger.states import KeyState

# The predicates stand as text: only then do both stores see that a partial index serves. In the
# order of the index, for SQLite else reads the whole table in the order of its rows.
_RECEIVED = (
    select(*Block.__table__.c, PoolRow.pool_id)
    .join(PoolRow, Block.pool_ref == PoolRow.id)
    .where(text(RECEIVED_BLOCK))
    .order_by(Block.id)
)
_OF_NODE = _RECEIVED.where(
    or_(PoolRow.node_a == bindparam("node_"), PoolRow.node_b == bindparam("node_"))
)

DUE_RESERVATIONS = (
    select(ReservationRow.reservation_id, ReservationRow.state)
    .where(ReservationRow.expires_at <= bindparam("at_"), text(OPEN_RESERVATION))
    .order_by(ReservationRow.expires_at, ReservationRow.id)
)
"""Reservations that nobody resolved in time."""

DUE_BLOCKS = (
    select(Block.block_id)
    .where(
        Block.expires_at <= bindparam("at_"),
        text(EXPIRING_BLOCK),
        or_(
            Block.next_bit < Block.length_bits,
            select(FreedRange.block_ref).where(FreedRange.block_ref == Block.id).exists(),
        ),
    )
    .order_by(Block.expires_at, Block.id)
)
"""Available blocks whose time is over, as far as anything of them is left."""

_DUE_KEYS = (
    select(KeyRow.id)
    .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
    .where(
        KeyRow.expires_at <= bindparam("at_"),
        KeyRow.closed_by.is_(None),
        KeyRecipient.delivered_by.is_(None),
    )
)
_WHOLE = func.sum((Block.length_bits - Block.next_bit) // 8 * 8)
_CAME_BACK = func.sum(FreedRange.end_bit - FreedRange.start_bit)
_LASTS = or_(Block.expires_at.is_(None), Block.expires_at > bindparam("at_"))
_OVER_BITS = (
    select(PoolRow.pool_id, _WHOLE)
    .join(Block, Block.pool_ref == PoolRow.id)
    .where(text(EXPIRING_BLOCK), Block.expires_at <= bindparam("at_"))
    .group_by(PoolRow.pool_id)
)
_OVER_FREED = (
    select(PoolRow.pool_id, _CAME_BACK)
    .join(Block, Block.pool_ref == PoolRow.id)
    .join(FreedRange, FreedRange.block_ref == Block.id)
    .where(text(EXPIRING_BLOCK), Block.expires_at <= bindparam("at_"))
    .group_by(PoolRow.pool_id)
)
_LAPSING = (
    select(PoolRow.pool_id, Block.expires_at, _WHOLE)
    .join(Block, Block.pool_ref == PoolRow.id)
    .where(text(EXPIRING_BLOCK), text(OPEN_BLOCK), Block.expires_at > bindparam("at_"))
    .group_by(PoolRow.pool_id, Block.expires_at)
    .order_by(PoolRow.pool_id, Block.expires_at)
)
_YOUNG_BITS = (
    select(PoolRow.pool_id, _WHOLE)
    .join(Block, Block.pool_ref == PoolRow.id)
    .where(text(OPEN_BLOCK), Block.received_at > bindparam("after_"), _LASTS)
    .group_by(PoolRow.pool_id)
)
_YOUNG_FREED = (
    select(PoolRow.pool_id, _CAME_BACK)
    .join(Block, Block.pool_ref == PoolRow.id)
    .join(FreedRange, FreedRange.block_ref == Block.id)
    .where(Block.state == KeyState.AVAILABLE.value, Block.received_at > bindparam("after_"), _LASTS)
    .group_by(PoolRow.pool_id)
)

_ANY_DUE: tuple[Any, ...] = (
    DUE_RESERVATIONS.limit(1),
    DUE_BLOCKS.limit(1),
    _DUE_KEYS.limit(1),
)


def waiting(connection: Connection, node: str | None = None) -> list[BlockRecord]:
    """Blocks that were received and wait for an announcement, oldest first."""
    found = (
        connection.execute(_RECEIVED)
        if node is None
        else connection.execute(_OF_NODE, {"node_": node})
    )
    return block_records(connection, found.all())


def bits_over(connection: Connection, at: datetime) -> Iterator[tuple[str, int]]:
    """Whole bytes, in bits, of available key whose time is over; a pool may come twice."""
    for query in (_OVER_BITS, _OVER_FREED):
        for pool_id, bits in connection.execute(query, {"at_": at}):
            yield pool_id, int(bits)


def expiring_stock(connection: Connection, at: datetime) -> dict[str, list[tuple[datetime, int]]]:
    """When the time of available key ends, after an instant, and of how many bits; by pool."""
    found: dict[str, list[tuple[datetime, int]]] = {}
    for pool_id, when, bits in connection.execute(_LAPSING, {"at_": at}):
        assert when is not None
        found.setdefault(pool_id, []).append((when, int(bits)))
    return found


def young_bits(connection: Connection, after: datetime, at: datetime) -> dict[str, int]:
    """Spendable bits of the blocks received after an instant, by pool; those without left out."""
    found: Counter[str] = Counter()
    for query in (_YOUNG_BITS, _YOUNG_FREED):
        for pool_id, bits in connection.execute(query, {"after_": after, "at_": at}):
            found[pool_id] += int(bits)
    return dict(found)


def anything_due(connection: Connection, at: datetime) -> bool:
    """Whether time has anything to end by an instant: a reservation, a block, or a key."""
    return any(connection.execute(one, {"at_": at}).first() is not None for one in _ANY_DUE)
