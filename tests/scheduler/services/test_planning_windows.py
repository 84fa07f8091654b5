"""Plans of several windows, in any order and at any time, are one plan: of what is true."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import Booking, BookingState
from scheduler.services.context import Context
from tests.scheduler.services.conftest import Open
from tests.scheduler.services.nights import MORNING, NIGHT, run

FREEZE = timedelta(minutes=15)
ORBIT = timedelta(seconds=5700)
SETUP_AND_SLEW = timedelta(seconds=90)
LIMITS = "max_element_age_days = 14.0"
GONE = (BookingState.CANCELLED, BookingState.MISSED)


def limited(**limits: int) -> tuple[str, str]:
    return LIMITS, "\n".join([LIMITS, *(f"{name} = {value}" for name, value in limits.items())])


def at(hour: int, minute: int = 0, day: int = 19) -> datetime:
    return datetime(2016, 12, day, hour, minute, tzinfo=UTC)


def standing(context: Context) -> list[Booking]:
    """What takes up a satellite and a station, or did."""
    found = [view.booking for view in services.list_bookings(context)]
    return [booking for booking in found if booking.state not in GONE]


def go_to(context: Context, when: datetime) -> None:
    """Let time pass, and the sessions that are due with it."""
    assert isinstance(context.clock, SimulatedClock)
    for booking in standing(context):
        if booking.state is BookingState.BOOKED and booking.candidate.loses_at <= when:
            run(context, booking)
    context.clock.advance_to(when)


@pytest.mark.parametrize("hours", [1, 2, 5])
def test_a_limit_holds_across_plans(open_context: Open, hours: int) -> None:
    """By the day one of three; by the orbit not Nanshan's, 94 minutes after Xinglong's."""
    for day, limits, count in (
        (19, {"max_sessions_per_day": 1}, 1),
        (20, {"max_sessions_per_orbit": 1}, 2),
    ):
        context = open_context(limited(**limits))
        for hour in range(15, 24, hours):
            go_to(context, at(hour, day=day))
            end = at(hour, day=day) + timedelta(hours=hours)
            services.plan_window(context, start=at(hour, day=day), end=end)
        go_to(context, at(0, day=day + 1))
        taken = [b for b in standing(context) if b.candidate.acquires_at >= at(0, day=day)]
        assert len(taken) == count
        assert {booking.state for booking in taken} == {BookingState.SETTLED}
        for before, after in pairwise(booking.candidate.acquires_at for booking in taken):
            assert after - before >= ORBIT


def test_a_session_that_failed_counts_and_one_that_never_began_does_not(
    open_context: Open,
) -> None:
    context = open_context(limited(max_sessions_per_day=1))
    services.plan_window(context, start=at(16), end=at(17))
    (first,) = standing(context)
    services.begin_session(context, first.booking_id, at=first.candidate.acquires_at)
    context.clock.advance_to(at(17))  # type: ignore[attr-defined]
    services.close_overdue(context, at=at(17))
    services.plan_window(context, start=at(17), end=at(20))
    assert [booking.state for booking in standing(context)] == [BookingState.FAILED]

    other = open_context(limited(max_sessions_per_day=1))
    services.plan_window(other, start=at(16, day=20), end=at(17, day=20))
    (second,) = [b for b in standing(other) if b.candidate.acquires_at > MORNING]
    services.miss_session(other, second.booking_id, at=at(17, day=20), reason="cloud")
    services.plan_window(other, start=at(17, day=20), end=at(20, day=20))
    assert [b.state for b in standing(other)][1:] == [BookingState.BOOKED]


def test_a_plan_of_today_books_nothing_that_is_over(open_context: Open) -> None:
    context = open_context()
    go_to(context, at(17, 30))
    services.plan_by_hand(context, start=NIGHT, end=MORNING)
    assert all(b.candidate.acquires_at >= at(17, 30) + FREEZE for b in standing(context))


@pytest.mark.parametrize("asked_at", [None, NIGHT, at(16, 40)])
def test_what_begins_within_the_freeze_is_neither_booked_nor_moved(
    open_context: Open, asked_at: datetime | None
) -> None:
    context = open_context()
    go_to(context, at(16, 40))
    first = services.plan_by_hand(context, start=NIGHT, end=MORNING, at=asked_at, request_id="1")
    assert min(b.candidate.acquires_at for b in standing(context)) >= at(16, 40) + FREEZE

    go_to(context, at(18, 10))  # Nanshan's session begins at 18:22
    again = services.plan_by_hand(
        context, start=NIGHT, end=MORNING, at=asked_at, objective="total", request_id="2"
    )
    assert not set(again["cancelled"]) & set(first["bookings"][:1])
    assert (
        services.plan_by_hand(  # the same question, though time has passed
            context, start=NIGHT, end=MORNING, at=asked_at, request_id="1"
        )
        == first
    )


@pytest.mark.parametrize(("lead_s", "stays"), [(890.0, True), (910.0, False)])
def test_the_clockwork_keeps_a_booking_within_the_freeze(
    open_context: Open, lead_s: float, stays: bool
) -> None:
    """The scenario now asks for more key than any session gives."""
    context = open_context()
    first = services.plan_by_hand(context, start=NIGHT, end=MORNING, request_id="by hand")
    booking = min(standing(context), key=lambda one: one.candidate.acquires_at)
    start = booking.candidate.acquires_at - timedelta(seconds=lead_s)
    go_to(context, start)
    strict = open_context(("min_secret_bits = 10000 ", "min_secret_bits = 100000000 "))
    go_to(strict, start)
    answer = services.plan_window(strict, start=start, end=MORNING)

    assert str(booking.booking_id) in first["bookings"]
    assert (str(booking.booking_id) in answer["cancelled"]) is not stays


def test_a_day_that_has_begun_is_planned_around_what_took_place(open_context: Open) -> None:
    context = open_context()
    services.plan_window(context, start=NIGHT, end=MORNING)
    before = standing(context)
    go_to(context, at(17, 30))
    answer = services.plan_by_hand(context, start=NIGHT, end=MORNING, at=NIGHT)
    assert answer["cancelled"] == []
    assert standing(context)[0].state is BookingState.SETTLED
    assert [b.booking_id for b in standing(context)] == [b.booking_id for b in before]


def test_a_window_that_is_over_can_be_studied(open_context: Open) -> None:
    context = open_context()
    context.clock.advance_to(at(0, day=28))  # type: ignore[attr-defined]
    assert services.plan_by_hand(context, start=NIGHT, end=MORNING)["bookings"]


def test_a_booking_whose_pass_rises_before_an_edge_is_kept_and_seen_by_both_plans(
    open_context: Open,
) -> None:
    """Delingha's pass rises at 18:24; booked is its part from 18:27 on."""
    context = open_context()
    edge = at(18, 26)
    out = services.add_outage(
        context, kind="satellite", name="micius", start=at(18), end=at(18, 27)
    )
    services.plan_by_hand(context, start=at(18), end=edge, objective="total", request_id="1")
    (booking,) = standing(context)
    assert booking.candidate.pass_id < f"micius/delingha/{edge.isoformat()}"
    assert booking.candidate.acquires_at > edge

    services.lift_outage(context, out["outage"])
    later = services.plan_by_hand(
        context, start=edge, end=MORNING, objective="total", request_id="2"
    )
    assert later["cancelled"] == []
    assert booking in standing(context)
    # Its own window may still give it up for a better one: Nanshan's whole pass.
    own = services.plan_by_hand(context, start=at(18), end=edge, objective="total", request_id="3")
    assert own["cancelled"] == [str(booking.booking_id)]


