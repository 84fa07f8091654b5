"""What is due and in which order, on one grid: for replays, the live clock and the cluster."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import count
from typing import Protocol
from uuid import UUID

from scheduler.domain import Cadence, Every


class Work(IntEnum):
    """What can be due, in the order of one instant.

    What ends is settled, then the trunk deposits, pooled blocks that are due close, what time
    brings is announced or expires, then merges spend what is left, what plans rest on is asked for
    anew, the next window is planned, a session may begin, and last the ledger is verified, its
    log signed and a period closed.
    """

    SETTLE = 0
    TRUNK = 1
    CLOSE = 2
    ANNOUNCE = 3
    EXPIRE = 4
    MERGE = 5
    ELEMENTS = 6  #: of a live ledger, as all below but sessions and plans
    WEATHER = 7
    PLAN = 8
    BEGIN = 9
    VERIFY = 10
    CHECKPOINT = 11
    SEGMENT = 12  #: closes a period

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


AT_ONCE = frozenset({Work.ELEMENTS, Work.WEATHER, Work.PLAN})
"""What a clockwork that starts does not wait for."""


def cadences_of(schedule: Schedule) -> dict[Work, Cadence]:
    """When the work of a scenario repeats."""
    merging = Every(schedule.merge_interval_s)
    return {
        Work.TRUNK: Every(schedule.trunk_interval_s),
        Work.CLOSE: merging,
        Work.ANNOUNCE: merging,
        Work.EXPIRE: merging,
        Work.MERGE: merging,
        Work.PLAN: Every(schedule.plan_interval_s),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One piece of work at its instant."""

    at: datetime
    work: Work
    since: datetime  #: of work that repeats: when the interval that ends now began
    until: datetime  #: of work that repeats: when it is due again
    booking_id: UUID | None = None  #: of a session
    if_changed: bool = False  #: of a plan between its instants: only if it is needed by then


class Agenda:
    """What is still to happen from `start` to `end`, in order of time; sessions may end later.

    Work that repeats lies on a grid that does not depend on when the agenda was made: after a
    restart the same instants come. The first plan is due at `start`, for what is left of its
    interval; deposits, announcements and merges are due where an interval ends.

    With a `horizon` plans overlap: each looks so far ahead, and the first is that of the interval
    that `start` lies in, as are the first questions for elements and weather.
    """

    def __init__(
        self,
        cadences: Mapping[Work, Cadence],
        *,
        start: datetime,
        end: datetime | None = None,
        horizon: timedelta | None = None,
    ) -> None:
        self._end = end
        self.horizon = horizon
        self.cadences = dict(sorted(cadences.items()))
        #: instant, work, order of adding, the work itself, and whether it comes once more
        self._heap: list[tuple[datetime, Work, int, Due, bool]] = []
        self._order = count()
        self._known: dict[tuple[Work, UUID], datetime] = {}
        self._latest: dict[Work, datetime] = {}  #: of work that repeats: the instant taken last
        for work, cadence in self.cadences.items():
            if horizon is not None and work in AT_ONCE:
                running = cadence.last(start)
                self._repeat(work, running, running)
            else:
                self._repeat(work, start if work is Work.PLAN else self._next(work, start), start)

    def _next(self, work: Work, when: datetime) -> datetime:
        return self.cadences[work].following(when)

    def _repeat(self, work: Work, at: datetime, since: datetime) -> None:
        # A window that would begin at the end is empty; an interval that ends there is whole.
        if self._end is not None and (at >= self._end if work is Work.PLAN else at > self._end):
            return
        until = self._until(work, at)
        if self._end is not None and work is Work.PLAN:
            until = min(until, self._end)
        self._put(Due(at=at, work=work, since=since, until=until))

    def _until(self, work: Work, at: datetime) -> datetime:
        if work is Work.PLAN and self.horizon is not None:
            return at + self.horizon
        return self._next(work, at)

    def _put(self, due: Due) -> None:
        heapq.heappush(self._heap, (due.at, due.work, next(self._order), due, False))

    def put_back(self, due: Due, *, until: datetime | None = None) -> None:
        """Have work that was taken come once more: at once, or at `until`."""
        if due.booking_id is not None:
            self._known[due.work, due.booking_id] = due.at
        heapq.heappush(self._heap, (until or due.at, due.work, next(self._order), due, True))

    def holds(self, due: Due) -> bool:
        """Whether that work of that instant is still to come."""
        name = (due.work, due.at, due.booking_id)
        return any(name == (one.work, one.at, one.booking_id) for *_, one, _ in self._heap)

    def due_now(self, work: Work, now: datetime) -> Due:
        """Work that repeats, as if it were due now."""
        return Due(
            at=now, work=work, since=self.cadences[work].last(now), until=self._until(work, now)
        )

    def add_session(self, booking_id: UUID, *, begins: datetime, ends: datetime) -> None:
        """Put the beginning and the end of a session on the agenda, unless they are there.

        One that is there at another instant goes.
        """
        for work, at in ((Work.BEGIN, begins), (Work.SETTLE, ends)):
            if self._known.get((work, booking_id)) != at:
                self._known[work, booking_id] = at
                self._put(Due(at=at, work=work, since=at, until=at, booking_id=booking_id))

    @property
    def next_at(self) -> datetime | None:
        """When the next work is due; None if there is none."""
        while self._heap and not self._counts(self._heap[0][3]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _counts(self, due: Due) -> bool:
        """False for a session that was put on the agenda at another instant since."""
        return due.booking_id is None or self._known.get((due.work, due.booking_id)) == due.at

    def take(self) -> Due:
        """Take the earliest; ties in the order of `Work`, then of adding. Work repeats."""
        assert self.next_at is not None
        _, _, _, due, again = heapq.heappop(self._heap)
        if due.booking_id is not None:
            del self._known[due.work, due.booking_id]
        elif not again:
            self._latest[due.work] = due.at
            self._repeat(due.work, self._next(due.work, due.at), due.at)
        return due

    def take_until(self, now: datetime) -> tuple[list[Due], list[Due]]:
        """Take all that is due by now: what is to be done, in order, and what is left out.

        Of work that catches up with whatever lies behind it only the last is done: a plan, a
        merge, closing, announcements, expiry, a checkpoint, a segment. Deposits and sessions
        each count.
        """
        found: list[Due] = []
        while (when := self.next_at) is not None and when <= now:
            found.append(self.take())
        each = {Work.TRUNK, Work.BEGIN, Work.SETTLE}
        late = [due.work not in each and due.at < self._latest[due.work] for due in found]
        return (
            [due for due, is_late in zip(found, late, strict=True) if not is_late],
            [due for due, is_late in zip(found, late, strict=True) if is_late],
        )
