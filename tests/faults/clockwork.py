"""A `run` whose work takes long enough to be killed in: python -m tests.faults.clockwork URL."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from scheduler.jobs import run_forever
from scheduler.services import work
from scheduler.settings import load_settings

SLOW_S = 0.7
INTERVAL_S = 5


def _slowly(use_case: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def slow(*given: Any, **more: Any) -> dict[str, Any]:
        time.sleep(SLOW_S)
        return use_case(*given, **more)

    return slow


def main(url: str) -> None:
    """Run until told to stop; deposits and merges wait a while before they do anything."""
    work.merge_due = _slowly(work.merge_due)
    work.deposit_trunk = _slowly(work.deposit_trunk)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = load_settings(
        database_url=url,
        scenario="micius-2016-fibre",
        schedules={"trunk": f"{INTERVAL_S}s", "merge": f"{INTERVAL_S}s"}
        | dict.fromkeys(("expire", "elements", "verify", "checkpoint"), "off"),
    )
    run_forever(settings, clock_start=None, clock_rate=1.0, stop=stop)


if __name__ == "__main__":
    main(sys.argv[1])
