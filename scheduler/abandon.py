"""Computations that nobody waits for any more: they end at the next step that asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LEFT: ContextVar[threading.Event | None] = ContextVar("left", default=None)


class Abandoned(Exception):
    """Whoever asked has left; nobody is to be told."""


@contextmanager
def abandoned_by(left: threading.Event) -> Iterator[None]:
    """Have what is computed in here, in threads that it is handed to as well, look at `left`."""
    before = _LEFT.set(left)
    try:
        yield
    finally:
        _LEFT.reset(before)


def go_on() -> None:
    """Return if somebody still waits, as ever where nobody can leave. Raises Abandoned."""
    left = _LEFT.get()
    if left is not None and left.is_set():
        raise Abandoned
