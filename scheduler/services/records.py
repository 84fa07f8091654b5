"""Use cases: the ledger line by line, each list from where the last one ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from scheduler.domain import LogChange, SettledSession, station_ids
from scheduler.errors import LedgerMissing, UnknownName
from scheduler.ledger.books.outages import standing
from scheduler.ledger.keys.blocks import get_entries
from scheduler.ledger.log import trail
from scheduler.ledger.log.checkpoints import checkpoint_text
from scheduler.ledger.reader import get_commands
from scheduler.services.outages import shown_outages
from scheduler.services.viewing import shown_booking, shown_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.domain import Outage
    from scheduler.ledger import CommandRecord, EntryRecord
    from scheduler.services.context import Context

BOOKINGS = frozenset({"booking", "booking_event"})
"""Kinds of row that are named by a booking's id."""


def list_entries(
    context: Context, *, pool: str | None = None, after: int = 0, limit: int
) -> Sequence[EntryRecord]:
    """Entries of the ledger behind number `after`, in the order they were added; amounts alone."""
    with context.view.read() as reader:
        return shown_rows(
            lambda last, most: get_entries(reader, pool_id=pool, after=last or 0, limit=most),
            key=lambda one: one.entry_id,
            shows=lambda one: context.viewer.sees_pool(one.pool_id),
            after=after,
            limit=limit,
        )


def list_checkpoints(context: Context) -> list[str]:
    """Every signed checkpoint, oldest first; one line of JSON each."""
    with context.view.read() as reader:
        return [checkpoint_text(one) for one in trail.checkpoints(reader.connection)]


def list_sessions(
    context: Context, *, since: datetime | None = None, after: int = 0, limit: int
) -> list[SettledSession]:
    """Settled sessions behind command number `after`, in the order they were settled."""

    def shows(one: CommandRecord) -> bool:
        answer = one.answer
        if "booking" not in answer or "sifted_bits" not in answer:
            return False
        return context.viewer.sees(answer["satellite"], station_ids(answer["station"]))

    with context.view.read() as reader:
        found = shown_rows(
            lambda last, most: get_commands(
                reader, kind="settle", since=since, after=last or 0, limit=most
            ),
            key=lambda one: one.command_id,
            shows=shows,
            after=after,
            limit=limit,
        )
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


def shown_changes(context: Context, changes: Sequence[LogChange]) -> list[LogChange]:
    """Those changes that whoever asks is shown; an operator learns of others' kind alone.

    Of a booking it is shown those that it sees, by name.
    """
    if context.viewer.sees_all:
        return list(changes)
    named = {one.subject.partition("/")[0] for one in changes if one.kind in BOOKINGS}
    seen: set[str] = set()
    with context.view.read() as reader:
        for text in named:
            with suppress(UnknownName):
                seen.add(str(shown_booking(context, reader, UUID(text)).booking_id))
    return [
        one if one.kind in BOOKINGS else replace(one, subject="")
        for one in changes
        if one.kind not in BOOKINGS or one.subject.partition("/")[0] in seen
    ]


def outages_standing(context: Context) -> list[Outage]:
    """Outages that were not lifted, by start; none without a ledger."""
    try:
        with context.view.read() as reader:
            return shown_outages(context, standing(reader.connection))
    except LedgerMissing:
        return []
