"""The same services, driven by a simulated clock and old element sets."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orbits import as_utc
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import ReplaySummary
from scheduler.entropy import KeyedEntropy
from scheduler.errors import InputError
from scheduler.services.context import Context
from scheduler.services.replays import summarise

if TYPE_CHECKING:
    from scheduler.settings import Settings

DAYS_MAX = 3660
Progress = Callable[[float, str], None]

# At one instant: what ends is settled, then the trunk deposits, what time brings is announced or
# expires, then merges spend what is left, the next window is planned, and last a session may begin.
_SETTLE, _TRUNK, _TIME, _MERGE, _PLAN, _BEGIN = range(6)


@dataclass
class _Agenda:
    """What is still to happen, in order of time."""

    heap: list[tuple[datetime, int, int, Any]] = field(default_factory=list)
    order: count[int] = field(default_factory=count)

    def add(self, when: datetime, rank: int, what: Any) -> None:
        """Put something on the agenda; ties are taken by rank, then in the order of adding."""
        heapq.heappush(self.heap, (when, rank, next(self.order), what))

    def __bool__(self) -> bool:
        return bool(self.heap)

    def next(self) -> tuple[datetime, int, Any]:
        """Take the earliest."""
        when, rank, _, what = heapq.heappop(self.heap)
        return when, rank, what


def run_replay(
    settings: Settings,
    *,
    start: datetime,
    end: datetime,
    seed: int,
    progress: Progress | None = None,
) -> ReplaySummary:
    """Replay the settings' scenario from `start` to `end` and return what came of it.

    A replay that was cut off continues where it stopped: every use case knows its request and
    gives its first answer again. A database that holds another run is refused.

    Raises InputError for reversed or overlong times, LedgerMismatch for a foreign database.
    """
    start, end = as_utc(start), as_utc(end)
    if not start < end:
        raise InputError(f"the replay's end {end} is not after its start {start}")
    if end - start > timedelta(days=DAYS_MAX):
        raise InputError(f"a replay of {(end - start).days} days; allowed: up to {DAYS_MAX}")
    clock = SimulatedClock(start)
    with Context(settings, clock=clock, entropy=KeyedEntropy(seed)) as context:
        continued = services.bind_run(
            context,
            {
                "scenario": context.scenario.name,
                "scenario_sha256": context.scenario_digest(),
                "elements_sha256": context.elements_digest(),
                "seed": seed,
                "start": start.isoformat(),
                "planner": settings.planner,
                "objective": settings.objective,
                "risk_aversion": settings.risk_aversion,
                "weather": services.weather_identity(context),
                "bound": settings.bound,
                "max_element_age_s": int(context.max_element_age.total_seconds()),
                "announces": {s.satellite_id: s.announcing for s in context.scenario.satellites},
            },
        )
        _drive(context, clock, start, end, progress or (lambda _fraction, _text: None))
        return summarise(context, start=start, end=end, seed=seed, continued=continued)


def _drive(
    context: Context, clock: SimulatedClock, start: datetime, end: datetime, progress: Progress
) -> None:
    """Take event after event off the agenda until the end."""
    agenda = _Agenda()
    schedule = context.scenario.schedule
    for rank, step_s in (
        (_TRUNK, schedule.trunk_interval_s),
        (_TIME, schedule.merge_interval_s),
        (_MERGE, schedule.merge_interval_s),
    ):
        for when in _ticks(start, end, step_s):
            agenda.add(when, rank, step_s)
    agenda.add(start, _PLAN, schedule.plan_interval_s)
    while agenda:
        when, rank, what = agenda.next()
        clock.advance_to(when)
        if rank == _PLAN:
            _plan(context, agenda, when, min(end, when + timedelta(seconds=what)))
            if when + timedelta(seconds=what) < end:
                agenda.add(when + timedelta(seconds=what), _PLAN, what)
            progress((when - start) / (end - start), f"{when:%Y-%m-%d}")
        elif rank == _TRUNK:
            services.deposit_trunk(context, start=when - timedelta(seconds=what), end=when)
        elif rank == _TIME:
            services.announce_due(context, at=when)
            services.expire_due(context, at=when)
        elif rank == _MERGE:
            services.merge_due(context, scheduled_for=when)
        elif rank == _BEGIN:
            services.begin_session(context, what, at=when)
        else:
            services.settle_session(context, what, at=when)
    progress(1.0, f"{end:%Y-%m-%d}")


def _plan(context: Context, agenda: _Agenda, start: datetime, end: datetime) -> None:
    """Book a window and put its sessions on the agenda."""
    answer = services.plan_window(context, start=start, end=end)
    for booking in services.bookings_of_plan(context, answer):
        agenda.add(booking.candidate.acquires_at, _BEGIN, UUID(str(booking.booking_id)))
        agenda.add(booking.candidate.loses_at, _SETTLE, UUID(str(booking.booking_id)))


def _ticks(start: datetime, end: datetime, step_s: float) -> list[datetime]:
    """The ends of whole intervals within (start, end]."""
    step = timedelta(seconds=step_s)
    return [start + step * (index + 1) for index in range(int((end - start) / step))]
