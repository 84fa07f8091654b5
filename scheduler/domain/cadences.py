"""When work that repeats is due: every so many seconds, or as a line of cron says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from scheduler.errors import FactError

_GRID_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
_DAYS_LOOKED = 4 * 366 + 1
"""A line of cron that names no day of so many years names none: 30 February, for one."""

SECONDS_MAX = 31_622_400
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
OFF = "off"
ALLOWED = (
    "seconds (900, 15m, 6h, 1d), five fields of cron in UTC (`15 */6 * * *`: minute, hour, day,"
    f" month, weekday), or {OFF}"
)

REPEATING = (
    "trunk", "close", "announce", "expire", "merge", "elements", "weather", "plan",
    "verify", "checkpoint", "segment",
)  # fmt: skip
"""Names of the work that repeats."""


class Cadence(Protocol):
    """Instants that come again and again, the same whenever one looks."""

    def last(self, when: datetime) -> datetime:
        """The last instant that is not after `when`."""

    def following(self, when: datetime) -> datetime:
        """The first instant after `when`."""


@dataclass(frozen=True, slots=True)
class Every:
    """A grid of so many seconds."""

    step_s: float

    def last(self, when: datetime) -> datetime:
        """The last instant that is not after `when`."""
        return on_grid(when, self.step_s)

    def following(self, when: datetime) -> datetime:
        """The first instant after `when`."""
        return on_grid(when, self.step_s) + timedelta(seconds=self.step_s)


@dataclass(frozen=True, slots=True)
class Cron:
    """A line of cron, in UTC. A day counts if it is one of the days and one of the weekdays."""

    line: str
    _sets: tuple[frozenset[int], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        words = self.line.split()
        if len(words) != len(_FIELDS):
            raise FactError(f"{self.line!r} has {len(words)} fields; allowed: {ALLOWED}")
        sets = tuple(_numbers(word, *limits) for word, limits in zip(words, _FIELDS, strict=True))
        # Sunday is 0 or 7.
        object.__setattr__(self, "_sets", (*sets[:4], frozenset(day % 7 for day in sets[4])))
        self.following(_GRID_ORIGIN)  # it comes at all

    def last(self, when: datetime) -> datetime:
        """The last instant that is not after `when`."""
        return max(self._of_days(when, -1, lambda at: at <= when))

    def following(self, when: datetime) -> datetime:
        """The first instant after `when`."""
        return min(self._of_days(when, 1, lambda at: at > when))

    def _of_days(
        self, when: datetime, way: int, counts: Callable[[datetime], bool]
    ) -> list[datetime]:
        """The instants that count of the first day, on the way from `when`, that has any."""
        minutes, hours, days, months, weekdays = self._sets
        day = when.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for _ in range(_DAYS_LOOKED):
            if day.month in months and day.day in days and day.isoweekday() % 7 in weekdays:
                all_day = (day + timedelta(hours=h, minutes=m) for h in hours for m in minutes)
                if found := [at for at in all_day if counts(at)]:
                    return found
            day += timedelta(days=way)
        raise FactError(f"{self.line!r} never comes; allowed: {ALLOWED}")


def _numbers(word: str, name: str, least: int, most: int) -> frozenset[int]:
    """The numbers that one field of cron means: `*`, `5`, `1-5`, `*/15`, `0-30/10`, in lists."""
    found: set[int] = set()
    for part in word.split(","):
        match = re.fullmatch(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?", part, re.ASCII)
        if match is None:
            raise FactError(f"{name} {part!r}; allowed: {ALLOWED}")
        star, first, last, step = match.groups()
        low = least if star else int(first)
        high = most if star or (step and not last) else int(last or first)
        if not least <= low <= high <= most or (step and int(step) < 1):
            raise FactError(f"{name} {part!r}; allowed: {least} to {most}")
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def parse_cadence(text: str) -> Cadence | None:
    """What a setting says of a cadence; None for `off`. Raises FactError for what it cannot be."""
    text = text.strip()
    if text == OFF:
        return None
    match = re.fullmatch(r"(\d+) ?([smhd]?)", text, re.ASCII)
    if match is None:
        return Cron(text)
    seconds = int(match[1]) * _UNITS_S[match[2]]
    if not 1 <= seconds <= SECONDS_MAX:
        raise FactError(f"{text!r}; allowed: 1 to {SECONDS_MAX} seconds")
    return Every(seconds)


def cadence_text(cadence: Cadence) -> str:
    """A cadence as a setting says it: in the largest unit that it is whole in, or a cron line."""
    if isinstance(cadence, Cron):
        return cadence.line
    assert isinstance(cadence, Every)
    for unit, seconds in sorted(_UNITS_S.items(), key=lambda item: -item[1]):
        if unit and not cadence.step_s % seconds:
            return f"{cadence.step_s // seconds:.0f}{unit}"
    return f"{cadence.step_s:g}"


def on_grid(when: datetime, step_s: float) -> datetime:
    """The last instant of a grid of `step_s` that is not after `when`."""
    step = timedelta(seconds=step_s)
    return _GRID_ORIGIN + step * ((when - _GRID_ORIGIN) // step)
