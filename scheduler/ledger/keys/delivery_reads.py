"""Reading drawn keys back: who may have them and who has them, never their bytes."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from scheduler.ledger.keys.blocks import chunk_of
from scheduler.ledger.reader import Reader
from scheduler.ledger.records import DrawnKey
from scheduler.ledger.schema import Block, KeyRecipient, KeyRow, PoolRow

KEYS_AT_ONCE = 500
"""Keys looked up in one query."""

KEY_COLUMNS = (
    KeyRow.id,
    KeyRow.key_id,
    KeyRow.block_ref,
    KeyRow.start_bit,
    KeyRow.end_bit,
    Block.block_id,
    Block.pool_ref,
    Block.epoch,
    PoolRow.pool_id,
)


def get_drawn_keys(reader: Reader, key_ids: Iterable[UUID]) -> list[DrawnKey]:
    """Drawn keys by id, those that are known, in the order they were drawn."""
    connection = reader.connection
    wanted = [str(one) for one in key_ids]
    found: dict[int, DrawnKey] = {}
    for first in range(0, len(wanted), KEYS_AT_ONCE):
        rows = connection.execute(
            select(*KEY_COLUMNS, KeyRow.expires_at, KeyRow.closed_by)
            .add_columns(KeyRecipient.recipient, KeyRecipient.delivered_by)
            .join(Block, KeyRow.block_ref == Block.id)
            .join(PoolRow, Block.pool_ref == PoolRow.id)
            .join(KeyRecipient, KeyRecipient.key_ref == KeyRow.id)
            .where(KeyRow.key_id.in_(wanted[first : first + KEYS_AT_ONCE]))
            .order_by(KeyRow.id, KeyRecipient.recipient)
        )
        for row in rows:
            if row.id not in found:
                found[row.id] = DrawnKey(
                    key_id=UUID(row.key_id),
                    pool_id=row.pool_id,
                    chunk=chunk_of(row),
                    expires_at=row.expires_at,
                    closed=row.closed_by is not None,
                    recipients={},
                )
            found[row.id].recipients[row.recipient] = row.delivered_by is not None
    return [found[number] for number in sorted(found)]
