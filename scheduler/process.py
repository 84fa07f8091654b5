"""Processes that lend a hand: how they start, and what they must not know."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from types import ModuleType

WITHHELD = ("SKYTRUNK_KEK", "SKYTRUNK_KEK_FILE")
"""Variables that name or hold a key; whoever may look at a worker must not find it there."""


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Fresh interpreters, started now, that lend a search or an audit a hand; at least one.

    Not forks, which would copy the locks of other threads. They run nothing of the caller's main
    module, have no secret in their environment, leave Ctrl-C to the caller and end when it does.
    Leave the pool by `with`.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_work)
    with bare_start():
        for _ in range(workers):  # each starts a process, for none is idle yet
            pool.submit(_nothing)
    return pool


@contextmanager
def bare_start() -> Iterator[None]:
    """Let processes that start within have no key in their environment, and no main module."""
    withheld = {name: os.environ.pop(name) for name in WITHHELD if name in os.environ}
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        os.environ.update(withheld)


def _nothing() -> None:
    """Do nothing, in a process of its own."""


def _begin_work() -> None:
    """Prepare a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Else a worker would wait for ever for work from a parent that was killed.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
