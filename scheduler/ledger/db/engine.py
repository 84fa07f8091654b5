"""Opening the database: pragmas, isolation and the one way to begin a transaction."""

from __future__ import annotations

import contextlib
import os
import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.pool import QueuePool

from scheduler.errors import SettingsError
from scheduler.ledger.db.bulk import owe, pay, under_way
from scheduler.ledger.db.failures import refused
from scheduler.ledger.db.files import BUSY_TIMEOUT_S, CACHE_KIB, connect_to_read
from scheduler.ledger.db.wal import BACKSTOP_PAGES

MIGRATION_LOCK = 20160816
"""Number of the advisory lock under which PostgreSQL is migrated (the day Micius flew)."""

WRITERS_LOCK = 20160818
"""Number of the advisory lock that PostgreSQL's writers share, or one of them has for itself."""

# In a transaction that writes: its locks end with a client that is there and says nothing.
_IDLE = "set_config('idle_in_transaction_session_timeout', '60s', true)"
# Who writes beside others waits for the disk behind the commit (`bulk.send_commit`), when the rows
# that he locked are free again: else all who draw from one pool would wait for each other's syncs.
# His statements find rows by an index, whatever the values are: one plan will do for all.
_LOCK_BESIDE = (
    f"SELECT pg_advisory_xact_lock_shared({WRITERS_LOCK}),"
    " set_config('synchronous_commit', 'off', true),"
    f" set_config('plan_cache_mode', 'force_generic_plan', true), {_IDLE}"
)
_LOCK_ALONE = f"SELECT pg_advisory_xact_lock({WRITERS_LOCK}), {_IDLE}"

_PASSWORD = re.compile(r"(//[^:/]*:).*@")
ALLOWED = "sqlite:///FILE, postgresql://HOST/NAME"

LIVENESS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""After how long a server that says nothing counts as gone: half a minute, unless the URL says so.

