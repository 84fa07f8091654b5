"""What a clockwork that runs by itself has on its agenda, by scenario and settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orbits import NoElementsError
from scheduler.agenda import Agenda, Work, cadences_of
from scheduler.clock import SteadyClock, SystemClock
from scheduler.domain import Cadence, Every, parse_cadence
from scheduler.network import Announces, KeyBlocks
from scheduler.services.weather import OPEN_METEO, weather_in_use

if TYPE_CHECKING:
    from scheduler.services.context import Context

ELEMENTS_S = 6 * 3600
WEATHER_S = 3 * 3600
DAY_S = 86_400


def live_agenda(context: Context, *, start: datetime) -> Agenda:
    """The agenda of `run`: plans roll, and what they rest on is asked for anew."""
    horizon = timedelta(days=context.settings.plan_horizon_days)
    return Agenda(live_cadences(context), start=start, horizon=horizon)


def live_cadences(context: Context) -> dict[Work, Cadence]:
    """When each work repeats: what the settings say, else the scenario, else the defaults.

    On a clock that is not the machine's nobody outside is asked unless the settings say when: the
    sets and the sky of another time, or a service asked every few seconds, serve nobody.
    """
    cadences = cadences_of(context.scenario.schedule)
    for work in _idle(context):
        del cadences[work]
    if isinstance(context.clock, (SteadyClock, SystemClock)):
        if numbers_in_orbit(context):
            cadences[Work.ELEMENTS] = Every(ELEMENTS_S)
        if weather_in_use(context) == OPEN_METEO:
            cadences[Work.WEATHER] = Every(WEATHER_S)
    cadences[Work.VERIFY] = cadences[Work.CHECKPOINT] = Every(DAY_S)
    if context.settings.archive_place is not None:
        cadences[Work.SEGMENT] = Every(DAY_S)
    for work in Work:
        if (text := context.settings.schedules.get(str(work))) is not None:
            cadence = parse_cadence(text)
            if cadence is None:
                cadences.pop(work, None)
            else:
                cadences[work] = cadence
    return cadences


def _idle(context: Context) -> Iterator[Work]:
    """What a scenario never has: blocks to close, announcements that time brings."""
    if not any(one.blocks is KeyBlocks.POOLED for one in context.scenario.block_policies):
        yield Work.CLOSE
    if not any(one.announces is Announces.DELAY for one in context.scenario.satellites):
        yield Work.ANNOUNCE


def numbers_in_orbit(context: Context) -> list[int]:
    """The catalogue numbers of the scenario's satellites, without those known to come down."""
    return [
        satellite.norad_id
        for satellite in context.scenario.satellites
        if not _is_down(context, satellite.norad_id)
    ]


def _is_down(context: Context, norad_id: int) -> bool:
    with suppress(NoElementsError):
        decay = context.archive_of(norad_id).decay(norad_id)
        return decay is not None and decay.expected_end <= context.clock.now()
    return False
