"""Copying SQLite's write-ahead log back into its database, beside the writers.

A commit is durable once the log is on disk. SQLite by itself copies the log back inside the
commit that makes it longer than 1,000 pages: in a busy ledger nearly every one, and whoever
commits waits for two more syncs. Here a thread of its own does that.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path

LOG_BYTES = 4_000_000
"""Length of the log from which it is copied back: SQLite's own 1,000 pages."""

BACKSTOP_PAGES = 16_000
"""Length (64 MB) at which a commit copies the log back after all: the thread is behind."""

PAUSE_S = 0.1
"""Between two copyings: a log that was long stays so, and each commit asks for one."""

EMPTY_TIMEOUT_MS = 2_000

RETRY_S, RETRY_MAX_S = 0.1, 5.0
"""Shortest and longest time between two tries to empty a log that others use.

Each try keeps all writers waiting for its syncs; sixteen processes that tried after every commit
kept one another from committing for twelve seconds.
"""


class WalCheckpointer:
    """One thread for one database file; it sleeps until it is nudged."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._log = file.with_name(f"{file.name}-wal")
        self._due = threading.Event()
        self._over = threading.Event()
        # A log that is there may hold what a process had erased that was killed before it was cut.
        self._owed = self._log.exists() and self._log.stat().st_size > 0
        self._pause_s, self._try_at = RETRY_S, 0.0
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def nudge(self) -> None:
        """Have a log that grew long copied back; returns at once. Call it after a commit.

        A log that still holds erased key is emptied at once, unless a reader is in the way again:
        then it is tried ever more seldom.
        """
        if self._owed and time.monotonic() >= self._try_at and self._log.exists():
            self._empty(timeout_ms=0)
            self._try_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, RETRY_MAX_S)
        if self._is_long():
            with self._guard:
                if self._thread is None and not self._over.is_set():
                    # A daemon: an open ledger must not keep its process alive.
                    self._thread = threading.Thread(
                        target=self._keep, name="skytrunk-wal", daemon=True
                    )
                    self._thread.start()
            self._due.set()

    def empty(self) -> None:
        """Copy the whole log back and cut it to nothing: erased key must not live on in it.

        Waits some time for readers and other writers; if one is still in the way, later commits
        try again, the next one first.
        """
        self._pause_s, self._try_at = RETRY_S, 0.0
        self._empty(timeout_ms=EMPTY_TIMEOUT_MS)

    def _empty(self, *, timeout_ms: int) -> None:
        self._owed = True
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(self._file, isolation_level=None)) as connection,
        ):
            connection.execute(f"PRAGMA busy_timeout={timeout_ms}")
            ((hindered, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._owed = bool(hindered)

    def _is_long(self) -> bool:
        """Whether the log's file is long; copying it back makes it no shorter.

        The log's index would tell what waits in it. But whoever closes a file of which this process
        holds a lock loses that (POSIX), and every lock of SQLite's log is one of its index: another
        process would begin to write in the middle of a transaction.
        """
        try:
            return self._log.stat().st_size >= LOG_BYTES
        except OSError:
            return False

    def close(self) -> None:
        """Let the thread end; SQLite copies the rest when its last connection is closed."""
        if self._owed and self._log.exists():
            self._empty(timeout_ms=0)
        with self._guard:
            thread = self._thread
            self._over.set()
        self._due.set()
        if thread is not None:
            thread.join()

    def _keep(self) -> None:
        # What fails here is tried again after the next commit, which has its own say about a
        # full or broken disk; nothing committed is at stake.
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(self._file, isolation_level=None)) as connection,
        ):
            while self._due.wait() and not self._over.is_set():
                self._due.clear()
                with contextlib.suppress(sqlite3.Error):
                    # PASSIVE takes what it can get and keeps neither readers nor writers waiting.
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                self._over.wait(PAUSE_S)
