"""Element sets that make trouble in a worker process, and none in the caller's."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from orbits import Elements

_PATIENCE_S = 120.0


class OddError(Exception):
    """One that cannot be made again from its arguments, as copying it to a process needs."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


class Troubled(Elements):
    """A set whose `name` says what happens in a worker that propagates it.

    `source` holds the caller's process number and a FIFO. The caller waits until a worker
    has said there that it is at work, so that it cannot do everything alone meanwhile.
    """

    def satrec(self) -> Any:
        caller, fifo = self.source.split(" ", 1)
        if os.getpid() == int(caller):
            wait_for_a_worker(fifo)
        else:
            with Path(fifo).open("wb") as meeting:
                meeting.write(b"%d\n" % os.getpid())
            _TROUBLES[self.name]()
        return super().satrec()


_meetings: dict[str, tuple[int, int]] = {}
_lock = threading.Lock()


def wait_for_a_worker(fifo: str) -> int:
    """Return the number of the first worker process that came to a troubled set."""
    with _lock:
        if fifo not in _meetings:
            meeting = os.open(fifo, os.O_RDWR)
            if not select.select([meeting], [], [], _PATIENCE_S)[0]:
                raise AssertionError(f"no worker within {_PATIENCE_S} s")
            # Left open: a worker that writes to a FIFO without readers would be ended.
            _meetings[fifo] = meeting, int(os.read(meeting, 1000).split()[0])
        return _meetings[fifo][1]


def end_meeting(fifo: str) -> None:
    """Close what `wait_for_a_worker` has left open."""
    if fifo in _meetings:
        os.close(_meetings.pop(fifo)[0])


def _raise() -> NoReturn:
    raise LookupError("no such orbit")


def _raise_odd() -> NoReturn:
    raise OddError("this", "that")


_TROUBLES: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "error": _raise,
    "odd error": _raise_odd,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "print": lambda: print("hello", flush=True),  # noqa: T201
    "write": lambda: os.write(1, b"hello, world"),
    "hang": lambda: select.select([], [], []),
}
