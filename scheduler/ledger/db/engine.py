"""Opening the database: pragmas, isolation and the one way to begin a transaction."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from scheduler.errors import SettingsError
from scheduler.ledger.db.wal import BACKSTOP_PAGES

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another process before it gives up."""

MIGRATION_LOCK = 20160816
"""Number of the advisory lock under which PostgreSQL is migrated (the day Micius flew)."""

_PASSWORD = re.compile(r"(//[^:/]*:).*@")
ALLOWED = "sqlite:///FILE, postgresql://HOST/NAME"

# synchronous=NORMAL can lose the last commits at power loss, that is, deliver a key twice.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-32768",
    f"PRAGMA wal_autocheckpoint={BACKSTOP_PAGES}",
)


def make_engine(url: str) -> Engine:
    """Return an engine for an SQLite file or a PostgreSQL database.

    Raises SettingsError for a URL of another kind, or for an SQLite database in memory
    (the write-ahead log needs a file).
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        shown = _PASSWORD.sub(r"\1***@", url)
        raise SettingsError(f"database {shown!r}; allowed: {ALLOWED}") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
            raise SettingsError(f"database driver {parsed.drivername!r}; allowed: {ALLOWED}")
        if parsed.database in (None, "", ":memory:"):
            raise SettingsError(f"database {url!r} is in memory; allowed: sqlite:///FILE")
        return _sqlite_engine(url)
    if backend == "postgresql":
        return _postgres_engine(parsed.set(drivername="postgresql+psycopg"))
    raise SettingsError(f"database of kind {backend!r}; allowed: {ALLOWED}")


def sqlite_file(engine: Engine) -> Path | None:
    """The file behind an SQLite engine; None for another kind."""
    database = engine.url.database
    return Path(database) if engine.dialect.name == "sqlite" and database else None


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, poolclass=QueuePool)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # The driver must not begin transactions of its own: a plain BEGIN that later wants
        # to write meets "database is locked" (measured: 4,749 in 4 s on 8 threads).
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("ledger_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(url: Any) -> Engine:
    try:
        engine = create_engine(
            url, hide_parameters=True, isolation_level="SERIALIZABLE", pool_pre_ping=True
        )
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"PostgreSQL needs the extra `postgres` ({error.name} is not installed)"
        ) from None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("ledger_migrates", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        elif options.get("ledger_writes", False):
            # The log is one sequence, so writers take turns. A lock on a table, unlike any
            # query, takes no snapshot: whoever waited here then sees what the one before
            # committed, and serialization fails only against foreign sessions.
            connection.exec_driver_sql("LOCK TABLE audit_leaf IN EXCLUSIVE MODE")
        else:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    return engine


def migrating(engine: Engine) -> Connection:
    """A connection whose transaction keeps every other migration waiting."""
    connection = engine.connect()
    if engine.dialect.name == "postgresql":
        # Read committed, so that whoever waited for the lock sees what was done meanwhile.
        return connection.execution_options(ledger_migrates=True, isolation_level="READ COMMITTED")
    return connection.execution_options(ledger_writes=True)
