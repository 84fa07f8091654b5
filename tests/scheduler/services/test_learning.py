"""What links learn from their settled sessions, and whether forecasts are honest about it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from qkd import satellite_preset
from qkd.learning import NEPER_PER_DB
from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import ReplaySummary
from scheduler.entropy import KeyedEntropy
from scheduler.errors import UnknownName
from scheduler.ledger.books.bookings import get_bookings
from scheduler.replay import run_replay
from scheduler.services import simulator
from scheduler.services.context import Context
from scheduler.services.learning import learned_by
from scheduler.services.simulator import simulate_all
from scheduler.settings import Settings

START = datetime(2016, 12, 19, tzinfo=UTC)
END = START + timedelta(days=14)
SPREAD_DB = satellite_preset("micius-2016-fitted").spread.spread_db


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReplaySummary, Settings]:
    url = f"sqlite:///{tmp_path_factory.mktemp('learning') / 'ledger.db'}"
    settings = Settings(scenario="micius-2016", database_url=url)
    return run_replay(settings, start=START, end=END, seed=1), settings


@pytest.fixture
def context(replay: tuple[ReplaySummary, Settings]) -> Iterator[Context]:
    with Context(replay[1], clock=SimulatedClock(END)) as opened:
        yield opened


def test_a_link_knows_the_sessions_settled_by_then_and_no_later_one(
    replay: tuple[ReplaySummary, Settings], context: Context
) -> None:
    for days in (0, 1, 3, 14):
        at = START + timedelta(days=days)
        known = sum(len(ratios) for ratios in learned_by(context, at).ratios.values())
        assert known == sum(
            1 for one in replay[0].settled if one.sifted_bits and one.acquires_at < at
        )


def test_what_was_read_once_answers_for_earlier_instants_as_a_fresh_process_does(
    replay: tuple[ReplaySummary, Settings], context: Context
) -> None:
    learned_by(context, END)
    for days in (5, 2):
        at = START + timedelta(days=days)
        with Context(replay[1], clock=SimulatedClock(END)) as fresh:
            assert learned_by(context, at).ratios == learned_by(fresh, at).ratios


def test_simulated_sessions_differ_from_pass_to_pass_and_not_by_counts_alone(
    context: Context,
) -> None:
    ratios = [ratio for link in learned_by(context, END).ratios.values() for ratio in link]
    spread_db = float(np.std(np.log(ratios))) / NEPER_PER_DB
    # The sample's own deviation, 1/sqrt(2 n), at three sigma; of counts alone it is 0.01 dB.
    assert spread_db == pytest.approx(SPREAD_DB, rel=3.0 / math.sqrt(2.0 * len(ratios)))


def test_sessions_drawn_together_are_those_drawn_one_by_one(
    replay: tuple[ReplaySummary, Settings],
) -> None:
    with Context(replay[1], clock=SimulatedClock(END), entropy=KeyedEntropy(1)) as context:
        with context.view.read() as reader:
            booked = [one.candidate for one in get_bookings(reader)][:9]

        together = simulate_all(context, booked)

        assert [one.result for one in together] == [
            alone.result for one in booked for alone in simulate_all(context, [one])
        ]


def test_a_session_is_drawn_though_the_next_one_cannot_be(
    replay: tuple[ReplaySummary, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Context(replay[1], clock=SimulatedClock(END), entropy=KeyedEntropy(1)) as context:
        with context.view.read() as reader:
            first, second, *_ = (one.candidate for one in get_bookings(reader))
        lost = replace(second, elements_epoch=START - timedelta(days=9999))
        monkeypatch.setattr(simulator, "_booked_next", lambda *_: [lost])

        (alone,) = simulate_all(context, [first])
        assert simulator.simulate(context, first).result == alone.result
        with pytest.raises(UnknownName):
            simulator.simulate(context, lost)


def test_a_session_that_was_booked_otherwise_is_drawn_anew(context: Context) -> None:
    with context.view.read() as reader:
        first, second, *_ = (one.candidate for one in get_bookings(reader))
    later = replace(second, loses_at=second.loses_at - timedelta(seconds=60))
    context.drawn_ahead.take(first, lambda: [(first, "drawn"), (second, "with it")])

    assert context.drawn_ahead.take(later, lambda: [(later, "anew")]) == "anew"


def test_a_forecast_without_sessions_is_the_presets_and_later_follows_them(
    context: Context,
) -> None:
    asked = {"satellite": "micius", "stations": ["xinglong"], "start": START, "forecast": True}
    (before,) = services.upcoming_passes(
        context, **asked, end=START + timedelta(days=1), as_known_at=START, dark_only=True
    ).rows
    (after,) = services.upcoming_passes(
        context, **asked, end=START + timedelta(days=1), dark_only=True
    ).rows
    for row in (before, after):
        assert row.secret_bits_10 < row.secret_bits < row.secret_bits_90
    wide, narrow = (row.secret_bits_90 - row.secret_bits_10 for row in (before, after))
    assert narrow < wide
    assert after.sifted_bits != before.sifted_bits


def test_the_forecasts_of_a_replay_are_held_to_what_came(
    replay: tuple[ReplaySummary, Settings],
) -> None:
    found = replay[0].reliability
    assert [one.level for one in found] == pytest.approx([tenth / 10 for tenth in range(1, 10)])
    below = [one.below for one in replay[0].settled if one.below is not None]
    for one in found:
        assert one.sessions == len(below)
        assert one.frequency == np.mean(np.array(below) <= one.level)
        assert one.low <= one.frequency <= one.high
    # No bar of three sigma misses the diagonal: sqrt(p (1 - p) / n).
    assert all(
        abs(one.frequency - one.level)
        < 3.0 * math.sqrt(one.level * (1.0 - one.level) / one.sessions)
        for one in found
    )
