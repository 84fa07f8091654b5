"""A thread that keeps up with what a process writes, and sleeps while it writes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

from scheduler.errors import LedgerError


class Background:
    """Does its work some time after it was nudged, at most once in `every_s` seconds."""

    def __init__(self, work: Callable[[], bool], *, name: str, every_s: float) -> None:
        self._work = work  #: True if nothing is left to do until the next nudge
        self._name = name
        self._every_s = every_s
        self._due = threading.Event()
        self._over = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def nudge(self) -> None:
        """Say that there is something to do; returns at once."""
        with self._guard:
            if self._thread is None and not self._over.is_set():
                # A daemon: an open ledger must not keep its process alive.
                self._thread = threading.Thread(target=self._keep, name=self._name, daemon=True)
                self._thread.start()
        self._due.set()

    def close(self) -> bool:
        """Let the thread end; True if there ever was one, and something may be left to do."""
        with self._guard:
            self._over.set()
            thread = self._thread
        self._due.set()
        if thread is not None:
            thread.join()
        return thread is not None

    def _keep(self) -> None:
        while self._due.wait() and not self._over.is_set():
            self._due.clear()
            done = False
            while not done and not self._over.wait(self._every_s):
                try:
                    done = self._work()
                except LedgerError:
                    # What is away now is tried again; nothing committed is at stake.
                    done = False
