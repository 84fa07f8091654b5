"""Closing periods as an operator does: by the clockwork, once, and with what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler import services
from scheduler.agenda import Work
from scheduler.clock import SimulatedClock
from scheduler.errors import InputError
from scheduler.services.context import Context
from scheduler.settings import Settings
from tests.scheduler.ledger.builders import NOON, chain, deposit, spend
from tests.scheduler.ledger.segments.periods import live_through

LATER = NOON + timedelta(days=3)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A ledger with a finished day in it, three days later."""
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}", archive_place=tmp_path / "archive"
    )
    with Context(settings, clock=SimulatedClock(LATER)) as opened:
        live_through(opened.ledger, 0)
        yield opened


def test_the_clockwork_closes_a_period_once(context: Context, tmp_path: Path) -> None:
    agenda = services.live_agenda(context, start=LATER)
    due = agenda.due_now(Work.SEGMENT, LATER)
    worker = services.Worker.here()
    first = services.run_job(context, due, worker=worker)
    assert first.done is not None
    ((event, figures),) = first.done.lines
    assert (event, figures["segment"]) == ("segment", 1)
    assert services.run_job(context, due, worker=worker).done is None
    (line,) = services.list_segments(context)
    assert line["bytes"] == (tmp_path / "archive" / line["file"]).stat().st_size
    assert services.check_segment(tmp_path / "archive" / line["file"], public_key=None).ok
    (tmp_path / "archive" / line["file"]).unlink()
    assert services.list_segments(context)[0]["bytes"] is None
    assert services.verify_ledger(context).ok


def test_without_a_place_nothing_leaves(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'ledger.db'}")
    with (
        Context(settings, clock=SimulatedClock(LATER)) as context,
        pytest.raises(InputError, match="archive_place is not set"),
    ):
        services.close_segment(context, at=LATER)


def test_fibre_key_of_a_closed_period_is_not_deposited_again(context: Context) -> None:
    day = timedelta(days=1)
    first = services.deposit_trunk(context, start=NOON, end=NOON + day / 4)
    assert first["deposited_bits"] > 0
    assert services.close_segment(context, at=LATER)["segment"] == 1
    again = services.deposit_trunk(context, start=NOON, end=NOON + day / 3)
    assert again["deposited_bits"] == 0
    late = services.deposit_trunk(context, start=LATER - day / 4, end=LATER)
    assert late["deposited_bits"] + late["no_room_bits"] > 0


def test_names_of_key_from_outside_stay(context: Context) -> None:
    """What was imported must never be imported again, however long ago it was spent."""
    (link, _) = chain(["p", "q", "r"])
    with context.ledger.begin() as tx:
        for name in ("drop/1", "drop/2", "span/p--q/1", "span/p--q/2"):
            deposit(tx, name, 256, pool=link)
    spend(context.ledger, "all", 4 * 256, pool=link)
    services.close_segment(context, at=LATER)
    with context.view.read() as reader:
        rows = reader.connection.exec_driver_sql("SELECT natural_key FROM block").scalars().all()
    assert {"drop/1", "drop/2"} <= set(rows)
    assert "span/p--q/1" not in rows
    assert services.verify_ledger(context).ok
