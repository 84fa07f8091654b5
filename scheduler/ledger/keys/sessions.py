"""What settled sessions measured, for links to learn from, and sifted key that waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from math import fsum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from orbits import as_utc
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.db.bulk import execute_many, query
from scheduler.ledger.keys.transitions import destroy_block, move_block
from scheduler.ledger.log.canonical import canonical_json
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import Block, PoolRow, SettledSession
from scheduler.ledger.states import KeyState
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.vault.pieces import BlockNames

Link = tuple[str, str]
"""(satellite id, station id)."""

_MEASURED = (
    select(
        SettledSession.command_id,
        SettledSession.satellite_id,
        SettledSession.station_id,
        SettledSession.settled_at,
        SettledSession.sifted_bits,
        SettledSession.expected_bits,
    )
    .where(SettledSession.sifted_bits > 0, SettledSession.expected_bits > 0.0)
    .where(SettledSession.command_id > bindparam("after_"))
    .order_by(SettledSession.command_id)
)
_INTO = insert(SettledSession)


def add_session(
    tx: Transaction,
    handle: CommandHandle,
    *,
    booking_id: UUID,
    link: Link,
    expected_bits: float,
    sifted_bits: int,
    sifted: tuple[UUID, dict[str, Any]] | None = None,
) -> None:
    """Write down what a session measured, and what its preset expected; a command settles one.

    Of a pooled link `sifted` is the block of its sifted key, and that key's counts.
    """
    block_id, counts = sifted or (None, {})
    tx.flush()
    satellite_id, station_id = link
    row = sealed(
        SettledSession.__tablename__,
        {
            "command_id": handle.command_id,
            "booking_id": str(booking_id),
            "satellite_id": satellite_id,
            "station_id": station_id,
            "settled_at": handle.at,
            "expected_bits": float(expected_bits),
            "sifted_bits": sifted_bits,
            "block_ref": None if block_id is None else _number(tx, block_id),
            "counts": canonical_json(counts),
        },
    )
    execute_many(tx.raw, _INTO, [row])
    handle.wrote(SettledSession.__tablename__, row["sha256"])


def _number(tx: Transaction, block_id: UUID) -> int:
    return int(tx.raw.execute(select(Block.id).where(Block.block_id == str(block_id))).scalar_one())


@dataclass(frozen=True, slots=True, kw_only=True)
class SiftedSession:
    """A session whose sifted key waits for its block to close."""

    booking_id: UUID
    block_id: UUID
    settled_at: datetime
    length_bits: int
    simulated: bool
    counts: dict[str, Any]


_SIFTED = (
    select(
        SettledSession.booking_id,
        SettledSession.settled_at,
        SettledSession.counts,
        Block.block_id,
        Block.length_bits,
        Block.simulated,
    )
    .join(Block, SettledSession.block_ref == Block.id)
    .where(
        SettledSession.satellite_id == bindparam("satellite_"),
        SettledSession.station_id == bindparam("station_"),
        SettledSession.settled_at <= bindparam("at_"),
        Block.state == KeyState.SIFTED.value,
    )
    .order_by(SettledSession.command_id)
)


def sifted_sessions(reader: Reader, link: Link, *, at: datetime) -> list[SiftedSession]:
    """The sessions settled by an instant whose sifted key waits on a link, oldest first."""
    satellite_id, station_id = link
    given = {"satellite_": satellite_id, "station_": station_id, "at_": as_utc(at)}
    return [
        SiftedSession(
            booking_id=UUID(row.booking_id),
            block_id=UUID(row.block_id),
            settled_at=row.settled_at,
            length_bits=row.length_bits,
            simulated=bool(row.simulated),
            counts=json.loads(row.counts),
        )
        for row in reader.connection.execute(_SIFTED, given)
    ]


def take_sifted(tx: Transaction, handle: CommandHandle, block_id: UUID) -> tuple[bytes, bytes]:
    """Take a session's sifted key, node_a's and node_b's, out of the store: it is distilled."""
    tx.flush()
    row = tx.raw.execute(
        select(Block.id, Block.pool_ref, Block.epoch, Block.length_bits, PoolRow.pool_id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .where(Block.block_id == str(block_id))
    ).one()
    names = BlockNames(row.id, str(block_id), row.pool_ref, row.pool_id, row.epoch)
    held = tx.vault.take(names, 0, -(-row.length_bits // 8))
    move_block(tx, handle, block_id, expected=KeyState.SIFTED, to=KeyState.DISTILLED)
    destroy_block(tx, block_id)
    return held[0], held[1]


def epsilon_of(reader: Reader, prefix: str) -> float:
    """What the blocks whose natural keys begin so have used up together."""
    above = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    rows = select(Block.eps_total).where(Block.natural_key >= prefix, Block.natural_key < above)
    return fsum(reader.connection.execute(rows).scalars())


class Measured(NamedTuple):
    """What a session counted beside what was expected of it."""

    command_id: int
    link: Link
    settled_at: datetime
    ratio: float  #: of sifted bits


def measured_after(reader: Reader, command_id: int) -> list[Measured]:
    """Every session that a later command settled, in that order.

    One without a bit is no measure of its link's loss: a cloud, or an outage.
    """
    return [
        Measured(
            row.command_id,
            (row.satellite_id, row.station_id),
            row.settled_at,
            row.sifted_bits / row.expected_bits,
        )
        for row in query(reader.connection, _MEASURED, {"after_": command_id})
    ]
