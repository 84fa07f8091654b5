"""An exported ledger's rows in a database of our own, so that an audit's own checks read them."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Float

from scheduler.ledger.db.snapshot import Snapshot
from scheduler.ledger.log.export import EXPORTED
from scheduler.ledger.schema.columns import UtcDateTime
from scheduler.ledger.states import AccountKind
from scheduler.ledger.verify.context import AuditContext, Findings, Part
from scheduler.ledger.verify.shards import CHECKS

CHECKED = (
    "blocks",
    "numbering",
    "pools",
    "announcements",
    "announced",
    "reservations",
    "reserved",
    "drawn",
    "delivered",
    "bookings",
)
"""The checks of an audit that need neither sealed bytes nor the log's nodes."""

ROWS_AT_ONCE = 1000
KIND_OF_WORD = {kind.value: kind for kind in AccountKind}

_COLUMNS = {model.__tablename__: list(model.__table__.c) for model in EXPORTED}


class Copy:
    """The rows of an export in a temporary file that SQLite removes by itself."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=OFF")
        for table, columns in _COLUMNS.items():
            names = ", ".join(f'"{column.name}"' for column in columns)
            self._database.execute(f'CREATE TABLE "{table}" ({names})')
        self._database.execute("BEGIN")
        self._held: dict[str, list[list[Any]]] = {table: [] for table in _COLUMNS}

    def take(self, table: str, row: dict[str, Any]) -> None:
        """Keep a row whose columns are of their kinds."""
        if table not in _COLUMNS or table == "audit_leaf":
            return
        held = self._held[table]
        held.append([_stored(column.type, row[column.name]) for column in _COLUMNS[table]])
        if len(held) >= ROWS_AT_ONCE:
            self._write(table)

    def _write(self, table: str) -> None:
        marks = ", ".join("?" * len(_COLUMNS[table]))
        self._database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', self._held[table])
        self._held[table] = []

    def check(self, found: Findings) -> None:
        """Run the checks of an audit over the rows."""
        for table in _COLUMNS:
            self._write(table)
        snapshot = Snapshot(self._database)
        context = AuditContext(
            accounts={
                number: (pool, KIND_OF_WORD[kind])
                for number, pool, kind in snapshot.rows("SELECT id, pool_ref, kind FROM account")
                if kind in KIND_OF_WORD
            },
            pools={
                number: (name, node_a, node_b)
                for number, name, node_a, node_b in snapshot.rows(
                    "SELECT id, pool_id, node_a, node_b FROM pool"
                )
            },
            ciphers=None,
            has_bytes=False,
        )
        for check in CHECKED:
            outcome = CHECKS[check](snapshot, context, Part(check))
            found.extend(outcome.problems)
            for words, numbers in outcome.dangling.items():
                found.extend(words.format(number) for number in numbers)
        self._database.close()


def _stored(kind: Any, value: Any) -> Any:
    """A value as SQLite keeps it; one that is written otherwise stays and fits no hash."""
    if value is None:
        return None
    if isinstance(kind, UtcDateTime) and value.endswith("Z"):
        return value[:-1].replace("T", " ", 1)
    if isinstance(kind, Float):
        try:
            return float(value)
        except ValueError:
            return value
    return value
