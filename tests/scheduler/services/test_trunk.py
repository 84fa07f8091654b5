"""The trunk deposits for each second once, whatever the clock says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import Pool
from scheduler.entropy import KeyedEntropy
from scheduler.fibre import buffer_bits, span_secret_bits
from scheduler.network import NO_LIMIT_BITS, Link, LinkKind, Schedule
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.scheduler.services.nights import NIGHT, export

RING = Path(__file__).resolve().parents[2] / "api" / "cases" / "ring.toml"

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

    assert first["deposited_bits"] > 0
    assert again == {**first, "deposited_bits": 0, "no_room_bits": 0}
    assert export(context) == before


def test_a_tick_of_a_clock_a_year_ahead_stops_no_later_deposit(open_context: Open) -> None:
    context = open_context()
    ahead = NIGHT + timedelta(days=365)
    first = services.deposit_trunk(context, start=NIGHT, end=NIGHT + HOUR)
    services.deposit_trunk(context, start=ahead, end=ahead + HOUR)

    right = services.deposit_trunk(context, start=NIGHT + HOUR, end=NIGHT + 2 * HOUR)
    set_back = services.deposit_trunk(
        context, start=NIGHT + timedelta(seconds=7), end=NIGHT + timedelta(seconds=3607)
    )
    later = services.deposit_trunk(context, start=ahead, end=ahead + 2 * HOUR)

    made = [answer["deposited_bits"] + answer["no_room_bits"] for answer in (first, right, later)]
    assert made[0] == made[1] > 0
    assert made[2] > 0
    assert set_back["deposited_bits"] == 0
    assert services.verify_ledger(context).problems == ()


def test_of_an_overlap_only_the_new_part_is_deposited(open_context: Open) -> None:
    context = open_context()
    first = services.deposit_trunk(context, start=NIGHT, end=NIGHT + HOUR)
    second = services.deposit_trunk(context, start=NIGHT + HOUR / 2, end=NIGHT + 2 * HOUR)

    made = [answer["deposited_bits"] + answer["no_room_bits"] for answer in (first, second)]
    assert made[0] == made[1] > 0
    assert services.verify_ledger(context).problems == ()


def test_a_link_without_a_limit_holds_what_it_makes_between_two_merges() -> None:
    schedule = Schedule(trunk_interval_s=600, merge_interval_s=3600)
    fibre = Link(
        pool=Pool.link("a", "b"), kind=LinkKind.FIBRE, length_km=60.0, preset="trunk-span",
        synthetic=True,
    )  # fmt: skip
    downlink = replace(fibre, kind=LinkKind.SATELLITE, length_km=None, preset="micius-2016")

    assert buffer_bits(fibre, schedule) == span_secret_bits(fibre, duration_s=3600.0) > 0
    assert buffer_bits(replace(fibre, buffer_bits=5), schedule) == 5
    assert buffer_bits(downlink, schedule) == NO_LIMIT_BITS


def test_deposits_end_where_the_buffers_are_full(tmp_path: Path) -> None:
    ring = tmp_path / "ring.toml"
    ring.write_text(RING.read_text().replace("buffer_bits = 20000\n", ""))
    settings = load_settings(database_url=f"sqlite:///{tmp_path / 'l.db'}", scenario=str(ring))
    with Context(settings, clock=SimulatedClock(NIGHT), entropy=KeyedEntropy(1)) as context:
        answers = [
            services.deposit_trunk(context, start=NIGHT + n * HOUR, end=NIGHT + (n + 1) * HOUR)
            for n in range(3)
        ]

    assert answers[0]["deposited_bits"] > 0
    assert answers[0]["no_room_bits"] == 0
    # Bits that fill no byte are not in stock: at most seven a link.
    for later in answers[1:]:
        assert later["deposited_bits"] <= 7 * answers[0]["links"]
