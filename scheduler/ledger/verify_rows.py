"""Checking the rows beside the entries: commands, announcements, bookings, registers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from scheduler.ledger.announcements import announcement_digest
from scheduler.ledger.canonical import row_digest, row_hasher
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
    PlanRow,
    PoolRow,
    RunFact,
)
from scheduler.ledger.streams import batched, stream, tuples
from scheduler.ledger.verify_notes import Findings, Grouped, all_rows


def check_commands(connection: Connection, found: Findings) -> int:
    """Hashes of the commands and their numbering; returns how many there are."""
    expected = 0
    written = rows_by_command(connection)
    command = Command.__table__.c
    digest_of = row_hasher("command", command.keys())
    for row in batched(stream(connection, select(*command).order_by(command.id))):
        expected += 1
        if row.id != expected:
            found.add(f"command {expected} is missing")
            expected = row.id
        name = f"command {row.id} ({row.request_id})"
        if row.sha256 != digest_of(row):
            found.add(f"{name}: its row was changed")
        if row.rows_sha256 != written.of(row.id):
            found.add(f"{name}: the rows it wrote are not those it has now")
    written.close()
    return expected


def check_pools(connection: Connection, found: Findings) -> None:
    """A pool is simulated if and only if one of its blocks is."""
    marked = set(connection.execute(select(PoolRow.id).where(PoolRow.simulated)).scalars())
    fed = set(
        connection.execute(select(Block.pool_ref).where(Block.simulated).distinct()).scalars()
    )
    for number in sorted(marked ^ fed):
        word = "is marked simulated without" if number in marked else "is not marked simulated with"
        found.add(f"pool {number} {word} a simulated block")


def check_announcements(connection: Connection, found: Findings) -> None:
    """I5, by announcement: two runs of its length, of its own relay, unchanged."""
    part_of = AnnouncementPart
    names = AnnouncementRow.__table__.c.keys()
    parts = Grouped(
        connection,
        select(
            part_of.announcement_ref,
            part_of.side,
            part_of.position,
            part_of.block_ref,
            part_of.start_bit,
            part_of.end_bit,
            part_of.relay,
        ).order_by(part_of.announcement_ref, part_of.side, part_of.position),
    )
    columns = AnnouncementRow.__table__.c
    for line in tuples(connection, select(*columns).order_by(columns.id)):
        row = dict(zip(names, line, strict=True))
        mine = parts.of(row["id"])
        name = f"announcement {row['announcement_id']}"
        if row["sha256"] != announcement_digest(row, mine):
            found.add(f"{name}: its row or its parts were changed")
        left = right = 0
        foreign = False
        for _, side, _, _, start, end, relay in mine:
            if side == 0:
                left += end - start
            elif side == 1:
                right += end - start
            foreign = foreign or relay != row["relay"]
        for side, length in ((0, left), (1, right)):
            if length != row["length_bits"]:
                found.add(f"{name}: side {side} has {length} bits of {row['length_bits']}")
        if foreign:
            found.add(f"{name}: a part names another relay")
    for number in parts.finish():
        found.add(f"announcement_part of {number}: its announcement is not there")


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