A network that is cut breaks no connection: whoever waits for an answer would wait for hours.
"""
SERVER_LIVENESS = (
    "-ctcp_keepalives_idle=10 -ctcp_keepalives_interval=5 -ctcp_keepalives_count=3"
    " -ctcp_user_timeout=30000"
)
"""The same of the server, which would keep the locks of a client that it does not hear of."""

# A commit that is answered before it is synced is lost with the power, and its key is delivered
# twice.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000:.0f}",
    "PRAGMA secure_delete=ON",
    f"PRAGMA cache_size=-{CACHE_KIB}",
    f"PRAGMA wal_autocheckpoint={BACKSTOP_PAGES}",
)


def make_engine(url: str) -> Engine:
    """Return an engine for an SQLite file, made if need be, or for a PostgreSQL database.

    Raises SettingsError for a URL of another kind, or for an SQLite database in memory
    (the write-ahead log needs a file).
    """
    parsed = _parsed(url)
    return _sqlite_engine(parsed) if _is_sqlite(parsed) else _postgres_engine(parsed)


def make_reading_engine(url: str) -> Engine:
    """As `make_engine`, for reading alone: an SQLite file must be there, and stays as it is."""
    parsed = _parsed(url)
    return _sqlite_reading_engine(parsed) if _is_sqlite(parsed) else _postgres_engine(parsed)


@contextmanager
def opening_engine(engine: Engine) -> Iterator[Engine]:
    """Let go of an engine if opening a ledger with it fails. Raises LedgerError for a driver's."""
    try:
        yield engine
    except DBAPIError as error:
        engine.dispose()
        raise refused(error, opening=engine.url.render_as_string(hide_password=True)) from error
    except BaseException:
        engine.dispose()
        raise


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _parsed(url: str) -> URL:
    """The parts of a URL that is one of ours. Raises SettingsError."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        shown = _PASSWORD.sub(r"\1***@", url)
        raise SettingsError(f"database {shown!r}; allowed: {ALLOWED}") from None
    if _is_sqlite(parsed):
        if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
            raise SettingsError(f"database driver {parsed.drivername!r}; allowed: {ALLOWED}")
        if parsed.database in (None, "", ":memory:"):
            raise SettingsError(f"database {url!r} is in memory; allowed: sqlite:///FILE")
        return parsed
    if parsed.get_backend_name() == "postgresql":
        query = {**LIVENESS, "options": SERVER_LIVENESS, **parsed.query}
        return parsed.set(drivername="postgresql+psycopg", query=query)
    raise SettingsError(f"database of kind {parsed.get_backend_name()!r}; allowed: {ALLOWED}")


def sqlite_file(engine: Engine) -> Path | None:
    """The file behind an SQLite engine; None for another kind."""
    database = engine.url.database
    return Path(database) if engine.dialect.name == "sqlite" and database else None


def _make_private(file: Path) -> None:
    """Make an SQLite file for its owner alone; its log and its index of that get the same mode.

    One that is there is not opened: closing it again would drop every lock that this process has on
    it (POSIX), and another process, believing itself alone, would delete the log that is in use.
    """
    with contextlib.suppress(OSError):  # which opening it will say better
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _sqlite_engine(url: URL) -> Engine:
    _make_private(Path(url.database or ""))
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
        options = connection.get_execution_options()
        driver: Any = connection.connection.driver_connection
        if options.get("ledger_writes", False):
            # Who writes beside others shares a sync with them (`durable`) before it answers.
            shares = options.get("ledger_shares", False)
            driver.execute(f"PRAGMA synchronous={'NORMAL' if shares else 'FULL'}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _sqlite_reading_engine(url: URL) -> Engine:
    file = Path(url.database or "")
    engine = create_engine(
        url, hide_parameters=True, poolclass=QueuePool, creator=lambda: connect_to_read(file)
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Whoever must keep all others from writing for a moment may take the lock for it.
        locks = connection.get_execution_options().get("ledger_writes", False)
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if locks else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if locks else "BEGIN")

    return engine


def _postgres_engine(url: URL) -> Engine:
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            isolation_level="SERIALIZABLE",
            # The driver forgets all that is prepared with every rollback; `wire` prepares.
            connect_args={"prepare_threshold": None},
        )
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"PostgreSQL needs the extra `postgres` ({error.name} is not installed)"
        ) from None

    @event.listens_for(engine, "checkout")
    def _check(connection: Any, _record: object, _proxy: object) -> None:
        # What a server has to say to a connection that asked nothing is its goodbye; unlike
        # a ping, to see whether it did costs no round trip.
        if select.select([connection.pgconn.socket], [], [], 0)[0]:
            raise DisconnectionError("the server closed a connection that nobody used")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        pay(connection)  # of one that did nothing
        if options.get("ledger_migrates", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        elif not options.get("ledger_writes", False):
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        elif not options.get("ledger_numbers", False):
            # Taken first: whoever waited here sees, statement by statement, what was committed.
            owe(connection, _LOCK_BESIDE if options.get("ledger_shares", False) else _LOCK_ALONE)
        else:
            owe(connection, f"SELECT {_IDLE}")

    @event.listens_for(engine, "before_cursor_execute")
    def _before(connection: Connection, *_: object) -> None:
        assert not under_way(connection)  # it would overtake what was given before
        if (owed := pay(connection)) is not None:
            driver: Any = connection.connection.driver_connection
            driver.execute(owed)

    return engine


def writing(engine: Engine, *, side_by_side: bool = False) -> Connection:
    """A connection whose transactions write, alone or beside others that do so side by side."""
    return _committed(engine, ledger_writes=True, ledger_shares=side_by_side)


def numbering(engine: Engine) -> Connection:
    """A connection whose transactions number the log's leaves, beside the writers."""
    return _committed(engine, ledger_writes=True, ledger_numbers=True)


def _committed(engine: Engine, **options: Any) -> Connection:
    """A connection whose every statement sees what is committed by then, not a snapshot."""
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "READ COMMITTED"
    return engine.connect().execution_options(**options)


def migrating(engine: Engine) -> Connection:
    """A connection whose transaction keeps every other migration waiting."""
    connection = engine.connect()
    if engine.dialect.name == "postgresql":
        # Read committed, so that whoever waited for the lock sees what was done meanwhile.
        return connection.execution_options(ledger_migrates=True, isolation_level="READ COMMITTED")
    return connection.execution_options(ledger_writes=True)
