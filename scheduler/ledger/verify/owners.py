"""Auditing who holds key: reservations and keys that applications drew."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.ledger.db.snapshot import Row, Snapshot
from scheduler.ledger.log.canonical import canonical_numbers
from scheduler.ledger.log.stored import stored_hasher
from scheduler.ledger.states import KeyState, ReservationState
from scheduler.ledger.verify.context import (
    PROBLEMS_MAX,
    AuditContext,
    Findings,
    Grouped,
    Outcome,
    Part,
    check_hashes,
)

PENDING = frozenset({ReservationState.OPEN.value, ReservationState.INTENDED.value})
NEVER_INTENDED = frozenset({ReservationState.OPEN.value, ReservationState.RELEASED.value})

RESERVATION_COLUMNS = (
    "id",
    "reservation_id",
    "command_id",
    "pool_ref",
    "purpose",
    "expires_at",
    "state",
    "intended_by",
    "sha256",
)
RESERVATIONS = f"""
    SELECT {", ".join(RESERVATION_COLUMNS)} FROM reservation
    WHERE id BETWEEN :first AND :last ORDER BY id
"""
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
RESERVED = "SELECT count(*) FROM ledger_entry WHERE enters = :word"
HUNG = "SELECT count(*) FROM reservation_part"

KEY_COLUMNS = (
    "id",
    "key_id",
    "command_id",
    "block_ref",
    "start_bit",
    "end_bit",
    "expires_at",
    "sha256",
)
KEYS = f"""
    SELECT {", ".join(KEY_COLUMNS)} FROM "key" WHERE id BETWEEN :first AND :last ORDER BY id
"""
RECIPIENT_COLUMNS = ("key_ref", "recipient", "side", "sha256")
RECIPIENTS = """
    SELECT key_ref, recipient, side, sha256 FROM key_recipient
    WHERE key_ref BETWEEN :first AND :last ORDER BY key_ref, recipient COLLATE BINARY
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
OWNERLESS = """
    SELECT owner.key_ref FROM key_recipient AS owner
    LEFT JOIN "key" AS drawn ON owner.key_ref = drawn.id
    WHERE owner.key_ref BETWEEN :first AND :last AND drawn.id IS NULL
    ORDER BY owner.key_ref LIMIT :most
"""


# Three columns are outside every hash: they are filled once the row has long been written. A
# number that is no command's would be asked for by none.
UNINTENDED = """
    SELECT mine.reservation_id, mine.intended_by FROM reservation AS mine
    LEFT JOIN command ON command.id = mine.intended_by
    WHERE mine.id BETWEEN :first AND :last AND mine.intended_by IS NOT NULL AND command.id IS NULL
    ORDER BY mine.id LIMIT :most
"""
UNCLOSED = """
    SELECT mine.key_id, mine.closed_by FROM "key" AS mine
    LEFT JOIN command ON command.id = mine.closed_by
    WHERE mine.id BETWEEN :first AND :last AND mine.closed_by IS NOT NULL AND command.id IS NULL
    ORDER BY mine.id LIMIT :most
"""
UNGIVEN = """
    SELECT mine.key_ref, mine.recipient, mine.delivered_by FROM key_recipient AS mine
    LEFT JOIN command ON command.id = mine.delivered_by
    WHERE mine.key_ref BETWEEN :first AND :last AND mine.delivered_by IS NOT NULL
        AND command.id IS NULL
    ORDER BY mine.key_ref, mine.recipient COLLATE BINARY LIMIT :most
"""


def _span(part: Part) -> dict[str, int]:
    return {"first": part.first, "last": part.last, "most": PROBLEMS_MAX}


def check_reservations(snapshot: Snapshot, _: AuditContext, part: Part) -> Outcome:
    """State of a range of reservations against the entries that resolved their parts."""
    found = Findings()
    digest = stored_hasher("reservation", (*RESERVATION_COLUMNS, "parts"), "parts")
    parts = Grouped(snapshot.rows(RESERVED_PARTS, first=part.first, last=part.last))
    for row in snapshot.rows(RESERVATIONS, first=part.first, last=part.last):
        name = f"reservation {row[1]}"
        mine = parts.of(row[0])
        if row[-1] != digest((*row, canonical_numbers([part[1] for part in mine]))):
            found.add(f"{name}: its row or its parts were changed")
        _check_reservation(name, row, mine, found)
    for name, command in snapshot.rows(UNINTENDED, **_span(part)):
        found.add(f"reservation {name}: intended by command {command}, which is not there")
    dangling = {"reservation_part: names reservation {}, which is not there": parts.finish()}
    return Outcome(found.problems, dangling=dangling)


