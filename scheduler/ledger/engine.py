"""Opening the database: pragmas, isolation and the one way to begin a transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool

from scheduler.errors import SettingsError

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another process before it gives up."""

# synchronous=NORMAL can lose the last commits at power loss, that is, deliver a key twice.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-32768",
)


def make_engine(url: str) -> Engine:
    """Return an engine for an SQLite file.

    Raises SettingsError for a URL of another kind, or for an SQLite database in memory
    (the write-ahead log needs a file).
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError(f"database {url!r}; allowed: sqlite:///FILE") from None
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise SettingsError(f"database {url!r} is in memory; allowed: sqlite:///FILE")
        return _sqlite_engine(url)
    raise SettingsError(f"database of kind {parsed.get_backend_name()!r}; allowed: sqlite:///FILE")


def sqlite_file(engine: Engine) -> Path:
    """The file behind an SQLite engine."""
    database = engine.url.database
    assert database is not None
    return Path(database)


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


def bare_engine(url: str) -> Engine:
    """An engine without pooling, for a migration."""
    return create_engine(url, hide_parameters=True, poolclass=NullPool)
