"""The trunk deposits for each second once, whatever the clock says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from scheduler import services
from scheduler.services.context import Context
from tests.scheduler.services.nights import NIGHT, export

Open = Callable[..., Context]

HOUR = timedelta(hours=1)


def test_a_time_is_deposited_once_though_the_clock_was_set_back(open_context: Open) -> None:
    context = open_context()
    first = services.deposit_trunk(context, start=NIGHT, end=NIGHT + 2 * HOUR)
    before = export(context)

    # A clock that starts at the same place again is a few simulated seconds off.
    again = services.deposit_trunk(
        context, start=NIGHT + timedelta(seconds=7), end=NIGHT + 2 * HOUR
    )
    earlier = services.deposit_trunk(context, start=NIGHT - HOUR, end=NIGHT)

    assert first["deposited_bits"] > 0
    for answer in (again, earlier):
        assert answer == {**first, "deposited_bits": 0, "no_room_bits": 0}
    assert export(context) == before


def test_of_an_overlap_only_the_new_part_is_deposited(open_context: Open) -> None:
    context = open_context()
    first = services.deposit_trunk(context, start=NIGHT, end=NIGHT + HOUR)
    second = services.deposit_trunk(context, start=NIGHT + HOUR / 2, end=NIGHT + 2 * HOUR)

    made = [answer["deposited_bits"] + answer["no_room_bits"] for answer in (first, second)]
    assert made[0] == made[1] > 0
    assert services.verify_ledger(context).problems == ()
