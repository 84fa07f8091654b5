"""The same context, driven by a simulated clock and old element sets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orbits import as_utc
from scheduler import services
from scheduler.agenda import Agenda, Due, Work, cadences_of
from scheduler.clock import SimulatedClock
from scheduler.domain import TERMINAL_STATES, ReplaySummary
from scheduler.entropy import KeyedEntropy
from scheduler.errors import InputError
from scheduler.services.context import Context
from scheduler.services.replays import summarise

if TYPE_CHECKING:
    from scheduler.settings import Settings

DAYS_MAX = 3660
Progress = Callable[[float, str], None]


def run_replay(
    settings: Settings,
    *,
    start: datetime,
    end: datetime,
    seed: int,
    progress: Progress | None = None,
    on_new_ledger: Callable[[str], None] = lambda _: None,
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
    with Context(
        settings, clock=clock, entropy=KeyedEntropy(seed), on_new_ledger=on_new_ledger
    ) as context:
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
        done_until = (services.done_until(context) if continued else None) or start
        tell = progress or (lambda _fraction, _text: None)
        _drive(context, clock, (start, end), done_until, tell)
        return summarise(context, start=start, end=end, seed=seed, continued=continued)


def _drive(
    context: Context,
    clock: SimulatedClock,
    span: tuple[datetime, datetime],
    done_until: datetime,
    progress: Progress,
) -> None:
    """Take event after event off the agenda until the end.

    What repeats and was due before `done_until` is done. Plans are not left out: the last window
    of a replay that ended earlier was shorter.
    """
    start, end = span
    agenda = Agenda(cadences_of(context.scenario.schedule), start=start, end=end)
    while agenda.next_at is not None:
        due = agenda.take()
        if due.at < done_until and due.booking_id is None and due.work is not Work.PLAN:
            continue
        clock.advance_to(due.at)
        _do(context, agenda, due)
        if due.work is Work.PLAN:
            progress((due.at - start) / (end - start), f"{due.at:%Y-%m-%d}")
    progress(1.0, f"{end:%Y-%m-%d}")


def _do(context: Context, agenda: Agenda, due: Due) -> None:
    """Do what is due, and put the sessions that it books on the agenda, if they are not over."""
    for booking in services.perform(context, due).bookings:
        if booking.state in TERMINAL_STATES:
            continue
        agenda.add_session(
            booking.booking_id,
            begins=booking.candidate.acquires_at,
            ends=booking.candidate.loses_at,
        )
