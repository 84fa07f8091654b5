"""Planning again: what stands moves only for more than its bonus, and moves said are made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from scheduler.domain import Demand, PathSet, Pool
from scheduler.plan import PlanDecision, PlanProblem, make_plan
from tests.benchmarks.demand_scenario import problem as demand_problem
from tests.scheduler.plan.small import START, booking, candidate


def after_losing_a_sixth(
    objective: str, first: PlanProblem | None = None
) -> tuple[PlanProblem, PlanDecision]:
    """A plan made again after a sixth of its sessions became impossible."""
    first = first or demand_problem()
    before = make_plan(first, objective=objective)
    lost = frozenset(c.candidate_id for c in before.chosen[::6])
    standing = tuple(
        replace(booking(one), booking_id=UUID(int=number))
        for number, one in enumerate(before.chosen) if one.candidate_id not in lost
    )  # fmt: skip
    problem = replace(first, bookings=standing, vetoes=lost, now=first.starts_at)
    return problem, make_plan(problem, objective=objective)


@pytest.mark.parametrize("objective", ["total", "max-min", "demand"])
def test_moves_that_are_said_are_the_moves_that_are_made(objective: str) -> None:
    problem, again = after_losing_a_sixth(objective)

    chosen = {c.candidate_id for c in again.chosen}
    moved = {
        str(one.booking_id) for one in problem.movable()
        if one.candidate.candidate_id not in chosen
    }  # fmt: skip
    assert set(again.dropped) == moved


def worth_of(problem: PlanProblem, decision: PlanDecision) -> tuple[float, float]:
    """What a plan is best at without any bonus, and the bonus of one booking of the problem."""
    bits = [one.candidate.expected_bits for one in problem.bookings]
    bonus = 0.5 * sum(bits) / len(bits)
    if decision.objective == "total":
        locked = sum(one.candidate.expected_bits for one in problem.locked())
        return decision.expected_bits + locked, bonus
    if decision.objective == "max-min":
        return min(decision.station_bits.values()), bonus / len(decision.station_bits)
    days = (problem.ends_at - problem.starts_at) / timedelta(days=1)
    wanted = sum(one.bits_per_day for one in problem.demands) * days
    return min(decision.served_share.values()), bonus / wanted


@pytest.mark.parametrize("seed", [1, 2, 3, 6])
@pytest.mark.parametrize("objective", ["total", "max-min", "demand"])
def test_no_booking_moves_that_does_not_gain_more_than_its_bonus(objective: str, seed: int) -> None:
    problem, again = after_losing_a_sixth(objective, demand_problem(seed))
    locked = replace(problem, bookings=tuple(replace(b, locked=True) for b in problem.bookings))
    still = make_plan(locked, objective=objective)

    value, bonus = worth_of(problem, again)
    assert value >= worth_of(locked, still)[0] + bonus * len(again.dropped) * (1 - 1e-3)
    for one in problem.bookings:
        if str(one.booking_id) in again.dropped:
            pinned = replace(problem, pins=frozenset({one.candidate.candidate_id}))
            assert make_plan(pinned, objective=objective).value < again.value


@pytest.mark.parametrize("solver", ["auto", "lp", "greedy"])
@pytest.mark.parametrize(("bits", "kept"), [(149_000, True), (151_000, False)])
def test_a_demand_moves_a_booking_for_more_than_its_bonus(
    bits: int, kept: bool, solver: str
) -> None:
    """A demand of a million bits: half a booking of 100,000 bits is 5 % of it."""
    old = candidate("s", "a", 3000, bits=100_000)
    new = candidate("s", "c", 3100, bits=bits)
    ways = [PathSet(demand_id="d", uses=((Pool.link("s", n).pool_id, 1),), paths=(("a", n, "b"),))
            for n in "ac"]  # fmt: skip
    problem = PlanProblem(
        candidates=(old, new),
        bookings=(booking(old),),
        demands=(Demand(demand_id="d", node_a="a", node_b="b", bits_per_day=1_000_000),),
        path_sets=tuple(ways),
        now=START,
        starts_at=START,
        ends_at=START + timedelta(days=1),
    )

    decision = make_plan(problem, solver=solver)

    if solver != "greedy" or kept:
        assert decision.chosen == ((old,) if kept else (new,))


@pytest.mark.parametrize(("bits", "kept"), [(230, True), (245, False)])
def test_a_least_share_moves_a_booking_for_more_than_its_bonus(bits: int, kept: bool) -> None:
    """Half of 550 bits between two stations is 137.5 for each."""
    old = candidate(station="poor", start_s=3000, bits=100)
    rich = candidate(station="rich", start_s=9000, bits=1000)
    new = candidate("other", "poor", 3100, bits=bits)
    problem = PlanProblem(
        candidates=(old, rich, new), bookings=(booking(old), booking(rich)), now=START
    )

    decision = make_plan(problem, objective="max-min")

    assert decision.chosen == ((old, rich) if kept else (new, rich))


def test_the_bonus_is_the_same_for_a_booking_of_little_key() -> None:
    little, much = candidate(start_s=5000, bits=10_000), candidate(start_s=20_000, bits=190_000)
    rival = candidate(station="nanshan", start_s=5100, bits=55_000)
    standing = tuple(
        replace(booking(one), booking_id=UUID(int=number))
        for number, one in enumerate((little, much))
    )
    # Half of the mean of 100,000 bits: a gain of 45,000 moves nothing, one of 51,000 does.
    for bits, kept in ((55_000, True), (61_000, False)):
        options = (little, much, replace(rival, secret_bits=bits))
        decision = make_plan(PlanProblem(candidates=options, bookings=standing, now=START))
        assert (little in decision.chosen) is kept
