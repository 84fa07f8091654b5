"""Worker processes, each started anew when it ends, until all are told to stop."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

log = structlog.get_logger("skytrunk.processes")

LOOK_S = 0.5
WAIT_S, WAIT_S_MAX = 1.0, 30.0
STEADY_S = 60.0
"""Who worked for so long and ends is started at once again; others wait, twice as long each."""
GRACE_S = 60.0


@dataclass
class _Place:
    """One worker, and when the next may be started in its place."""

    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    again_s: float = 0.0
    wait_s: float = WAIT_S


def supervise(command: Sequence[str], *, processes: int, stop: threading.Event) -> None:
    """Keep so many processes of a command running until `stop` is set, then end them."""
    places = [_Place() for _ in range(processes)]
    try:
        while not stop.wait(LOOK_S):
            for place in places:
                _look_after(place, command)
    finally:
        for place in places:
            if place.process is not None:
                place.process.terminate()
        until = time.monotonic() + GRACE_S
        for place in places:
            if place.process is not None:
                _end(place.process, until - time.monotonic())


def _look_after(place: _Place, command: Sequence[str]) -> None:
    now = time.monotonic()
    if place.process is not None and (code := place.process.poll()) is not None:
        steady = now - place.started_s >= STEADY_S
        place.wait_s = WAIT_S if steady else min(2 * place.wait_s, WAIT_S_MAX)
        place.again_s, place.process = now + (0.0 if steady else place.wait_s), None
        log.warning("process ended", code=code, again_in_s=round(place.again_s - now, 1))
    if place.process is None and now >= place.again_s:
        place.process, place.started_s = subprocess.Popen(command), now


def _end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    try:
        process.wait(max(0.0, grace_s))
    except subprocess.TimeoutExpired:
        # Its jobs are taken over when their leases are over.
        process.kill()
        process.wait()
