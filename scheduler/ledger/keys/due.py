"""What time brings to its end: reservations, blocks and keys that are due at an instant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, select, text

from orbits import as_utc
from scheduler.ledger.db.bulk import query
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import (
    EXPIRING_BLOCK,
    OPEN_RESERVATION,
    Block,
    FreedRange,
    KeyRecipient,
    KeyRow,
    ReservationRow,
)

# The predicates stand as text: only then do both stores see that a partial index serves. In the
# order of the index, for SQLite else reads the whole table in the order of its rows.
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
        KeyRecipient.settled_by.is_(None),
    )
)

_ANY_DUE: tuple[Any, ...] = (
    DUE_RESERVATIONS.limit(1),
    DUE_BLOCKS.limit(1),
    _DUE_KEYS.limit(1),
)


def is_anything_due(reader: Reader, at: datetime) -> bool:
    """Whether time has anything to end by an instant: a reservation, a block, or a key."""
    when = {"at_": as_utc(at)}
    return any(query(reader.connection, one, when) for one in _ANY_DUE)
