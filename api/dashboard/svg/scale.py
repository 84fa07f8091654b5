"""The time axis that every picture of a page shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

STEPS_H = (0.5, 1, 2, 3, 6, 12, 24, 48, 96, 168, 336)
HOUR_S = 3600.0
ROOM = 16.0  # pixels that half of a label takes


@dataclass(frozen=True, slots=True)
class AxisMark:
    """A mark on the axis."""

    x: float
    label: str
    strong: bool  #: a midnight


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeAxis:
    """From an instant to another, along so many pixels."""

    start: datetime
    end: datetime
    left: float
    width: float

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.left + self.width

    def x(self, when: datetime) -> float:
        """Where an instant stands; those outside stand at the nearer end."""
        part = (when - self.start) / (self.end - self.start)
        return round(self.left + self.width * min(max(part, 0.0), 1.0), 2)

    def marks(self, most: int = 10) -> Iterator[AxisMark]:
        """Even marks, at most so many, midnights with their date."""
        hours = (self.end - self.start).total_seconds() / HOUR_S
        step_h = next((step for step in STEPS_H if hours / step <= most), STEPS_H[-1])
        midnight = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        when = midnight
        while when <= self.end:
            # Close to the end a label would be cut off.
            if when >= self.start and self.x(when) <= self.right - ROOM:
                strong = when.hour == when.minute == 0
                yield AxisMark(self.x(when), f"{when:%m-%d}" if strong else f"{when:%H:%M}", strong)
            when += timedelta(hours=step_h)
