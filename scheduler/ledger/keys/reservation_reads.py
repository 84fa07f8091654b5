"""Reading reservations back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from scheduler.errors import UnknownName
from scheduler.ledger.keys.blocks import chunk_of
from scheduler.ledger.reader import Reader
from scheduler.ledger.records import Reservation, record_of
from scheduler.ledger.schema import Block, LedgerEntry, PoolRow, ReservationPart, ReservationRow
from scheduler.ledger.states import RESERVATION_MOVES, ReservationState


def get_open_reservations(reader: Reader) -> list[Reservation]:
    """Reservations that nobody resolved yet, oldest first."""
    return _find(reader)


def get_reservation(reader: Reader, reservation_id: UUID) -> Reservation:
    """One reservation in any state. Raises UnknownName if there is none."""
    found = _find(reader, reservation_id)
    if not found:
        raise UnknownName(f"no reservation {reservation_id}")
    return found[0]


def _find(reader: Reader, reservation_id: UUID | None = None) -> list[Reservation]:
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
    for row in reader.connection.execute(query):
        grouped.setdefault(row.reservation_id, []).append(row)
    return [
        record_of(
            Reservation,
            rows[0],
            reservation_id=UUID(name),
            chunks=tuple(map(chunk_of, rows)),
            state=ReservationState(rows[0].state),
        )
        for name, rows in grouped.items()
    ]
