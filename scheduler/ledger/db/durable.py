"""One sync of SQLite's log for all who committed before it, of whichever thread and process.

A sync takes as long as ten small transactions. Whoever writes beside others commits without one,
lets the next write, and waits here before it answers: for a sync that began after its commit, its
own or anybody's. Eight processes share one this way, and nothing is answered that could be lost.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from pathlib import Path

from scheduler.errors import LedgerUnavailable
from scheduler.ledger.db.tickets import TicketQueue, lock, unlock

SUFFIX = "-sync"
_COUNTS = struct.Struct("<qq")
"""How many syncs of the log began, and which was the last of them to end well."""
GATHER_S = 0.004
"""How long a sync waits for those in line: theirs is then in it, too."""
_BYTE = 0  #: of the file, locked by whoever syncs


class SharedSync:
    """The syncs of one database's log, counted in memory that its processes share."""

    def __init__(self, database: Path, line: TicketQueue | None = None) -> None:
        self._line = line
        self._path = database.with_name(database.name + SUFFIX)
        self._log = database.with_name(f"{database.name}-wal")
        self._guard = threading.Lock()
        self._handle: int | None = None
        self._log_handle: int | None = None
        self._counts: mmap.mmap | None = None
        self._failed = False

    def point(self) -> int:
        """The number of the first sync that takes all that is committed by now."""
        return _next(self._open())

    def wait(self, point: int) -> None:
        """Return when everything is on disk that was committed before that point.

        Raises LedgerUnavailable if the disk did not take it: then nobody knows, and this process
        writes no more.
        """
        counts = self._open()
        with self._guard:
            if _COUNTS.unpack_from(counts)[1] >= point:
                return
            assert self._handle is not None
            # Alone, one after the other: many that look at once keep each other from syncing.
            lock(self._handle, _BYTE)
            try:
                while _COUNTS.unpack_from(counts)[1] < point:
                    self._sync(counts)
            finally:
                unlock(self._handle, _BYTE)

    def _sync(self, counts: mmap.mmap) -> None:
        if self._failed:
            raise LedgerUnavailable("the disk did not take what was written; start this anew")
        if self._line is not None:
            self._line.let_pass(GATHER_S)
        # Who commits from here on waits for the next.
        number = _next(counts)
        struct.pack_into("<q", counts, 0, number)
        try:
            handle = self._log_now()
            if handle is not None:
                os.fdatasync(handle)
        except OSError as error:
            # A second try would say that all is well, of pages that were dropped.
            self._failed = True
            raise LedgerUnavailable(f"the disk did not take what was written: {error}") from error
        struct.pack_into("<q", counts, _COUNTS.size // 2, number)

    def _log_now(self) -> int | None:
        """The log as it is now; None if it is gone, for it was copied back and synced before."""
        try:
            found = self._log.stat()
        except FileNotFoundError:
            return None
        if self._log_handle is not None and os.fstat(self._log_handle).st_ino != found.st_ino:
            os.close(self._log_handle)
            self._log_handle = None
        if self._log_handle is None:
            self._log_handle = os.open(self._log, os.O_RDWR | os.O_CLOEXEC)
        return self._log_handle

    def _open(self) -> mmap.mmap:
        with self._guard:
            if self._counts is None:
                self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._reserve(self._handle)
                self._counts = mmap.mmap(self._handle, _COUNTS.size)
            return self._counts

    def _reserve(self, handle: int) -> None:
        """Have the counts on the disk, and leave those as they are that are there already.

        A page that a full disk does not have is no error but the end of the process (SIGBUS).
        """
        try:
            if hasattr(os, "posix_fallocate"):  # macOS has none
                os.posix_fallocate(handle, 0, _COUNTS.size)
            elif os.fstat(handle).st_size < _COUNTS.size:
                os.ftruncate(handle, _COUNTS.size)
        except OSError as error:
            os.close(handle)
            self._handle = None
            raise LedgerUnavailable(f"the disk does not take {self._path.name}: {error}") from error

    def close(self) -> None:
        """Let go of the files."""
        with self._guard:
            if self._counts is not None:
                self._counts.close()
                self._counts = None
            for handle in (self._handle, self._log_handle):
                if handle is not None:
                    os.close(handle)
            self._handle = self._log_handle = None


def _next(counts: mmap.mmap) -> int:
    """A number above both counts, whatever a machine that went down left of them."""
    return int(max(_COUNTS.unpack_from(counts))) + 1
