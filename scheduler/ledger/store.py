"""The ledger as a whole: opening it, its transactions, its audit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from scheduler.errors import LedgerError
from scheduler.facts import VerifyReport
from scheduler.ledger import export, verify
from scheduler.ledger.engine import make_engine
from scheduler.ledger.migrate import ensure_schema
from scheduler.ledger.pools import PoolBook, PoolNumbers
from scheduler.ledger.reader import Reader
from scheduler.ledger.transaction import Transaction


class Ledger:
    """One database of key, bookings and everything that happened; get one from `open_ledger`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pools: dict[str, PoolNumbers] = {}
        self._writer = threading.Lock()  # threads queue here instead of on the database's lock

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """One write transaction: committed at the end, undone by any exception.

        Raises LedgerError if the database itself refuses; its message holds no parameters.
        """
        with self._writer, self._engine.connect() as plain:
            connection = plain.execution_options(ledger_writes=True)
            pools = PoolBook(self._pools)
            try:
                with connection.begin():
                    transaction = Transaction(connection, pools)
                    yield transaction
                    transaction._complete()
            except DBAPIError as error:
                # The driver's own words name tables and constraints, never values.
                raise LedgerError(f"the database refused: {error.orig}") from error
            pools.publish()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """One consistent snapshot to read from; writers go on meanwhile."""
        with self._engine.connect() as connection, connection.begin():
            yield Reader(connection)

    def verify(self, progress: Callable[[int], None] | None = None) -> VerifyReport:
        """Recompute every hash, range and balance; `progress` hears of entries looked at."""
        with self._engine.connect() as connection, connection.begin():
            return verify.verify(connection, progress)

    def export_lines(self) -> Iterator[str]:
        """The ledger as canonical JSON, one object a line; no key, nonce or wall time in it."""
        with self._engine.connect() as connection, connection.begin():
            yield from export.lines(connection)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_ledger(url: str, *, migrate: bool = True) -> Ledger:
    """Open the ledger behind a database URL, making the SQLite file and its tables if need be.

    Raises SettingsError for a URL that is none of ours, LedgerMismatch for a database of
    something else or of another release, LedgerError if it cannot be opened at all.
    """
    engine = make_engine(url)
    try:
        ensure_schema(engine, migrate=migrate)
    except DBAPIError as error:
        engine.dispose()
        name = engine.url.render_as_string(hide_password=True)
        raise LedgerError(f"cannot open {name}: {error.orig}") from error
    except LedgerError:
        engine.dispose()
        raise
    return Ledger(engine)
