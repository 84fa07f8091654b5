"""Small random problems, and a brute force over them that shares no code with the planners."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from uuid import UUID, uuid5

from hypothesis import strategies as st

from scheduler.domain import Booking, BookingState, Candidate
from scheduler.plan import PlanProblem, PlanRules

START = datetime(2016, 12, 19, 16, tzinfo=UTC)
SPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def examples(full: int) -> int:
    """How many problems to draw: all of them by `make oracle`, three in ten in the suite."""
    return full if "SKYTRUNK_ORACLE" in os.environ else 3 * full // 10


def candidate(
    satellite: str = "micius",
    station: str = "xinglong",
    start_s: float = 0.0,
    length_s: float = 300.0,
    bits: float = 100_000.0,
    *,
    clear: float = 1.0,
    spread: float = 0.0,
    pass_id: str = "",
    name: str = "",
    loses: tuple[float, float] | None = None,
    acquires: tuple[float, float] | None = None,
    max_elevation_deg: float = 50.0,
) -> Candidate:
    """A candidate that says only what a test is about."""
    aos = START + timedelta(seconds=start_s)
    own = name or f"{satellite}/{station}/{aos.isoformat()}"
    return Candidate(
        candidate_id=own,
        pass_id=pass_id or own,
        satellite_id=satellite,
        station_id=station,
        acquires_at=aos,
        loses_at=aos + timedelta(seconds=length_s),
        max_elevation_deg=max_elevation_deg,
        range_km_min=700.0,
        elements_epoch=START,
        sifted_bits=5.0 * bits,
        secret_bits=bits,
        qber=0.011,
        secret_bits_spread=spread,
        clear_probability=clear,
        acquires_azimuth_deg=acquires[0] if acquires else None,
        acquires_elevation_deg=acquires[1] if acquires else None,
        loses_azimuth_deg=loses[0] if loses else None,
        loses_elevation_deg=loses[1] if loses else None,
    )


def booking(of: Candidate, state: str = "booked", *, locked: bool = False) -> Booking:
    return Booking(
        booking_id=uuid5(SPACE, of.candidate_id),
        candidate=of,
        state=BookingState(state),
        reason="asked for by the operator",
        booked_at=START,
        changed_at=START,
        locked=locked,
    )


@st.composite
def rule_sets(draw: Callable) -> PlanRules:
    """Rules of every kind that rows are made for, often absent."""
    slews = st.sampled_from([0.0, 30.0, 90.0, 400.0])
    return PlanRules(
        setup_s=draw(st.sampled_from([0.0, 20.0, 60.0])),
        slew_s=draw(slews),
        satellite_slew_s=draw(
            st.dictionaries(
                st.sampled_from([("a", "b"), ("b", "c"), ("c", "a")]), slews, max_size=2
            )
        ),
        station_slew_s=draw(st.dictionaries(st.sampled_from("abc"), slews, max_size=2)),
        slew_rate_deg_s=draw(
            st.dictionaries(st.sampled_from("abc"), st.sampled_from([0.5, 2.0]), max_size=2)
        ),
        mounts=draw(st.sampled_from([{}, {}, {"a": "dome", "b": "dome"}])),
        max_sessions_per_day=draw(st.sampled_from([None, None, 1, 2])),
        max_sessions_per_orbit=draw(st.sampled_from([None, None, 1, 2])),
        orbit_s=draw(st.sampled_from([900.0, 5700.0])),
    )


@st.composite
def problems(draw: Callable, max_size: int = 9) -> PlanProblem:
    """Up to nine passes of three satellites over three stations within an hour or a night."""
    hours = draw(st.sampled_from([1.0, 1.0, 12.0]))
    count = draw(st.integers(1, max_size))
    angles = st.tuples(st.integers(0, 359), st.integers(10, 90))
    found = []
    for index in range(count):
        found.append(
            candidate(
                draw(st.sampled_from("xyz")),
                draw(st.sampled_from("abc")),
                draw(st.integers(0, int(hours * 3600))),
                draw(st.integers(60, 600)),
                draw(st.integers(1, 1000)) * 1000.0,
                clear=draw(st.sampled_from([1.0, 0.5, 0.25])),
                pass_id=draw(st.sampled_from(["", "", "one", "two"])),
                name=f"c{index}",
                acquires=draw(st.none() | angles),
                loses=draw(st.none() | angles),
            )
        )
    return PlanProblem(candidates=tuple(found), rules=draw(rule_sets()))


def allowed(problem: PlanProblem, chosen: tuple[Candidate, ...]) -> bool:
    """Whether these sessions may all be booked, written from the words of the rules."""
    rules = problem.rules
    for one, other in combinations(sorted(chosen, key=lambda c: c.acquires_at), 2):
        if one.pass_id == other.pass_id:
            return False
        pause_s = (other.acquires_at - one.loses_at).total_seconds()
        if one.satellite_id == other.satellite_id:
            slews = rules.satellite_slew_s
            there, back = (one.station_id, other.station_id), (other.station_id, one.station_id)
            if pause_s < rules.setup_s + slews.get(there, slews.get(back, rules.slew_s)):
                return False
        mount = rules.mounts.get(one.station_id, one.station_id)
        shared = mount == rules.mounts.get(other.station_id, other.station_id)
        if shared and pause_s < rules.setup_s + _turn_s(rules, one, other):
            return False
    return all(
        len(together) <= limit for together, limit in _groups(rules, chosen) if limit is not None
    )


def _turn_s(rules: PlanRules, one: Candidate, other: Candidate) -> float:
    stations = {one.station_id, other.station_id}
    usual_s = max(rules.station_slew_s.get(s, rules.slew_s) for s in stations)
    rates = [rules.slew_rate_deg_s[s] for s in stations if s in rules.slew_rate_deg_s]
    if not rates or one.loses_azimuth_deg is None or other.acquires_azimuth_deg is None:
        return usual_s
    wide = (other.acquires_azimuth_deg - one.loses_azimuth_deg) % 360
    high = abs(other.acquires_elevation_deg - one.loses_elevation_deg)
    return max(min(wide, 360 - wide), high) / min(rates)


def _groups(
    rules: PlanRules, chosen: tuple[Candidate, ...]
) -> Iterator[tuple[list[Candidate], int | None]]:
    for first in chosen:
        own = [c for c in chosen if c.satellite_id == first.satellite_id]
        yield (
            [c for c in own if c.acquires_at.date() == first.acquires_at.date()],
            rules.max_sessions_per_day,
        )
        until = first.acquires_at + timedelta(seconds=rules.orbit_s)
        yield (
            [c for c in own if first.acquires_at <= c.acquires_at < until],
            rules.max_sessions_per_orbit,
        )


def every_plan(problem: PlanProblem) -> Iterator[tuple[Candidate, ...]]:
    """Every allowed set of sessions."""
    for size in range(len(problem.candidates) + 1):
        for chosen in combinations(problem.candidates, size):
            if allowed(problem, chosen):
                yield chosen


def best_total(problem: PlanProblem) -> float:
    """The most expected bits of any allowed set."""
    return max(sum(c.secret_bits * c.clear_probability for c in p) for p in every_plan(problem))
