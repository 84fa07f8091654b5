"""Closing a period: its end found, its file written, and then its finished rows taken out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select

from scheduler.errors import WrongState
from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, ROWS_AT_ONCE, snapshot_of
from scheduler.ledger.log import merkle, trail
from scheduler.ledger.log.archive import Seal, write_archive
from scheduler.ledger.log.canonical import request_digest
from scheduler.ledger.log.carried import (
    CARRIED,
    carried_rows,
    digest_of,
    leaves_digest,
    read_base,
)
from scheduler.ledger.log.export import lines
from scheduler.ledger.log.tables import FORMS, row_digest
from scheduler.ledger.reader import Reader
from scheduler.ledger.schema import CarriedRow, Command, OpeningRow, SegmentRow
from scheduler.ledger.segments.leaving import aged_command, any_leaves, take_out, take_out_nodes
from scheduler.ledger.segments.reads import get_segments
from scheduler.ledger.transaction import Transaction

KIND = "close-segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A period about to be closed, as one snapshot has it."""

    number: int
    previous_sha256: str
    first_leaf: int
    size: int
    root: str
    frontier: tuple[bytes, ...]
    last_command: int
    aged: int  #: the last command before the cutoff
    cutoff: datetime


def find_closing(reader: Reader, *, cutoff: datetime) -> Closing | None:
    """The period that ends now; None if nothing in it was finished before the cutoff.

    To be asked of a snapshot in which no leaf waits for its number.
    """
    connection = reader.connection
    known = get_segments(reader)
    size = trail.tree_size(connection)
    aged = aged_command(connection, cutoff)
    if not any_leaves(connection, aged=aged, size=size, cutoff=cutoff):
        return None
    frontier = tuple(trail.hashes(connection, merkle.cover(0, size)))
    return Closing(
        number=len(known) + 1,
        previous_sha256=known[-1].content_sha256 if known else "",
        first_leaf=known[-1].size if known else 0,
        size=size,
        root=merkle.fold(frontier).hex(),
        frontier=frontier,
        last_command=connection.execute(select(func.max(Command.id))).scalar() or 0,
        aged=aged,
        cutoff=cutoff,
    )


def write_segment(reader: Reader, closing: Closing, folder: Path, private: bytes) -> Path:
    """Write the file of a period, from the snapshot in which it was found; return where it is."""
    path, _ = write_archive(
        folder,
        lines(reader.connection),
        private,
        number=closing.number,
        previous_sha256=closing.previous_sha256,
        first_leaf=closing.first_leaf,
        size=closing.size,
        root=closing.root,
    )
    return path


def close_period(
    tx: Transaction, closing: Closing, seal: Seal, file: str, *, at: datetime
) -> dict[str, Any]:
    """Take the finished rows of a period out, now that its file has them; return figures.

    What stays of it is under one hash, balances under another, both in the segment's row. Raises
    WrongState if another process closed a period meanwhile.
    """
    known = get_segments(tx)
    if len(known) + 1 != closing.number:
        raise WrongState(
            f"segment {closing.number} is closed already; {file} is left where it is, and not used"
        )
    command = tx.command(
        f"{KIND}/{closing.number}",
        kind=KIND,
        at=at,
        digest=request_digest(closing.number, seal.content_sha256),
    )
    connection = tx.connection
    opened = read_base(snapshot_of(connection)).openings
    connection.execute(delete(OpeningRow))
    connection.execute(delete(CarriedRow))
    counts, moves = take_out(
        connection, aged=closing.aged, size=closing.size, cutoff=closing.cutoff
    )
    tx.erased = True  # rests of less than a byte
    take_out_nodes(connection, closing.first_leaf, closing.size)
    openings = [
        [number, *map(sum, zip(opened.get(number, (0, 0)), moves.get(number, (0, 0)), strict=True))]
        for number in sorted({*opened, *moves})
    ]
    snapshot = snapshot_of(connection)
    stayed = carried_rows(snapshot, FORMS, closing.last_command)
    while some := list(islice(stayed, ROWS_AT_ONCE)):
        rows = [dict(zip(("command_id", "rows_sha256"), one, strict=True)) for one in some]
        connection.execute(insert(CarriedRow), rows)
    row: dict[str, Any] = {
        "id": closing.number,
        "command_id": command.command_id,
        "file": file,
        "content_sha256": seal.content_sha256,
        "previous_sha256": closing.previous_sha256,
        "rows": seal.rows,
        "first_leaf": closing.first_leaf,
        "size": closing.size,
        "root": closing.root,
        "frontier": " ".join(part.hex() for part in closing.frontier),
        "last_command": closing.last_command,
        "cutoff": closing.cutoff,
        "leaves_sha256": leaves_digest(snapshot, closing.size),
        "carried_sha256": digest_of(snapshot.rows(CARRIED, first=LOWEST, last=HIGHEST)),
        "opening_sha256": digest_of(openings),
    }
    row["sha256"] = row_digest("segment", row)
    command.wrote("segment", row["sha256"])
    connection.execute(insert(SegmentRow), [row])
    names = ("account_id", "balance_bits", "odd_bits")
    brought = [
        {**dict(zip(names, one, strict=True)), "segment_ref": closing.number} for one in openings
    ]
    if brought:
        connection.execute(insert(OpeningRow), brought)
    answer = {"segment": closing.number, "file": file, "leaves": closing.size, "rows": seal.rows}
    answer |= {"blocks": counts["block"], "commands": counts["command"], "jobs": counts["job"]}
    command.finish(answer)
    return answer