def _check_reservation(name: str, row: Row, parts: Sequence[Row], found: Findings) -> None:
    command_id, pool_ref, state, intended_by = row[2], row[3], row[6], row[7]
    if not parts:
        found.add(f"{name}: has no part")
    for _, entry_id, reserved, resolved, settled, command, pool in parts:
        if command is None:
            found.add(f"{name}: its part, entry {entry_id}, is not there")
            continue
        if (command, pool) != (command_id, pool_ref):
            found.add(f"{name}: entry {entry_id} is of command {command} and pool {pool}")
        if reserved != KeyState.RESERVED:
            found.add(f"{name}: entry {entry_id} reserved nothing")
        if (reached := _state(resolved, settled)) != state and not (
            reached == ReservationState.OPEN and state in PENDING
        ):
            found.add(f"{name}: is {state}, by entry {entry_id} it is {reached}")
    if state in NEVER_INTENDED and intended_by is not None:
        found.add(f"{name}: is {state}, command {intended_by} says it was intended")
    if state == ReservationState.INTENDED and intended_by is None:
        found.add(f"{name}: is intended by no command")


def _state(resolved: str | None, settled: str | None) -> str:
    """State of a reservation by the entries that point at its part."""
    if resolved is None:
        return ReservationState.OPEN.value
    if resolved == KeyState.AVAILABLE:
        return ReservationState.RELEASED.value
    return resolved if settled is None else settled


def check_reserved(snapshot: Snapshot, _: AuditContext, __: Part) -> Outcome:
    """As many parts of reservations as entries that reserve."""
    found = Findings()
    (reserved,) = snapshot.one(RESERVED, word=KeyState.RESERVED.value)
    (hung,) = snapshot.one(HUNG)
    if reserved != hung:
        found.add(f"reservation_part: {hung} rows for {reserved} entries that reserve")
    return Outcome(found.problems)


def check_keys(snapshot: Snapshot, _: AuditContext, part: Part) -> Outcome:
    """Hashes of a range of keys."""
    found = Findings()
    check_hashes(snapshot, found, "key", KEY_COLUMNS, KEYS, ("key_id",), part)
    for key_id, command in snapshot.rows(UNCLOSED, **_span(part)):
        found.add(f"key {key_id}: closed by command {command}, which is not there")
    return Outcome(found.problems)


def check_recipients(snapshot: Snapshot, _: AuditContext, part: Part) -> Outcome:
    """Hashes of the recipients of a range of keys."""
    found = Findings()
    name = ("key_ref", "recipient")
    check_hashes(snapshot, found, "key_recipient", RECIPIENT_COLUMNS, RECIPIENTS, name, part)
    for number, recipient, command in snapshot.rows(UNGIVEN, **_span(part)):
        found.add(
            f"key_recipient {number}/{recipient}: given out by command {command},"
            " which is not there"
        )
    return Outcome(found.problems)


def check_drawn(snapshot: Snapshot, _: AuditContext, part: Part) -> Outcome:
    """No two keys share a bit, in a range of blocks."""
    found = Findings()
    reached = (0, 0)
    for block_ref, start, end, key_id in snapshot.rows(DRAWN, first=part.first, last=part.last):
        if not isinstance(start, int) or not isinstance(end, int):  # SQLite keeps words there
            found.add(f"key {key_id}: its range is none of numbers")
            continue
        if (block_ref, start) < reached and block_ref == reached[0]:
            found.add(f"key {key_id}: shares bits of block row {block_ref} with another key")
        reached = (block_ref, end)
    return Outcome(found.problems)


def check_delivered(snapshot: Snapshot, _: AuditContext, part: Part) -> Outcome:
    """Each of a range of keys lies inside what its command delivered, and has its recipients."""
    found = Findings()
    span = _span(part)
    for (key_id,) in snapshot.rows(UNDELIVERED, word=KeyState.DELIVERED.value, **span):
        found.add(f"key {key_id}: its bits were not delivered by its command")
    for (number,) in snapshot.rows(OWNERLESS, **span):
        found.add(f"key_recipient of {number}: its key is not there")
    return Outcome(found.problems)
