"""How the file of an SQLite ledger is opened to be read, with or without SQLAlchemy."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

BUSY_TIMEOUT_S = 30.0
"""How long to wait for another process before giving up."""

CACHE_KIB = 32_768


def is_writable(file: Path) -> bool:
    """Whether this process could write to the file and put a write-ahead log beside it."""
    return all(os.access(path, os.W_OK, effective_ids=True) for path in (file, file.parent))


def reading_uri(file: Path) -> str:
    """The URI under which to read a file that is there; nothing is ever made.

    Where it could be written to it is opened so: else the last one to leave could not tidy the
    write-ahead log away. Elsewhere SQLite must be told that it cannot make the files by which
    readers and writers agree (`immutable`), unless a writer has made them.
    """
    mode = "mode=rw" if is_writable(file) else "mode=ro"
    log = file.with_name(f"{file.name}-wal")
    if mode == "mode=ro" and not (log.exists() and log.stat().st_size):
        mode = "mode=ro&immutable=1"
    return f"{file.absolute().as_uri()}?{mode}"


def can_hold_still(file: Path) -> bool:
    """Whether this process can see to it that nobody writes for a moment, or nobody can."""
    return not reading_uri(file).endswith("?mode=ro")


def connect_to_read(file: Path) -> sqlite3.Connection:
    """A connection for reading, which begins no transaction of its own."""
    connection = sqlite3.connect(
        reading_uri(file),
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only=ON")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    return connection
