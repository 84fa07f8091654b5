"""The key runway over a real ledger: what is booked counts, what is taken away is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from scheduler import services
from scheduler.errors import InputError, UnknownName
from scheduler.services.context import Context
from tests.scheduler.services.nights import NIGHT, booked, fill_trunk, run

Open = Callable[..., Context]
PAIR = "pair:nanshan--shanghai"


def test_losing_a_pass_costs_the_pairs_that_live_on_it(open_context: Open) -> None:
    context = open_context()
    bookings = booked(context)
    fill_trunk(context)
    answer = services.key_runway(context, days=1.0, at=NIGHT)
    assert {row.pass_id for row in answer.passes} == {b.candidate.pass_id for b in bookings}
    assert answer.changes == ()
    nanshan = next(b.candidate for b in bookings if b.candidate.station_id == "nanshan")

    without = services.key_runway(context, days=1.0, at=NIGHT, without=[nanshan.pass_id])

    assert {row.pass_id for row in without.passes if not row.counted} == {nanshan.pass_id}
    assert [change.pool_id for change in without.changes]
    first = without.changes[0]
    assert "nanshan" in first.pool_id
    assert first.why.startswith(
        f"without micius/nanshan {nanshan.acquires_at:%m-%d %H:%M}, nanshan"
    )
    # Delingha lives on another link of the satellite.
    same = [row for row in without.pairs if row.pool_id == "pair:beijing--delingha"]
    assert same == [row for row in answer.pairs if row.pool_id == "pair:beijing--delingha"]


def test_a_station_taken_out_loses_all_of_its_sessions(open_context: Open) -> None:
    context = open_context()
    booked(context)
    fill_trunk(context)
    answer = services.key_runway(context, days=1.0, at=NIGHT, without=["xinglong"])
    assert {row.station for row in answer.passes if not row.counted} == {"xinglong"}
    assert answer.changes


def test_an_outage_takes_its_sessions_away(open_context: Open) -> None:
    context = open_context()
    booked(context)
    before = services.key_runway(context, days=1.0, at=NIGHT)
    services.add_outage(
        context, kind="station", name="nanshan", start=NIGHT, end=NIGHT + timedelta(days=1),
        reason="dome",
    )  # fmt: skip
    after = services.key_runway(context, days=1.0, at=NIGHT)
    assert {row.station for row in before.passes} - {row.station for row in after.passes} == {
        "nanshan"
    }


def test_the_same_question_gets_the_same_draws(open_context: Open) -> None:
    context = open_context()
    booked(context)
    first = services.key_runway(context, days=2.0, at=NIGHT)
    assert services.key_runway(context, days=2.0, at=NIGHT) == first
    assert services.key_runway(open_context(), days=2.0, at=NIGHT) == first


def test_a_settled_session_is_stock_and_no_pass_any_more(open_context: Open) -> None:
    context = open_context()
    first, *_ = booked(context)
    run(context, first)
    answer = services.key_runway(context, days=1.0, at=first.candidate.loses_at)
    assert first.candidate.pass_id not in {row.pass_id for row in answer.passes}


@pytest.mark.parametrize(
    ("days", "without", "error", "words"),
    [
        (0.0, [], InputError, "days 0; allowed: 0.01 to 60"),
        (61.0, [], InputError, "days 61"),
        (1.0, ["micius/nanshan/2016-12-19T03:00:00Z"], InputError, "has none of the"),
        (1.0, ["micius/nanshan"], InputError, "allowed: SATELLITE/STATION/INSTANT"),
        (1.0, ["atlantis"], UnknownName, "atlantis"),
    ],
)
def test_what_cannot_be_asked(
    open_context: Open, days: float, without: list[str], error: type[Exception], words: str
) -> None:
    context = open_context()
    booked(context)
    with pytest.raises(error, match=words):
        services.key_runway(context, days=days, at=NIGHT, without=without)
