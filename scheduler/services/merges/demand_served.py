"""What merges gave each demand in the last 24 hours, without reading them all at every tick."""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.ledger.reader import get_commands

if TYPE_CHECKING:
    from scheduler.ledger import Reader

DAY = timedelta(days=1)
COMMANDS_AT_ONCE = 1000


class DemandServed:
    """A running sum over the merge commands of a ledger; it remembers how far it has read."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._after = 0
        self._now: datetime | None = None
        self._sums: Counter[str] = Counter()
        #: ticks within the day, and those that lie ahead of the instant last asked about
        self._ticks: list[tuple[datetime, int, Counter[str]]] = []
        self._ahead: list[tuple[datetime, int, Counter[str]]] = []

    def lately(self, reader: Reader, now: datetime) -> dict[str, int]:
        """Bits merged for each demand in the 24 hours up to `now`; those without are left out.

        `reader` must see nothing that may yet be undone.
        """
        with self._turn:
            if self._now is not None and now < self._now:
                self._forget()  # an earlier day may be wanted again
            self._now = now
            self._read(reader, now - DAY)
            while self._ahead and self._ahead[0][0] <= now:
                tick = heapq.heappop(self._ahead)
                heapq.heappush(self._ticks, tick)
                self._sums.update(tick[2])
            # A tick exactly a day ago belongs to the day before.
            while self._ticks and self._ticks[0][0] <= now - DAY:
                self._sums.subtract(heapq.heappop(self._ticks)[2])
            return {demand: bits for demand, bits in self._sums.items() if bits}

    def _read(self, reader: Reader, since: datetime) -> None:
        """Take in the merges that were added since the last time."""
        full = True
        while full:
            page = get_commands(
                reader, kind="merge", since=since, after=self._after, limit=COMMANDS_AT_ONCE
            )
            full = len(page) == COMMANDS_AT_ONCE
            self._after = page[-1].command_id if page else self._after
            for command in page:
                gained: Counter[str] = Counter()
                for step in command.answer["steps"]:
                    gained[step["demand"]] += step["bits"]
                if gained:
                    heapq.heappush(self._ahead, (command.at, command.command_id, gained))
