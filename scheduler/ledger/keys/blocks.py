"""Reading blocks and the entries that moved their bits; never their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, or_, select, text
from sqlalchemy.orm import aliased

from orbits import as_utc
from scheduler.domain import Chunk
from scheduler.errors import LedgerBroken
from scheduler.ledger.db.bulk import query
from scheduler.ledger.keys.provenance import LOOKUPS_AT_ONCE, read_provenances
from scheduler.ledger.reader import ROWS_MAX, Reader
from scheduler.ledger.records import BlockRecord, EntryRecord, record_of
from scheduler.ledger.schema import (
    OPEN_BLOCK,
    RECEIVED_BLOCK,
    Account,
    Block,
    LedgerEntry,
    PoolRow,
)
from scheduler.ledger.states import AccountKind, KeyState

_BLOCKS = (
    select(*Block.__table__.c, PoolRow.pool_id)
    .join(PoolRow, Block.pool_ref == PoolRow.id)
    .order_by(Block.id)
)
_OF_POOL = _BLOCKS.where(PoolRow.pool_id == bindparam("pool_"))
_OPEN = _OF_POOL.where(
    text(OPEN_BLOCK), or_(Block.expires_at.is_(None), Block.expires_at > bindparam("at_"))
)
# As text: only then do both stores see that a partial index serves. In the order of the index,
# for SQLite else reads the whole table in the order of its rows.
_RECEIVED = _BLOCKS.where(text(RECEIVED_BLOCK))
_OF_NODE = _RECEIVED.where(
    or_(PoolRow.node_a == bindparam("node_"), PoolRow.node_b == bindparam("node_"))
)


def get_blocks(reader: Reader, pool_id: str | None = None) -> list[BlockRecord]:
    """The blocks of one pool, or of all, oldest first."""
    connection = reader.connection
    if pool_id is None:
        return block_records(connection, query(connection, _BLOCKS))
    return block_records(connection, query(connection, _OF_POOL, {"pool_": pool_id}))


def get_named_blocks(reader: Reader, block_ids: Sequence[UUID]) -> list[BlockRecord]:
    """Blocks by id. Raises LedgerBroken if one is not there."""
    connection, wanted = reader.connection, [str(one) for one in block_ids]
    rows: list[Any] = []
    for first in range(0, len(wanted), LOOKUPS_AT_ONCE):
        part = wanted[first : first + LOOKUPS_AT_ONCE]
        rows += connection.execute(_BLOCKS.where(Block.block_id.in_(part))).all()
    if missing := set(wanted) - {row.block_id for row in rows}:
        raise LedgerBroken(f"block {min(missing)} is not there, keys were cut from it")
    return block_records(connection, rows)


def get_open_blocks(reader: Reader, pool_id: str, *, at: datetime, limit: int) -> list[BlockRecord]:
    """The blocks of a pool from which key can be spent at an instant, the first `limit` of them."""
    connection = reader.connection
    values = {"pool_": pool_id, "at_": as_utc(at)}
    return block_records(connection, connection.execute(_OPEN.limit(limit), values).all())


def get_waiting_blocks(reader: Reader, node: str | None = None) -> list[BlockRecord]:
    """Blocks received that wait for an announcement, oldest first; those of one node's links.

    Nothing of them can be spent: the satellite that relays them has not spoken yet.
    """
    connection = reader.connection
    if node is None:
        return block_records(connection, query(connection, _RECEIVED))
    return block_records(connection, query(connection, _OF_NODE, {"node_": node}))


def block_records(connection: Connection, rows: Sequence[Any]) -> list[BlockRecord]:
    """Blocks, from their columns and their pools' names."""
    read = read_provenances(connection, (row.provenance for row in rows))
    return [
        record_of(
            BlockRecord,
            row,
            block_id=UUID(row.block_id),
            state=KeyState(row.state),
            provenance=provenance,
        )
        for row, provenance in zip(rows, read, strict=True)
    ]


def get_provenances(reader: Reader, block_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Where blocks came from, by their ids. Raises LedgerBroken for one that is not there."""
    connection = reader.connection
    wanted = sorted(set(block_ids))
    texts: dict[str, str] = {}
    for first in range(0, len(wanted), LOOKUPS_AT_ONCE):
        part = wanted[first : first + LOOKUPS_AT_ONCE]
        rows = connection.execute(
            select(Block.block_id, Block.provenance).where(Block.block_id.in_(part))
        )
        texts.update(rows.all())
    if missing := set(wanted) - texts.keys():
        raise LedgerBroken(f"block {min(missing)} is not there, a merge says that it made it")
    return dict(zip(texts, read_provenances(connection, texts.values()), strict=True))


def chunk_of(row: Any) -> Chunk:
    """A range, from a row with its block's id and its pool's name."""
    return record_of(Chunk, row, block_id=UUID(row.block_id))


def get_entries(
    reader: Reader, *, pool_id: str | None = None, after: int = 0, limit: int = ROWS_MAX
) -> list[EntryRecord]:
    """Ledger entries in the order they were added, those after entry number `after`."""
    source, target = aliased(Account), aliased(Account)
    query = (
        select(
            *LedgerEntry.__table__.c,
            PoolRow.pool_id,
            Block.block_id,
            source.kind.label("source_kind"),
            target.kind.label("target_kind"),
        )
        .join(source, LedgerEntry.source_id == source.id)
        .join(target, LedgerEntry.target_id == target.id)
        .join(Block, LedgerEntry.block_ref == Block.id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .where(LedgerEntry.id > after)
        .order_by(LedgerEntry.id)
        .limit(min(limit, ROWS_MAX))
    )
    if pool_id is not None:
        query = query.where(PoolRow.pool_id == pool_id)
    return [
        record_of(
            EntryRecord,
            row,
            entry_id=row.id,
            source=AccountKind(row.source_kind),
            target=AccountKind(row.target_kind),
            block_id=UUID(row.block_id),
            enters=KeyState(row.enters),
        )
        for row in reader.connection.execute(query)
    ]
