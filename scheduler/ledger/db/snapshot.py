"""One consistent view of a ledger, read by the database's own driver.

An audit reads every row there is. SQLAlchemy's rows cost it three times as much, and a process
that lends a hand starts in a fifth of the time without SQLAlchemy.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.errors import LedgerError, LedgerUnavailable
from scheduler.ledger.db.files import connect_to_read

if TYPE_CHECKING:
    from sqlalchemy import Connection

LOWEST, HIGHEST = -(2**63), 2**63 - 1
"""Bounds of every number in the ledger: a range from one to the other is a whole table."""

ROWS_AT_ONCE = 1000
"""Rows that PostgreSQL hands over together; SQLite's driver hands them over one by one."""

Row = tuple[Any, ...]

NO_ROWS: Sequence[Row] = ()
END = float("inf")
"""Behind the number of every row."""
_END_ROW: Row = (END,)


@dataclass(frozen=True, slots=True)
class Address:
    """Where another process finds the same ledger: a file, or what PostgreSQL's driver takes."""

    file: Path | None = None
    server: dict[str, Any] = field(default_factory=dict, repr=False)  #: holds a password


class Snapshot:
    """Queries inside one read transaction, in SQL that both stores understand.

    Values are bound by name, as in `:first`. SQLite gives a truth value as 0 or 1 and an instant
    as text, PostgreSQL as what they are.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.is_sqlite = isinstance(connection, sqlite3.Connection)
        self._names = count(1)

    def rows(self, query: str, **values: int | str) -> Iterator[Row]:
        """The rows of a query, streamed."""
        if self.is_sqlite:
            return iter(self._connection.execute(query, values))
        return self._streamed(_named(query), values)

    def one(self, query: str, **values: int | str) -> Row:
        """The only row of a query."""
        text = query if self.is_sqlite else _named(query)
        row: Row = self._connection.execute(text, values).fetchone()
        return row

    def hold(self) -> None:
        """Fix what the transaction sees: SQLite does so with the first read, not with BEGIN."""
        with self.failures():
            self._connection.execute("SELECT count(*) FROM alembic_version").fetchone()

    def instant(self, column: str) -> str:
        """SQL for the canonical text of an instant."""
        if self.is_sqlite:
            return f"replace({column}, ' ', 'T') || 'Z'"
        return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

    def failures(self) -> AbstractContextManager[None]:
        """Raise the driver's errors in our own words."""
        return failures_of(self._connection)

    def _streamed(self, query: str, values: dict[str, int | str]) -> Iterator[Row]:
        with self._connection.cursor(name=f"audit_{next(self._names)}") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            yield from cursor.execute(query, values)


class Grouped:
    """Rows ordered by their first column, handed out group by group in that order."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._head = next(rows, _END_ROW)
        self.key: float = self._head[0]  #: of the group that comes next

    def of(self, key: int) -> Sequence[Row]:
        """The rows of one group; ask in ascending order. Groups not asked for are left out."""
        while self.key < key:
            self._take()
        return self._take() if self.key == key else NO_ROWS

    def _take(self) -> Sequence[Row]:
        rows, key = [self._head], self.key
        for head in self._rows:
            if head[0] != key:
                self._head, self.key = head, head[0]
                return rows
            rows.append(head)
        self._head, self.key = _END_ROW, END
        return rows


def snapshot_of(connection: Connection) -> Snapshot:
    """What SQLAlchemy's connection sees in its transaction, through its driver's."""
    return Snapshot(connection.connection.driver_connection)


@lru_cache
def _named(query: str) -> str:
    """The query as PostgreSQL and its driver know it: names of values, and of the byte order."""
    return re.sub(r"(?<![\w:]):(\w+)", r"%(\1)s", query).replace("COLLATE BINARY", 'COLLATE "C"')


@contextmanager
def failures_of(driver: Any) -> Iterator[None]:
    """Raise a driver's errors in our own words; its message may name tables, never values.

    The driver's module and its connections name their errors alike.
    """
    try:
        yield
    except driver.Error as error:
        # The first line only: PostgreSQL adds a DETAIL line, which holds values.
        words = (str(error).splitlines() or [type(error).__name__])[0]
        if isinstance(error, driver.OperationalError):
            raise LedgerUnavailable(f"the database could not: {words}") from error
        raise LedgerError(f"the database refused: {words}") from error


def connect(address: Address) -> Any:
    """The driver's connection to a ledger, for reading. Raises LedgerUnavailable."""
    if address.file is None:
        import psycopg

        with failures_of(psycopg):
            return psycopg.connect(autocommit=True, **address.server)
    with failures_of(sqlite3):
        return connect_to_read(address.file)


def begin(connection: Any, exported: str | None = None) -> Snapshot:
    """Begin a read transaction anew: as the ledger stands, or as PostgreSQL `exported` it."""
    with failures_of(connection):
        if isinstance(connection, sqlite3.Connection):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.execute("BEGIN")
        else:
            connection.rollback()
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(f"SET TRANSACTION SNAPSHOT '{exported}'")
    snapshot = Snapshot(connection)
    snapshot.hold()
    return snapshot
