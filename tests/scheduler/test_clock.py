"""Clocks: zones, rates, and no way back."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from scheduler import clock as clocks
from scheduler.clock import AcceleratedClock, SimulatedClock, SteadyClock, SystemClock
from scheduler.errors import ClockStepped, InputError

START = datetime(2016, 12, 19, tzinfo=UTC)


def test_the_system_clock_knows_its_zone() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_simulated_clock_stands_still_until_moved() -> None:
    clock = SimulatedClock(START)

    assert clock.now() == clock.now() == START
    clock.advance_to(START + timedelta(hours=1))
    assert clock.now() == START + timedelta(hours=1)


def test_a_simulated_clock_does_not_go_back() -> None:
    clock = SimulatedClock(START)

    with pytest.raises(InputError, match="does not go back"):
        clock.advance_to(START - timedelta(seconds=1))


def test_an_accelerated_clock_runs_ahead_of_the_machine() -> None:
    clock = AcceleratedClock(START, rate=100_000.0)

    first = clock.now()
    while (second := clock.now()) == first:
        pass  # the counter's own grain
    assert START <= first < second
    assert clock.real_seconds(3600.0) == pytest.approx(0.036)


def test_an_accelerated_clock_starts_when_it_is_first_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: counted_s)
    clock = AcceleratedClock(START, rate=300.0)
    counted_s = 110.0  # the time that a process takes to load what it needs
    assert clock.now() == START
    counted_s = 111.0
    assert clock.now() == START + timedelta(seconds=300)


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e7, float("nan")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="clock rate"):
        AcceleratedClock(START, rate=rate)


@pytest.mark.parametrize("clock", [SimulatedClock, AcceleratedClock])
def test_a_naive_start_is_refused(clock: type[SimulatedClock]) -> None:
    with pytest.raises(ValueError, match="zone"):
        clock(datetime(2016, 12, 19))  # noqa: DTZ001  that is the point


@pytest.mark.parametrize("step", [timedelta(days=365), -timedelta(days=365), timedelta(hours=1)])
def test_a_step_that_no_time_server_makes_is_refused_until_it_is_right_again(
    step: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    shown, counted_s = [start], [0.0]
    monkeypatch.setattr(SystemClock, "now", lambda _: shown[0])
    monkeypatch.setattr(clocks, "_counted_s", lambda: counted_s[0])
    clock = SteadyClock()

    def after(seconds: float, shows: timedelta) -> datetime:
        counted_s[0] += seconds
        shown[0] += shows
        return clock.now()

    hour = timedelta(hours=1)
    assert after(3600.0, hour + timedelta(seconds=2)) == start + hour + timedelta(seconds=2)
    with pytest.raises(ClockStepped, match="is due; allowed: steps of up to 300 s"):
        after(60.0, step)
    assert after(60.0, timedelta(minutes=2) - step) == start + hour + timedelta(seconds=122)
    # Asleep for a night: the counter goes on as well.
    assert after(30_000.0, timedelta(seconds=30_000)) == shown[0]
