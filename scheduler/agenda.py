"""What is due and in which order, on one grid: for replays, the live clock and the cluster."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import count
from typing import Protocol
from uuid import UUID

_GRID_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)


class Work(IntEnum):
    """What can be due, in the order of one instant.

    What ends is settled, then the trunk deposits, pooled blocks that are due close, what time
    brings is announced or expires, then merges spend what is left, the next window is planned, and
    last a session may begin.
    """

    SETTLE = 0
    TRUNK = 1
    CLOSE = 2
    ANNOUNCE = 3
    EXPIRE = 4
    MERGE = 5
    PLAN = 6
    BEGIN = 7

    def __str__(self) -> str:
        return self.name.lower()


class Schedule(Protocol):
    """How often work that repeats is due, in seconds."""

    @property
    def plan_interval_s(self) -> int: ...
    @property
    def trunk_interval_s(self) -> int: ...
    @property
    def merge_interval_s(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One piece of work at its instant."""

    at: datetime
    work: Work
    since: datetime  #: of work that repeats: when the interval that ends now began
    until: datetime  #: of work that repeats: when it is due again
    booking_id: UUID | None = None  #: of a session


class Agenda:
    """What is still to happen from `start` to `end`, in order of time; sessions may end later.

    Work that repeats lies on a grid that does not depend on when the agenda was made: after a
    restart the same instants come. The first plan is due at `start`, for what is left of its
    interval; deposits, announcements and merges are due where an interval ends.
    """

    def __init__(self, schedule: Schedule, *, start: datetime, end: datetime | None = None) -> None:
        self._end = end
        self._steps_s = {
            Work.TRUNK: schedule.trunk_interval_s,
            Work.CLOSE: schedule.merge_interval_s,
            Work.ANNOUNCE: schedule.merge_interval_s,
            Work.EXPIRE: schedule.merge_interval_s,
            Work.MERGE: schedule.merge_interval_s,
            Work.PLAN: schedule.plan_interval_s,
        }
        self._heap: list[tuple[datetime, Work, int, Due]] = []
        self._order = count()
        self._known: set[tuple[Work, UUID]] = set()
        for work in self._steps_s:
            self._repeat(work, start if work is Work.PLAN else self._next(work, start), start)

    def _next(self, work: Work, when: datetime) -> datetime:
        step = timedelta(seconds=self._steps_s[work])
        return on_grid(when, self._steps_s[work]) + step

    def _repeat(self, work: Work, at: datetime, since: datetime) -> None:
        # A window that would begin at the end is empty; an interval that ends there is whole.
        if self._end is not None and (at >= self._end if work is Work.PLAN else at > self._end):
            return
        until = self._next(work, at)
        if self._end is not None and work is Work.PLAN:
            until = min(until, self._end)
        self._put(Due(at=at, work=work, since=since, until=until))

    def _put(self, due: Due) -> None:
        heapq.heappush(self._heap, (due.at, due.work, next(self._order), due))

    def add_session(self, booking_id: UUID, *, begins: datetime, ends: datetime) -> None:
        """Put the beginning and the end of a session on the agenda, unless they are there."""
        for work, at in ((Work.BEGIN, begins), (Work.SETTLE, ends)):
            if (work, booking_id) not in self._known:
                self._known.add((work, booking_id))
                self._put(Due(at=at, work=work, since=at, until=at, booking_id=booking_id))

    @property
    def next_at(self) -> datetime | None:
        """When the next work is due; None if there is none."""
        return self._heap[0][0] if self._heap else None

    def take(self) -> Due:
        """Take the earliest; ties in the order of `Work`, then of adding. Work repeats."""
        due = heapq.heappop(self._heap)[-1]
        if due.booking_id is not None:
            self._known.discard((due.work, due.booking_id))
        else:
            self._repeat(due.work, self._next(due.work, due.at), due.at)
        return due

    def take_until(self, now: datetime) -> list[Due]:
        """Take all that is due by now, in order.

        Of work that catches up with whatever lies behind it only the last is kept: a plan, a
        merge, closing, announcements and expiry. Deposits and sessions each count.
        """
        found: list[Due] = []
        while self._heap and self._heap[0][0] <= now:
            found.append(self.take())
        last = {due.work: place for place, due in enumerate(found)}
        catching_up = {Work.CLOSE, Work.ANNOUNCE, Work.EXPIRE, Work.MERGE, Work.PLAN}
        return [
            due for place, due in enumerate(found)
            if due.work not in catching_up or last[due.work] == place
        ]  # fmt: skip


def on_grid(when: datetime, step_s: float) -> datetime:
    """The last instant of a grid of `step_s` that is not after `when`."""
    step = timedelta(seconds=step_s)
    return _GRID_ORIGIN + step * ((when - _GRID_ORIGIN) // step)
