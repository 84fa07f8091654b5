"""The rows that each command wrote, as its hash takes them together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, select

from scheduler.ledger.canonical import rows_digest
from scheduler.ledger.commands import WRITTEN_TABLES
from scheduler.ledger.models import (
    AnnouncementRow,
    Block,
    KeyRecipient,
    KeyRow,
    LedgerEntry,
    ReservationRow,
)
from scheduler.ledger.streams import tuples

_QUERIES: dict[str, Select[Any, str]] = {
    "ledger_entry": select(LedgerEntry.command_id, LedgerEntry.sha256).order_by(
        LedgerEntry.command_id, LedgerEntry.line
    ),
    "block": select(Block.command_id, Block.sha256).order_by(Block.command_id, Block.id),
    "announcement": select(AnnouncementRow.command_id, AnnouncementRow.sha256).order_by(
        AnnouncementRow.command_id, AnnouncementRow.id
    ),
    "reservation": select(ReservationRow.command_id, ReservationRow.sha256).order_by(
        ReservationRow.command_id, ReservationRow.id
    ),
    "key": select(KeyRow.command_id, KeyRow.sha256).order_by(KeyRow.command_id, KeyRow.id),
    "key_recipient": select(KeyRow.command_id, KeyRecipient.sha256)
    .join(KeyRow, KeyRecipient.key_ref == KeyRow.id)
    .order_by(KeyRow.command_id, KeyRow.id, KeyRecipient.recipient),
    "collected": select(KeyRecipient.delivered_by, KeyRecipient.sha256)
    .where(KeyRecipient.delivered_by.is_not(None))
    .order_by(KeyRecipient.delivered_by, KeyRecipient.key_ref, KeyRecipient.recipient),
    "closed": select(KeyRow.closed_by, KeyRow.sha256)
    .where(KeyRow.closed_by.is_not(None))
    .order_by(KeyRow.closed_by, KeyRow.id),
    "intended": select(ReservationRow.intended_by, ReservationRow.sha256)
    .where(ReservationRow.intended_by.is_not(None))
    .order_by(ReservationRow.intended_by, ReservationRow.id),
}


class CommandRows:
    """Streams of row hashes side by side; ask for commands in ascending order."""

    def __init__(self, connection: Connection) -> None:
        self._rows = {table: tuples(connection, _QUERIES[table]) for table in WRITTEN_TABLES}
        self._heads = {table: next(rows, None) for table, rows in self._rows.items()}

    def of(self, command_id: int) -> str:
        """Hash over the rows of one command."""
        digests: list[str] = []
        for table, head in self._heads.items():
            if head is not None and head[0] <= command_id:
                self._take(table, head, command_id, digests)
        return rows_digest(digests)

    def close(self) -> None:
        """Let go of the streams."""
        for rows in self._rows.values():
            rows.close()

    def _take(self, table: str, head: Any, command_id: int, digests: list[str]) -> None:
        rows = self._rows[table]
        while head is not None and head[0] <= command_id:
            if head[0] == command_id:
                digests.append(head[1])
            head = next(rows, None)
        self._heads[table] = head


def rows_by_command(connection: Connection) -> CommandRows:
    """Open one stream a table, each in the order of the commands."""
    return CommandRows(connection)
