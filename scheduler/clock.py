"""The only place that asks what time it is; everything else is handed a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from orbits import as_utc
from scheduler.errors import ClockStepped, InputError

RATE_MAX = 1_000_000.0

STEP_S_MAX = 300.0
"""A step that a machine's clock may make at once: time servers set it right by seconds."""


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


class SteadyClock:
    """The machine's own time, refused where it steps by more than `step_s_max`.

    It is held to a counter that nobody sets and that goes on while the machine sleeps. What the
    machine's time gains or loses little by little is taken over; a step is not, so that a wrong
    date of an hour can neither expire key nor deposit a year of it.
    """

    def __init__(self, *, step_s_max: float = STEP_S_MAX) -> None:
        self._step_max = timedelta(seconds=step_s_max)
        self._seen, self._counted_s = SystemClock().now(), _counted_s()

    def now(self) -> datetime:
        """The present instant. Raises ClockStepped while it is not plausible."""
        shown, counted_s = SystemClock().now(), _counted_s()
        due = self._seen + timedelta(seconds=counted_s - self._counted_s)
        if abs(shown - due) > self._step_max:
            raise ClockStepped(
                f"the machine's clock shows {shown.isoformat()}, {due.isoformat()} is due; allowed:"
                f" steps of up to {self._step_max.total_seconds():.0f} s. Set it right, or start"
                " again if it is right now"
            )
        self._seen, self._counted_s = shown, counted_s
        return shown


def _counted_s() -> float:
    """Seconds since the machine was started, its sleep among them where it tells them."""
    counter = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(counter)


class AcceleratedClock:
    """Time that starts at a chosen instant and runs `rate` times as fast as the machine's.

    It starts when it is first looked at, so that what is loaded before takes none of it. It follows
    the monotonic counter, so that a machine's clock being set cannot turn it back.
    """

    def __init__(self, start: datetime, *, rate: float = 1.0) -> None:
        if not 0.0 < rate <= RATE_MAX:
            raise InputError(f"clock rate {rate}; allowed: above 0, up to {RATE_MAX:.0f}")
        self.start = as_utc(start)
        self.rate = rate
        self._origin_s: float | None = None

    def now(self) -> datetime:
        """The simulated instant."""
        counted_s = time.monotonic()
        if self._origin_s is None:
            self._origin_s = counted_s
        return self.start + timedelta(seconds=(counted_s - self._origin_s) * self.rate)

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
        return SteadyClock()
    return AcceleratedClock(start or SystemClock().now(), rate=rate)
