"""What time or a satellite's contact will bring: key to announce, and what is due to end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, text

from scheduler.ledger.models import (
    EXPIRING_BLOCK,
    OPEN_RESERVATION,
    RECEIVED_BLOCK,
    Block,
    FreedRange,
    KeyRecipient,
    KeyRow,
    PoolRow,
    ReservationRow,
)
from scheduler.ledger.records import BlockRecord
from scheduler.ledger.tracing import block_records

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


def anything_due(connection: Connection, at: datetime) -> bool:
    """Whether time has anything to end by an instant: a reservation, a block, or a key."""
    return any(connection.execute(one, {"at_": at}).first() is not None for one in _ANY_DUE)
