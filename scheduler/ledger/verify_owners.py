"""Auditing who holds key: reservations and keys that applications drew."""

from __future__ import annotations

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import aliased

from scheduler.ledger.canonical import row_digest
from scheduler.ledger.models import (
    Block,
    KeyRecipient,
    KeyRow,
    LedgerEntry,
    ReservationPart,
    ReservationRow,
)
from scheduler.ledger.states import KeyState, ReservationState
from scheduler.ledger.streams import stream
from scheduler.ledger.verify_notes import Findings, Grouped, all_rows

PENDING = frozenset({ReservationState.OPEN.value, ReservationState.INTENDED.value})


def check_reservations(connection: Connection, found: Findings) -> None:
    """Every reservation's state against the entries that resolved its parts."""
    first, second, third = (aliased(LedgerEntry) for _ in range(3))
    parts = Grouped(
        connection,
        select(ReservationPart.reservation_ref, first.id, first.enters, second.enters, third.enters)
        .join(first, first.id == ReservationPart.entry_id)
        .join(second, second.resolves_id == first.id, isouter=True)
        .join(third, third.resolves_id == second.id, isouter=True)
        .order_by(ReservationPart.reservation_ref, first.id),
    )
    for row in all_rows(connection, ReservationRow):
        name = f"reservation {row['reservation_id']}"
        if row["sha256"] != row_digest("reservation", row):
            found.add(f"{name}: its row was changed")
        mine = parts.of(row["id"])
        if not mine:
            found.add(f"{name}: has no part")
        for _, entry_id, reserved, resolved, settled in mine:
            if reserved != KeyState.RESERVED:
                found.add(f"{name}: entry {entry_id} reserved nothing")
            if (state := _state(resolved, settled)) != row["state"] and not (
                state == ReservationState.OPEN and row["state"] in PENDING
            ):
                found.add(f"{name}: is {row['state']}, by entry {entry_id} it is {state}")
        if row["state"] == ReservationState.OPEN and row["intended_by"] is not None:
            found.add(f"{name}: is open, command {row['intended_by']} says it was intended")
        if row["state"] == ReservationState.INTENDED and row["intended_by"] is None:
            found.add(f"{name}: is intended by no command")
    for number in parts.finish():
        found.add(f"reservation_part: names reservation {number}, which is not there")
    reserved = connection.execute(
        select(func.count()).where(LedgerEntry.enters == KeyState.RESERVED.value)
    ).scalar_one()
    hung = connection.execute(select(func.count()).select_from(ReservationPart)).scalar_one()
    if reserved != hung:
        found.add(f"reservation_part: {hung} rows for {reserved} entries that reserve")


def _state(resolved: str | None, settled: str | None) -> str:
    """State of a reservation by the entries that point at its part."""
    if resolved is None:
        return ReservationState.OPEN.value
    if resolved == KeyState.AVAILABLE:
        return ReservationState.RELEASED.value
    return resolved if settled is None else settled


def check_keys(connection: Connection, found: Findings) -> None:
    """Keys lie inside what their command delivered, and no two share a bit."""
    for row in all_rows(connection, KeyRow):
        if row["sha256"] != row_digest("key", row):
            found.add(f"key {row['key_id']}: its row was changed")
    for row in all_rows(connection, KeyRecipient):
        if row["sha256"] != row_digest("key_recipient", row):
            found.add(f"key_recipient {row['key_ref']}/{row['recipient']}: its row was changed")
    ordered = stream(
        connection,
        select(KeyRow.block_ref, KeyRow.start_bit, KeyRow.end_bit, KeyRow.key_id).order_by(
            KeyRow.block_ref, KeyRow.start_bit
        ),
    )
    reached = (0, 0)
    for block_ref, start, end, key_id in ordered:
        if (block_ref, start) < reached and block_ref == reached[0]:
            found.add(f"key {key_id}: shares bits of block row {block_ref} with another key")
        reached = (block_ref, end)
    entry = LedgerEntry
    stray = connection.execute(
        select(KeyRow.key_id)
        .join(Block, KeyRow.block_ref == Block.id, isouter=True)
        .join(
            entry,
            (entry.block_ref == KeyRow.block_ref)
            & (entry.command_id == KeyRow.command_id)
            & (entry.start_bit <= KeyRow.start_bit)
            & (entry.end_bit >= KeyRow.end_bit)
            & (entry.enters == KeyState.DELIVERED.value),
            isouter=True,
        )
        .where(entry.id.is_(None))
        .limit(found.room)
    )
    for (key_id,) in stray:
        found.add(f"key {key_id}: its bits were not delivered by its command")
    orphans = connection.execute(
        select(KeyRecipient.key_ref)
        .join(KeyRow, KeyRecipient.key_ref == KeyRow.id, isouter=True)
        .where(KeyRow.id.is_(None))
        .limit(found.room)
    )
    for (number,) in orphans:
        found.add(f"key_recipient of {number}: its key is not there")
