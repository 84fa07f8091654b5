"""Checking the rows beside the entries: commands, announcements, bookings, registers."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Connection, case, func, select

from scheduler.ledger.announcements import parts_text
from scheduler.ledger.canonical import row_digest
from scheduler.ledger.models import (
    AnnouncementPart,
    AnnouncementRow,
    Base,
    Block,
    BookingEventRow,
    BookingRow,
    Command,
    ElementSetRow,
    JobRun,
    LedgerEntry,
    Material,
    PlanRow,
    PoolRow,
    RunFact,
)
from scheduler.ledger.states import KeyState

ROWS_AT_ONCE = 2000


class Notes(Protocol):
    """Where problems are noted."""

    def add(self, problem: str) -> None:
        """Note one problem."""


def _rows(connection: Connection, table: type[Base]) -> Any:
    columns = table.__table__.c
    streaming = connection.execution_options(yield_per=ROWS_AT_ONCE)
    return streaming.execute(select(*columns).order_by(*table.__table__.primary_key)).mappings()


def check_commands(connection: Connection, found: Notes) -> int:
    """Hashes of the commands and their numbering; returns how many there are."""
    expected = 0
    for row in _rows(connection, Command):
        expected += 1
        if row["id"] != expected:
            found.add(f"command {expected} is missing")
            expected = row["id"]
        if row["sha256"] != row_digest("command", row):
            found.add(f"command {row['id']} ({row['request_id']}): its row was changed")
    return expected


def check_pools(connection: Connection, found: Notes) -> None:
    """A pool is simulated if and only if one of its blocks is."""
    marked = set(connection.execute(select(PoolRow.id).where(PoolRow.simulated)).scalars())
    fed = set(connection.execute(select(Block.pool_ref).where(Block.simulated)).scalars())
    for number in sorted(marked ^ fed):
        word = "is marked simulated without" if number in marked else "is not marked simulated with"
        found.add(f"pool {number} {word} a simulated block")


def check_material(connection: Connection, found: Notes) -> None:
    """What is left of each block is in the store at both its ends, and nothing else is."""
    for side in (0, 1):
        held = (
            select(Material.block_ref, func.sum(func.length(Material.data)).label("size"))
            .where(Material.side == side)
            .group_by(Material.block_ref)
            .subquery()
        )
        size = func.coalesce(held.c.size, 0)
        due = (Block.length_bits + 7) // 8 - Block.next_bit // 8
        for block_id, seen, expected in connection.execute(
            select(Block.block_id, size, due)
            .join(held, held.c.block_ref == Block.id, isouter=True)
            .where(size != case((Block.next_bit == Block.length_bits, 0), else_=due))
            .limit(ROWS_AT_ONCE)
        ):
            found.add(
                f"block {block_id}: {seen} bytes in the store at end {side}, {expected} are left"
            )


def check_announcements(connection: Connection, found: Notes) -> None:
    """I5: two adjacent runs of equal length, spent by the same command, announced once a relay."""
    parts: dict[int, list[Any]] = {}
    for part in _rows(connection, AnnouncementPart):
        parts.setdefault(part["announcement_ref"], []).append(part)
    for row in _rows(connection, AnnouncementRow):
        mine = parts.pop(row["id"], [])
        name = f"announcement {row['announcement_id']}"
        if row["sha256"] != row_digest("announcement", row, parts=parts_text(mine)):
            found.add(f"{name}: its row or its parts were changed")
        for side in (0, 1):
            length = sum(p["end_bit"] - p["start_bit"] for p in mine if p["side"] == side)
            if length != row["length_bits"]:
                found.add(f"{name}: side {side} has {length} bits of {row['length_bits']}")
        if any(part["relay"] != row["relay"] for part in mine):
            found.add(f"{name}: a part names another relay")
    for number in parts:
        found.add(f"announcement_part of {number}: its announcement is not there")
    _check_announced_once(connection, found)
    _check_announced_was_spent(connection, found)


def _check_announced_once(connection: Connection, found: Notes) -> None:
    part = AnnouncementPart
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        select(
            part.block_ref,
            part.relay,
            part.start_bit,
            part.end_bit,
            part.announcement_ref,
            PoolRow.node_a,
            PoolRow.node_b,
        )
        .join(Block, part.block_ref == Block.id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .order_by(part.block_ref, part.relay, part.start_bit)
    )
    before: tuple[int, str, int] | None = None
    for block_ref, relay, start, end, number, node_a, node_b in rows:
        if relay not in (node_a, node_b):
            found.add(f"announcement row {number}: relay {relay} is at no end of its chunk")
        if before is not None and before[:2] == (block_ref, relay) and start < before[2]:
            found.add(
                f"announcement row {number}: relay {relay} announces bits from {start} of block"
                f" row {block_ref} twice"
            )
        before = (block_ref, relay, end)


def _check_announced_was_spent(connection: Connection, found: Notes) -> None:
    part, entry = AnnouncementPart, LedgerEntry
    unspent = connection.execute(
        select(part.announcement_ref, part.block_ref, part.start_bit)
        .join(AnnouncementRow, part.announcement_ref == AnnouncementRow.id)
        .join(
            entry,
            (entry.block_ref == part.block_ref)
            & (entry.command_id == AnnouncementRow.command_id)
            & (entry.start_bit <= part.start_bit)
            & (entry.end_bit >= part.end_bit)
            & entry.enters.in_([KeyState.RELAY_CONSUMED.value, KeyState.COMBINED.value]),
            isouter=True,
        )
        .where(entry.id.is_(None))
        .limit(ROWS_AT_ONCE)
    )
    for number, block_ref, start in unspent:
        found.add(
            f"announcement row {number}: bits from {start} of block row {block_ref} were not"
            " spent by its command"
        )


def check_bookings(connection: Connection, found: Notes) -> None:
    """Hashes of bookings and events, and every state against the events that led there."""
    lives: dict[str, list[Any]] = {}
    for event in _rows(connection, BookingEventRow):
        name = f"booking_event {event['booking_id']}/{event['position']}"
        if event["sha256"] != row_digest("booking_event", event):
            found.add(f"{name}: its row was changed")
        lives.setdefault(event["booking_id"], []).append(event)
    for row in _rows(connection, BookingRow):
        name = f"booking {row['booking_id']}"
        if row["sha256"] != row_digest("booking", row):
            found.add(f"{name}: its row was changed")
        life = lives.pop(row["booking_id"], [])
        state = None
        for position, event in enumerate(life, start=1):
            if event["position"] != position or event["from_state"] != state:
                found.add(f"{name}: event {event['position']} does not follow the one before")
            state = event["to_state"]
        last = life[-1] if life else None
        if last is None or (row["state"], row["reason"]) != (last["to_state"], last["reason"]):
            found.add(f"{name}: is {row['state']}, its events end in {state}")
        elif row["changed_at"] != last["at"]:
            found.add(f"{name}: changed at {row['changed_at']}, its last event at {last['at']}")
    for booking_id in lives:
        found.add(f"booking {booking_id} is missing, its events are there")


def check_registers(connection: Connection, found: Notes) -> None:
    """Hashes of plans, jobs, element sets and run facts."""
    keys: tuple[tuple[type[Base], str], ...] = (
        (PlanRow, "plan_id"),
        (JobRun, "job_key"),
        (RunFact, "name"),
        (ElementSetRow, "sha256"),
    )
    for table, key in keys:
        column = "row_sha256" if table is ElementSetRow else "sha256"
        for row in _rows(connection, table):
            if row[column] != row_digest(table.__tablename__, row):
                found.add(f"{table.__tablename__} {row[key]}: its row was changed")
