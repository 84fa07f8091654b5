"""Following a block back to where its bits came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from scheduler.domain import Announcement, Chunk
from scheduler.errors import LedgerBroken, UnknownName
from scheduler.ledger.keys.blocks import block_records, chunk_of
from scheduler.ledger.reader import Reader, command_record
from scheduler.ledger.records import Trace
from scheduler.ledger.schema import (
    AnnouncementPart,
    AnnouncementRow,
    Block,
    CarriedRow,
    Command,
    KeyRow,
    LedgerEntry,
    PoolRow,
)
from scheduler.ledger.states import KeyState

DEPTH_MAX = 8
"""Merges upon merges that a trace follows; a relay over stored end-to-end key is one more."""

CONSUMED = (
    KeyState.RELAY_CONSUMED.value,
    KeyState.COMBINED.value,
    KeyState.DISTILLED.value,
)


def trace_block(reader: Reader, name: UUID) -> Trace:
    """Trace a block, or the block that a drawn key was cut from. Raises UnknownName."""
    connection = reader.connection
    number = connection.execute(select(Block.id).where(Block.block_id == str(name))).scalar()
    if number is None:
        number = connection.execute(
            select(KeyRow.block_ref).where(KeyRow.key_id == str(name))
        ).scalar()
    if number is None:
        raise UnknownName(f"no block and no key {name}")
    return _trace(connection, number, DEPTH_MAX)


def _trace(connection: Connection, number: int, depth: int) -> Trace:
    if not depth:
        raise LedgerBroken(f"block row {number}: more than {DEPTH_MAX} merges deep")
    row = connection.execute(
        select(*Block.__table__.c, PoolRow.pool_id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .where(Block.id == number)
    ).one()
    (block,) = block_records(connection, [row])
    command = connection.execute(
        select(*Command.__table__.c).where(Command.id == row.command_id)
    ).one()
    if _some_left(connection, command):
        return Trace(
            block=block, command=command_record(command), chunks=(), announcements=(), sources=(),
            archived=bool(block.provenance.get("paths")),
        )  # fmt: skip
    announced = _announcements(connection, row.command_id)
    if block.provenance.get("paths"):
        named = frozenset(block.provenance["announcements"])
        announced = [one for one in announced if str(one.announcement_id) in named]
    chunks: list[Chunk] = []
    behind: list[int] = []
    for block_ref, chunk in _own(_consumed(connection, row.command_id), block.provenance):
        chunks.append(chunk)
        if block_ref not in behind:
            behind.append(block_ref)
    return Trace(
        block=block,
        command=command_record(command),
        chunks=tuple(chunks),
        announcements=tuple(announced),
        sources=tuple(_trace(connection, ref, depth - 1) for ref in behind),
    )


def _some_left(connection: Connection, command: Any) -> bool:
    """Whether rows of a command left with a closed period, so that what is here is not all."""
    here = connection.execute(
        select(CarriedRow.rows_sha256).where(CarriedRow.command_id == command.id)
    ).scalar()
    return here is not None and here != command.rows_sha256


def _own(consumed: list[tuple[int, Chunk]], provenance: dict[str, Any]) -> list[tuple[int, Chunk]]:
    """The parts of what a command consumed that went into one block.

    A merge spends one run a link for all its merges; a provenance says where in it each of its
    hops starts. Where it says nothing, everything that the command consumed counts.
    """
    bits, runs = provenance.get("run_bits", 0), provenance.get("runs", ())
    if not bits:
        return consumed
    by_link: dict[str, list[tuple[int, Chunk]]] = {}
    for block_ref, chunk in consumed:
        by_link.setdefault(chunk.pool_id, []).append((block_ref, chunk))
    return [
        part
        for links, starts in zip(provenance["links"], runs, strict=True)
        for link, start in zip(links, starts, strict=True)
        for part in _cut(by_link.get(link, []), start, start + bits)
    ]


def _cut(run: list[tuple[int, Chunk]], start: int, end: int) -> Iterator[tuple[int, Chunk]]:
    """Bits [start, end) of ranges laid end to end."""
    at = 0
    for block_ref, chunk in run:
        low, high = max(start - at, 0), min(end - at, chunk.length_bits)
        if low < high:
            first = chunk.start_bit
            yield block_ref, replace(chunk, start_bit=first + low, end_bit=first + high)
        at += chunk.length_bits


def _consumed(connection: Connection, command_id: int) -> list[tuple[int, Chunk]]:
    """Ranges that a command consumed, each with its block's row."""
    entry = LedgerEntry
    rows = connection.execute(
        select(entry.block_ref, entry.start_bit, entry.end_bit, Block.block_id, PoolRow.pool_id)
        .join(Block, entry.block_ref == Block.id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .where(entry.command_id == command_id, entry.enters.in_(CONSUMED))
        .order_by(entry.line)
    )
    return [(row.block_ref, chunk_of(row)) for row in rows]


def _announcements(connection: Connection, command_id: int) -> list[Announcement]:
    """What a command's relays announced."""
    part = AnnouncementPart
    rows = connection.execute(
        select(
            AnnouncementRow.announcement_id,
            AnnouncementRow.relay,
            AnnouncementRow.length_bits,
            AnnouncementRow.public_sha256,
            part.side,
            part.start_bit,
            part.end_bit,
            Block.block_id,
            PoolRow.pool_id,
        )
        .join(part, part.announcement_ref == AnnouncementRow.id)
        .join(Block, part.block_ref == Block.id)
        .join(PoolRow, Block.pool_ref == PoolRow.id)
        .where(AnnouncementRow.command_id == command_id)
        .order_by(AnnouncementRow.id, part.side, part.position)
    )
    sides: dict[str, tuple[Any, tuple[list[Chunk], list[Chunk]]]] = {}
    for row in rows:
        runs = sides.setdefault(row.announcement_id, (row, ([], [])))[1]
        runs[row.side].append(chunk_of(row))
    return [
        Announcement(
            announcement_id=UUID(name),
            relay=row.relay,
            left=tuple(left),
            right=tuple(right),
            length_bits=row.length_bits,
            sha256=row.public_sha256,
        )
        for name, (row, (left, right)) in sides.items()
    ]