def test_a_booking_that_is_kept_has_the_times_of_the_newest_elements(open_context: Open) -> None:
    context = open_context()
    services.plan_window(context, start=NIGHT, end=MORNING)
    first = standing(context)
    services.lock_booking(context, first[0].booking_id)
    go_to(context, at(14))  # a set of 13:39 has arrived
    again = services.plan_by_hand(context, start=NIGHT, end=MORNING)
    second = standing(context)

    assert again["cancelled"] == []
    assert [b.booking_id for b in second] == [b.booking_id for b in first]
    assert second[0].candidate == first[0].candidate, "a lock keeps its times"
    for before, after in zip(first[1:], second[1:], strict=True):
        assert after.candidate.elements_epoch > before.candidate.elements_epoch
        assert before.candidate.acquires_at != after.candidate.acquires_at
        assert "kept, by the element set of 2016-12-19T13:39:33" in after.reason
    third = services.plan_by_hand(context, start=NIGHT, end=MORNING, request_id="no news")
    assert third["cancelled"] == []
    assert standing(context) == second, "once is enough"
    go_to(context, MORNING)
    assert {booking.state for booking in standing(context)} == {BookingState.SETTLED}
    assert services.verify_ledger(context).ok


def _check(context: Context, limits: dict[str, int]) -> None:
    """Nothing double, nothing too close, nothing above a limit."""
    kept = [booking.candidate for booking in standing(context)]
    passes = Counter((c.station_id, c.pass_id[:-8]) for c in kept)
    assert max(passes.values(), default=1) == 1, passes
    kept.sort(key=lambda c: c.acquires_at)
    for before, after in pairwise(kept):
        assert before.loses_at + SETUP_AND_SLEW <= after.acquires_at
    days = Counter(c.acquires_at.date() for c in kept)
    assert max(days.values(), default=0) <= limits["max_sessions_per_day"]
    for one in kept:
        orbit = [c for c in kept if one.acquires_at <= c.acquires_at < one.acquires_at + ORBIT]
        assert len(orbit) <= limits["max_sessions_per_orbit"]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_windows_nothing_is_double_lost_or_above_a_limit(
    open_context: Open, seed: int
) -> None:
    draw = random.Random(seed)
    limits = {
        "max_sessions_per_day": draw.choice((1, 2, 3)),
        "max_sessions_per_orbit": draw.choice((1, 2)),
    }
    context = open_context(limited(**limits))
    now = at(14)
    for number in range(8):
        now += timedelta(minutes=draw.choice((0, 20, 50, 90, 600)))
        go_to(context, now)
        start = at(16, draw.randrange(60), day=draw.choice((19, 20))) + timedelta(
            minutes=draw.choice((0, 30, 50, 53, 80, 144, 146))
        )
        end = start + timedelta(minutes=draw.choice((15, 60, 120, 600, 1440)))
        if end <= now:
            continue
        before = {booking.booking_id: booking for booking in standing(context)}
        asked: dict[str, Any] = {"objective": draw.choice(("demand", "total", "max-min"))}
        if draw.random() < 0.3:
            asked["at"] = start
        answer = services.plan_by_hand(
            context, start=start, end=end, request_id=f"plan {number}", **asked
        )
        _check(context, limits)
        after = {booking.booking_id: booking for booking in standing(context)}
        for gone in before.keys() - after.keys():
            assert str(gone) in answer["cancelled"]
            rises_at = datetime.fromisoformat(before[gone].candidate.pass_id.rpartition("/")[2])
            assert start <= rises_at < end, "no plan gives up what is not in its window"
        for made in after.keys() - before.keys():
            assert after[made].candidate.acquires_at >= now + FREEZE
    go_to(context, at(0, day=22))
    assert {booking.state for booking in standing(context)} <= {BookingState.SETTLED}
    assert services.verify_ledger(context).ok
