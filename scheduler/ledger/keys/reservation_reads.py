"""Reading reservations back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from scheduler.domain import Chunk
from scheduler.ledger.records import Reservation
from scheduler.ledger.schema import Block, LedgerEntry, PoolRow, ReservationPart, ReservationRow
from scheduler.ledger.states import RESERVATION_MOVES, ReservationState


def find(connection: Connection, reservation_id: UUID | None = None) -> list[Reservation]:
    """Reservations that are not resolved yet, or one of any state, oldest first."""
    query = (
        select(
            ReservationRow.reservation_id,
            ReservationRow.purpose,
            ReservationRow.expires_at,
            ReservationRow.state,
            PoolRow.pool_id,
            Block.block_id,
            LedgerEntry.start_bit,
            LedgerEntry.end_bit,
        )
        .join(PoolRow, ReservationRow.pool_ref == PoolRow.id)
        .join(ReservationPart, ReservationPart.reservation_ref == ReservationRow.id)
        .join(LedgerEntry, LedgerEntry.id == ReservationPart.entry_id)
        .join(Block, LedgerEntry.block_ref == Block.id)
        .order_by(ReservationRow.id, LedgerEntry.id)
    )
    if reservation_id is None:
        query = query.where(ReservationRow.state.in_([state.value for state in RESERVATION_MOVES]))
    else:
        query = query.where(ReservationRow.reservation_id == str(reservation_id))
    grouped: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        grouped.setdefault(row.reservation_id, []).append(row)
    return [
        Reservation(
            reservation_id=UUID(name),
            pool_id=rows[0].pool_id,
            purpose=rows[0].purpose,
            chunks=tuple(
                Chunk(
                    block_id=UUID(row.block_id),
                    pool_id=row.pool_id,
                    start_bit=row.start_bit,
                    end_bit=row.end_bit,
                )
                for row in rows
            ),
            expires_at=rows[0].expires_at,
            state=ReservationState(rows[0].state),
        )
        for name, rows in grouped.items()
    ]
