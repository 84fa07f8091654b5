"""The only place that asks what time it is; everything else is handed a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from orbits import as_utc
from scheduler.errors import InputError

RATE_MAX = 1_000_000.0


class Clock(Protocol):
    """What tells the time: an aware UTC datetime that never runs backwards."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)


class AcceleratedClock:
    """Time that starts at a chosen instant and runs `rate` times as fast as the machine's.

    It follows the monotonic counter, so that a machine's clock being set cannot turn it back.
    """

    def __init__(self, start: datetime, *, rate: float = 1.0) -> None:
        if not 0.0 < rate <= RATE_MAX:
            raise InputError(f"clock rate {rate}; allowed: above 0, up to {RATE_MAX:.0f}")
        self.start = as_utc(start)
        self.rate = rate
        self._origin_s = time.monotonic()

    def now(self) -> datetime:
        """The simulated instant."""
        return self.start + timedelta(seconds=(time.monotonic() - self._origin_s) * self.rate)

    def real_seconds(self, simulated_s: float) -> float:
        """How long a simulated duration takes on the machine."""
        return simulated_s / self.rate


class SimulatedClock:
    """Time that stands still until it is told to move; a replay moves it from event to event."""

    def __init__(self, start: datetime) -> None:
        self._now = as_utc(start)

    def now(self) -> datetime:
        """The simulated instant."""
        return self._now

    def advance_to(self, when: datetime) -> None:
        """Move on to `when`. Raises InputError if that lies in the past."""
        when = as_utc(when)
        if when < self._now:
            raise InputError(f"the clock stands at {self._now}; it does not go back to {when}")
        self._now = when


def live_clock(start: datetime | None, rate: float) -> Clock:
    """The machine's own time, or one that starts elsewhere or runs faster."""
    if start is None and rate == 1.0:
        return SystemClock()
    return AcceleratedClock(start or SystemClock().now(), rate=rate)
