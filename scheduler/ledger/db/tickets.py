"""Processes that want to write to one SQLite file, in the order in which they came.

SQLite lets whoever asks at the right moment begin to write: one of eight processes waited for
eight seconds. Here each draws a ticket, a byte of a file beside the database, and locks it; its
turn comes when the byte before its own is free. The kernel wakes whoever waits, and frees what a
process held that died. Whoever writes still begins with SQLite's own lock, so this decides about
order alone, never about who may write.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = "-queue"
LOOK_S = 0.0005  #: between two looks at whether others are done
_NUMBER = struct.Struct("<q")
_FIRST = _NUMBER.size  #: behind the number of the last ticket; byte 0 guards that
_LOCK = struct.Struct("hhqqi4x")  #: Linux's struct flock: kind, from where, start, length, process


class TicketQueue:
    """A line of processes before one database file; one at a time of each may stand in it."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + SUFFIX)
        self._handle: int | None = None
        self._watch: int | None = None  #: another opening, which holds no ticket of ours

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until all who came before are done."""
        handle = self._open()
        ticket = self._draw(handle)
        try:
            lock(handle, ticket - 1)
            unlock(handle, ticket - 1)
            yield
        finally:
            unlock(handle, ticket)

    def let_pass(self, seconds: float) -> None:
        """Wait until those who stand in line now are done, at most so long."""
        if self._watch is None:
            self._watch = self._opened()
        last, ends = _last(self._watch), time.monotonic() + seconds
        while not try_lock(self._watch, last):
            if time.monotonic() >= ends:
                return
            time.sleep(LOOK_S)
        unlock(self._watch, last)

    def close(self) -> None:
        """Let go of the file."""
        for handle in (self._handle, self._watch):
            if handle is not None:
                os.close(handle)
        self._handle = self._watch = None

    def _open(self) -> int:
        if self._handle is None:
            self._handle = self._opened()
        return self._handle

    def _opened(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @staticmethod
    def _draw(handle: int) -> int:
        """The next ticket, locked: the byte of the file that stands for it."""
        lock(handle, 0)
        try:
            ticket = _last(handle) + 1
            lock(handle, ticket)
            os.pwrite(handle, _NUMBER.pack(ticket), 0)
        finally:
            unlock(handle, 0)
        return ticket


def _last(handle: int) -> int:
    """The ticket that was drawn last."""
    last = os.pread(handle, _NUMBER.size, 0)
    return int(_NUMBER.unpack(last)[0]) if len(last) == _NUMBER.size else _FIRST


def lock(handle: int, byte: int) -> None:
    """Wait for a byte of a file; held by this opening of it, not by the whole process."""
    _set(handle, fcntl.F_WRLCK, byte)


def try_lock(handle: int, byte: int) -> bool:
    """Take a byte of a file if nobody has it."""
    try:
        _set(handle, fcntl.F_WRLCK, byte, how=fcntl.F_OFD_SETLK)
    except BlockingIOError:
        return False
    return True


def unlock(handle: int, byte: int) -> None:
    """Let go of a byte of a file."""
    _set(handle, fcntl.F_UNLCK, byte)


def _set(handle: int, kind: int, byte: int, how: int = fcntl.F_OFD_SETLKW) -> None:
    fcntl.fcntl(handle, how, _LOCK.pack(kind, os.SEEK_SET, byte, 1, 0))
