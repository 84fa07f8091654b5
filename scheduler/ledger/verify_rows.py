"""Checking the rows beside the entries: commands, announcements, bookings, registers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from scheduler.ledger.announcements import parts_text
from scheduler.ledger.canonical import row_digest
from scheduler.ledger.command_rows import rows_by_command
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
    PlanRow,
    PoolRow,
    RunFact,
)
from scheduler.ledger.states import KeyState
from scheduler.ledger.streams import ROWS_AT_ONCE, stream
from scheduler.ledger.verify_notes import Findings, Grouped, all_rows


def check_commands(connection: Connection, found: Findings) -> int:
    """Hashes of the commands and their numbering; returns how many there are."""
    expected = 0
    written = rows_by_command(connection)
    for row in all_rows(connection, Command):
        expected += 1
        if row["id"] != expected:
            found.add(f"command {expected} is missing")
            expected = row["id"]
        name = f"command {row['id']} ({row['request_id']})"
        if row["sha256"] != row_digest("command", row):
            found.add(f"{name}: its row was changed")
        if row["rows_sha256"] != written.of(row["id"]):
            found.add(f"{name}: the rows it wrote are not those it has now")
    written.close()
    return expected


def check_pools(connection: Connection, found: Findings) -> None:
    """A pool is simulated if and only if one of its blocks is."""
    marked = set(connection.execute(select(PoolRow.id).where(PoolRow.simulated)).scalars())
    fed = set(connection.execute(select(Block.pool_ref).where(Block.simulated)).scalars())
    for number in sorted(marked ^ fed):
        word = "is marked simulated without" if number in marked else "is not marked simulated with"
        found.add(f"pool {number} {word} a simulated block")


def check_announcements(connection: Connection, found: Findings) -> None:
    """I5: two adjacent runs of equal length, spent by the same command, announced once a relay."""
    part_of = AnnouncementPart
    parts = Grouped(
        connection,
        select(*part_of.__table__.c).order_by(
            part_of.announcement_ref, part_of.side, part_of.position
        ),
    )
    for row in all_rows(connection, AnnouncementRow):
        mine = [part._mapping for part in parts.of(row["id"])]
        name = f"announcement {row['announcement_id']}"
        if row["sha256"] != row_digest("announcement", row, parts=parts_text(mine)):
            found.add(f"{name}: its row or its parts were changed")
        for side in (0, 1):
            length = sum(p["end_bit"] - p["start_bit"] for p in mine if p["side"] == side)
            if length != row["length_bits"]:
                found.add(f"{name}: side {side} has {length} bits of {row['length_bits']}")
        if any(part["relay"] != row["relay"] for part in mine):
            found.add(f"{name}: a part names another relay")
    for number in parts.finish():
        found.add(f"announcement_part of {number}: its announcement is not there")
    _check_announced_once(connection, found)
    _check_announced_was_spent(connection, found)


def _check_announced_once(connection: Connection, found: Findings) -> None:
    part = AnnouncementPart
    rows = stream(
        connection,
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
        .order_by(part.block_ref, part.relay, part.start_bit),
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


def _check_announced_was_spent(connection: Connection, found: Findings) -> None:
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


def check_bookings(connection: Connection, found: Findings) -> None:
    """Hashes of bookings and events, and every state against the events that led there."""
    lives: dict[str, list[Any]] = {}
    for event in all_rows(connection, BookingEventRow):
        name = f"booking_event {event['booking_id']}/{event['position']}"
        if event["sha256"] != row_digest("booking_event", event):
            found.add(f"{name}: its row was changed")
        lives.setdefault(event["booking_id"], []).append(event)
    for row in all_rows(connection, BookingRow):
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


def check_registers(connection: Connection, found: Findings) -> None:
    """Hashes of plans, jobs, element sets and run facts."""
    keys: tuple[tuple[type[Base], str], ...] = (
        (PlanRow, "plan_id"),
        (JobRun, "job_key"),
        (RunFact, "name"),
        (ElementSetRow, "sha256"),
    )
    for table, key in keys:
        column = "row_sha256" if table is ElementSetRow else "sha256"
        for row in all_rows(connection, table):
            if row[column] != row_digest(table.__tablename__, row):
                found.add(f"{table.__tablename__} {row[key]}: its row was changed")
