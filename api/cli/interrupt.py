"""Ctrl-C, held back while a module is being imported or code made on the fly."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

SPARED = {"<frozen importlib._bootstrap>", "<string>"}
"""Where an import, and code that was given to `exec`, say that they come from."""

AGAIN_S = 0.02
HELD_BACK_S_MAX = 10.0
"""Longer than any import takes; then whatever runs is interrupted after all."""


def spare_imports() -> None:
    """Let Ctrl-C raise KeyboardInterrupt as ever, but never in the middle of an import.

    There it can be lost in Python's own tidying up, or come out as another error of a module that
    was half loaded; in the middle of `exec` it makes Python die of the signal at its end. Where the
    interrupt is ignored or somebody else's, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _Interrupt())


class _Interrupt:
    """The handler; it calls itself again until nothing is in the way."""

    def __init__(self) -> None:
        self._first: float | None = None

    def __call__(self, _: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
        if _is_spared(frame) and now - self._first < HELD_BACK_S_MAX:
            again = threading.Timer(AGAIN_S, _interrupt_main_thread)
            again.daemon = True
            again.start()
            return
        self._first = None
        raise KeyboardInterrupt


def _interrupt_main_thread() -> None:
    """By a true signal, so that it wakes from whatever it waits for."""
    ident = threading.main_thread().ident
    assert ident is not None  # it runs
    signal.pthread_kill(ident, signal.SIGINT)


def _is_spared(frame: FrameType | None) -> bool:
    # The outermost frame is the whole program, wherever it comes from.
    while frame is not None and frame.f_back is not None:
        if frame.f_code.co_filename in SPARED:
            return True
        frame = frame.f_back
    return False
