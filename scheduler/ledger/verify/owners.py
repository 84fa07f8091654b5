"""Auditing who holds key: reservations and keys that applications drew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scheduler.ledger.db.snapshot import Grouped, Row, Snapshot
from scheduler.ledger.log.canonical import canonical_numbers
from scheduler.ledger.log.rows import checker, named_row
from scheduler.ledger.states import KeyState, ReservationState
from scheduler.ledger.verify.context import PROBLEMS_MAX, AuditContext, Findings, Outcome, Shard

PENDING = frozenset({ReservationState.OPEN, ReservationState.INTENDED})
NEVER_INTENDED = frozenset({ReservationState.OPEN, ReservationState.RELEASED})

RESERVATIONS = "WHERE id BETWEEN :first AND :last ORDER BY id"
RESERVED_PARTS = """
    SELECT part.reservation_ref, part.entry_id, one.enters, two.enters, three.enters,
        one.command_id, block.pool_ref
    FROM reservation_part AS part
    LEFT JOIN ledger_entry AS one ON one.id = part.entry_id
    LEFT JOIN block ON block.id = one.block_ref
    LEFT JOIN ledger_entry AS two ON two.resolves_id = one.id
    LEFT JOIN ledger_entry AS three ON three.resolves_id = two.id
    WHERE part.reservation_ref BETWEEN :first AND :last
    ORDER BY part.reservation_ref, part.entry_id
"""
RESERVED = """
    SELECT (SELECT count(*) FROM ledger_entry WHERE enters = :word AND command_id > :closed),
        (
            SELECT count(*) FROM reservation_part AS part
            LEFT JOIN ledger_entry AS entry ON entry.id = part.entry_id
            WHERE entry.command_id > :closed OR entry.id IS NULL
        )
"""
DRAWN = """
    SELECT block_ref, start_bit, end_bit, key_id FROM "key"
    WHERE block_ref BETWEEN :first AND :last ORDER BY block_ref, start_bit, id
"""
# A plus sign keeps SQLite from the index of blocks: a block has many more entries than a command.
UNDELIVERED = """
    SELECT drawn.key_id FROM "key" AS drawn
    LEFT JOIN ledger_entry AS entry ON entry.command_id = drawn.command_id
        AND +entry.block_ref = drawn.block_ref AND entry.start_bit <= drawn.start_bit
        AND entry.end_bit >= drawn.end_bit AND entry.enters = :word
    WHERE drawn.id BETWEEN :first AND :last AND entry.id IS NULL
    ORDER BY drawn.id LIMIT :most
"""


def check_reservations(snapshot: Snapshot, context: AuditContext, shard: Shard) -> Outcome:
    """State of a range of reservations against the entries that resolved their parts."""
    found = Findings()
    form = context.forms["reservation"]
    is_sound, named = checker(form, ("parts",)), named_row(form)
    parts_of = Grouped(snapshot.rows(RESERVED_PARTS, **shard.span)).of
    for row in snapshot.rows(form.select(RESERVATIONS), **shard.span):
        reservation = named(row)
        parts = parts_of(reservation.id)
        if not is_sound((*row, canonical_numbers([part[1] for part in parts]))):
            found.add(
                f"reservation {reservation.reservation_id}: its row or its parts were changed"
            )
        _check_reservation(reservation, parts, found)
    return Outcome(found.problems)


def _check_reservation(reservation: Any, parts: Sequence[Row], found: Findings) -> None:
    name, state = f"reservation {reservation.reservation_id}", reservation.state
    if not parts:
        found.add(f"{name}: has no part")
    for _, entry_id, reserved, resolved, settled, command, pool in parts:
        if command is None:
            found.add(f"{name}: its part, entry {entry_id}, is not there")
            continue
        if (command, pool) != (reservation.command_id, reservation.pool_ref):
            found.add(f"{name}: entry {entry_id} is of command {command} and pool {pool}")
        if reserved != KeyState.RESERVED:
            found.add(f"{name}: entry {entry_id} reserved nothing")
        if (reached := _state(resolved, settled)) != state and not (
            reached == ReservationState.OPEN and state in PENDING
        ):
            found.add(f"{name}: is {state}, by entry {entry_id} it is {reached}")
    if state in NEVER_INTENDED and reservation.intended_by is not None:
        found.add(f"{name}: is {state}, command {reservation.intended_by} says it was intended")
    if state == ReservationState.INTENDED and reservation.intended_by is None:
        found.add(f"{name}: is intended by no command")


def _state(resolved: str | None, settled: str | None) -> str:
    """State of a reservation by the entries that point at its part."""
    if resolved is None:
        return ReservationState.OPEN.value
    if resolved == KeyState.AVAILABLE:
        return ReservationState.RELEASED.value
    return resolved if settled is None else settled


def check_reserved(snapshot: Snapshot, context: AuditContext, _: Shard) -> Outcome:
    """As many parts of reservations as entries that reserve."""
    found = Findings()
    reserved, hung = snapshot.one(
        RESERVED, word=KeyState.RESERVED.value, closed=context.base.last_command
    )
    if reserved != hung:
        found.add(f"reservation_part: {hung} rows for {reserved} entries that reserve")
    return Outcome(found.problems)


def check_drawn(snapshot: Snapshot, _: AuditContext, shard: Shard) -> Outcome:
    """No two keys share a bit, in a range of blocks."""
    found = Findings()
    reached = (0, 0)
    for block_ref, start, end, key_id in snapshot.rows(DRAWN, **shard.span):
        if not isinstance(start, int) or not isinstance(end, int):  # SQLite keeps words there
            found.add(f"key {key_id}: its range is none of numbers")
            continue
        if (block_ref, start) < reached and block_ref == reached[0]:
            found.add(f"key {key_id}: shares bits of block row {block_ref} with another key")
        reached = (block_ref, end)
    return Outcome(found.problems)


def check_delivered(snapshot: Snapshot, _: AuditContext, shard: Shard) -> Outcome:
    """Each of a range of keys lies inside what its command delivered."""
    found = Findings()
    word = KeyState.DELIVERED.value
    for (key_id,) in snapshot.rows(UNDELIVERED, word=word, most=PROBLEMS_MAX, **shard.span):
        found.add(f"key {key_id}: its bits were not delivered by its command")
    return Outcome(found.problems)
