"""What the examples have in common: a replay in a ledger that is thrown away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from constellation import walker

from scheduler import services
from scheduler.domain import ReplaySummary
from scheduler.network import Scenario
from scheduler.replay import run_replay
from scheduler.services.context import Context
from scheduler.settings import load_settings

START = datetime(2016, 12, 19, tzinfo=UTC)
"""The element sets of Micius that ship are about this time."""
MBIT = 1e6


def replayed(
    name: str, span: timedelta, *, start: datetime = START, seed: int = 1, **settings: Any
) -> tuple[Scenario, ReplaySummary]:
    """Return a scenario and what came of its replay; `settings` are those of docs/settings.md.

    Satellites of which no element set ships fly an orbit that is made up, 500 km at 97.4 degrees.
    """
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        given = load_settings(database_url=url, scenario=name, **settings)
        with Context(given) as context:
            scenario = context.scenario
            if text := _made_up(scenario, {one.norad_id for one in context.archive}, start):
                services.import_elements(context, text, source="made up")
        return scenario, run_replay(given, start=start, end=start + span, seed=seed)


def _made_up(scenario: Scenario, known: set[int], epoch: datetime) -> str:
    lacking = [one.norad_id for one in scenario.satellites if one.norad_id not in known]
    if not lacking:
        return ""
    return walker(
        count=len(lacking), planes=5 if len(lacking) % 5 == 0 else 1, phasing=1, altitude_km=500.0,
        inclination_deg=97.4, epoch=epoch, first=min(lacking),
    )  # fmt: skip
