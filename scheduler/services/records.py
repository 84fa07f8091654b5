"""Use cases: the ledger line by line, each list from where the last one ended."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from scheduler.domain import LogChange, SettledSession
from scheduler.errors import LedgerMissing
from scheduler.ledger.books.outages import standing
from scheduler.ledger.keys.blocks import get_entries
from scheduler.ledger.log import trail
from scheduler.ledger.log.checkpoints import checkpoint_text
from scheduler.ledger.reader import get_commands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.domain import Outage
    from scheduler.ledger import EntryRecord
    from scheduler.services.context import Context


def list_entries(
    context: Context, *, pool: str | None = None, after: int = 0, limit: int
) -> Sequence[EntryRecord]:
    """Entries of the ledger behind number `after`, in the order they were added; amounts alone."""
    with context.view.read() as reader:
        return get_entries(reader, pool_id=pool, after=after, limit=limit)


def list_checkpoints(context: Context) -> list[str]:
    """Every signed checkpoint, oldest first; one line of JSON each."""
    with context.view.read() as reader:
        return [checkpoint_text(one) for one in trail.checkpoints(reader.connection)]


def list_sessions(
    context: Context, *, since: datetime | None = None, after: int = 0, limit: int
) -> list[SettledSession]:
    """Settled sessions behind command number `after`, in the order they were settled."""
    with context.view.read() as reader:
        found = get_commands(reader, kind="settle", since=since, after=after, limit=limit)
    return [
        SettledSession(
            command_id=one.command_id,
            booking=one.answer["booking"],
            satellite=one.answer["satellite"],
            station=one.answer["station"],
            acquires_at=datetime.fromisoformat(one.answer["acquires_at"]),
            settled_at=one.at,
            expected_secret_bits=one.answer["expected_secret_bits"],
            sifted_bits=one.answer["sifted_bits"],
            secret_bits=one.answer["secret_bits"],
            qber=one.answer["qber_ppm"] / 1e6,
        )
        for one in found
        if "booking" in one.answer and "sifted_bits" in one.answer
    ]


def log_size(context: Context) -> int:
    """How many changes the log holds; 0 without a ledger."""
    try:
        with context.view.read() as reader:
            return trail.tree_size(reader.connection)
    except LedgerMissing:
        return 0


def log_changes(context: Context, *, after: int, limit: int) -> list[LogChange]:
    """The changes of the log from number `after` on, in its order; none without a ledger."""
    try:
        with context.view.read() as reader:
            rows = trail.leaves(reader.connection, after, limit)
    except LedgerMissing:
        return []
    return [LogChange(number=seq, kind=kind, subject=subject) for seq, kind, subject in rows]


def outages_standing(context: Context) -> list[Outage]:
    """Outages that were not lifted, by start; none without a ledger."""
    try:
        with context.view.read() as reader:
            return standing(reader.connection)
    except LedgerMissing:
        return []
