"""The ways to solve: fallbacks, limits, threads, rolling windows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from scheduler.plan import (
    Engine,
    Limits,
    LinearProgram,
    PlanProblem,
    Solution,
    SolverFailed,
    make_plan,
)
from scheduler.plan import staged as staged_module
from scheduler.plan.model import build_model
from scheduler.plan.total import MaxMinAim, TotalAim
from scheduler.solver import solve
from tests.benchmarks.constellation import Constellation, candidates
from tests.benchmarks.demand_scenario import large_problem
from tests.benchmarks.demand_scenario import problem as demand_problem

SMALL = PlanProblem(candidates=candidates(Constellation(satellites=4, stations=5, nights=2)))


def refuse(program: LinearProgram, limits: Limits) -> Solution:
    raise SolverFailed("HiGHS ended with status 'Unknown'")


@pytest.mark.parametrize("objective", ["total", "max-min"])
@pytest.mark.parametrize("solver", ["auto", "lp", "milp"])
def test_a_failing_solver_gives_the_greedy_plan_and_says_so(objective: str, solver: str) -> None:
    decision = make_plan(SMALL, solver=solver, objective=objective, engine=refuse)

    greedy = make_plan(SMALL, solver="greedy", objective=objective)
    assert decision.chosen == greedy.chosen
    assert decision.solver == "greedy"
    assert decision.fallback == (
        f"{solver} failed (HiGHS ended with status 'Unknown'); planned by value-greedy instead"
    )
    assert greedy.fallback == ""


def after(calls: int, ends: list[int]) -> Engine:
    """HiGHS for so many calls, and a failure from then on."""

    def engine(program: LinearProgram, limits: Limits) -> Solution:
        ends.append(1)
        return solve(program, limits) if len(ends) <= calls else refuse(program, limits)

    return engine


@pytest.mark.parametrize("objective", ["total", "max-min", "demand"])
@pytest.mark.parametrize("solver", ["lp", "milp", "auto"])
def test_what_was_proven_before_a_failure_is_kept(objective: str, solver: str) -> None:
    """However late the solver fails, the plan is no worse and its bound as tight as before."""
    problem = demand_problem() if objective == "demand" else SMALL
    calls: list[int] = []
    whole = make_plan(problem, solver=solver, objective=objective, engine=after(10**9, calls))
    before = make_plan(problem, solver="greedy", objective=objective)
    last = before.value
    for number in sorted({1, 2, 3, 4, len(calls) // 2, len(calls) - 1, len(calls)}):
        cut = make_plan(problem, solver=solver, objective=objective, engine=after(number, []))
        if number > 1:
            assert cut.fallback == ""
            assert cut.bound <= before.bound * (1 + 1e-6)
        assert cut.value >= last * (1 - 1e-5)
        assert cut.value <= whole.bound * (1 + 1e-6)
        last = cut.value


def test_an_odd_status_of_the_solver_is_a_failure() -> None:
    infeasible = LinearProgram()
    column = infeasible.column(1.0, upper=1.0)
    infeasible.row([(column, 1.0)], lower=2.0)
    with pytest.raises(SolverFailed, match="ended with status 'Infeasible'"):
        solve(infeasible, Limits())

    unbounded = LinearProgram()
    unbounded.column(1.0)
    with pytest.raises(SolverFailed, match="ended with status 'Unbounded'"):
        solve(unbounded, Limits())


def test_no_time_at_all_falls_back_to_greedy() -> None:
    decision = make_plan(SMALL, solver="lp", limits=Limits(abort_s=0.0))
    assert decision.solver == "greedy"
    assert "Time limit" in decision.fallback


@pytest.mark.parametrize("objective", ["total", "max-min", "demand"])
def test_nothing_to_book_is_a_plan_and_no_failure(objective: str) -> None:
    wanted = demand_problem()
    decision = make_plan(replace(wanted, candidates=()), objective=objective, solver="milp")

    assert decision.chosen == ()
    assert decision.fallback == ""
    assert not any("failed" in note or "ended" in note for note in decision.notes)


def test_a_search_that_is_cut_short_ends_at_the_same_place_however_long_it_took() -> None:
    """Limits are counted work: a machine that is ten times slower gives the same plan."""
    problem = large_problem(Constellation(satellites=8, stations=8, nights=2), demands=6)
    cut: list[bool] = []

    def engine(program: LinearProgram, limits: Limits) -> Solution:
        found = solve(program, limits)
        cut.append(not found.optimal)
        return found

    plans = [
        make_plan(problem, engine=engine, limits=Limits(nodes=1, abort_s=s))
        for s in (60.0, 600.0, 6000.0)
    ]

    assert any(cut)
    assert plans[0] == plans[1] == plans[2]


def test_plans_made_in_many_threads_are_the_same() -> None:
    problem = replace(SMALL, candidates=SMALL.candidates[:60])
    alone = make_plan(problem, solver="milp")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: make_plan(problem, solver="milp"), range(8)))
    assert found == [alone] * 8


def test_the_solver_agrees_with_a_program_solved_by_hand() -> None:
    # max 3x + 2y, x + y <= 4, x + 3y <= 6, x <= 3: x = 3, y = 1, duals by hand.
    program = LinearProgram()
    x, y = program.column(3.0, upper=3.0), program.column(2.0)
    program.row([(x, 1.0), (y, 1.0)], upper=4.0)
    program.row([(x, 1.0), (y, 3.0)], upper=6.0)

    found = solve(program, Limits())

    assert found.optimal
    np.testing.assert_allclose(found.x, [3.0, 1.0])
    assert (found.objective, found.bound) == (11.0, 11.0)
    # Both rows meet in (3, 1): any duals with u + 3v = 2 are right; they price 4u + 6v + 3w = 11.
    assert float(found.row_duals @ [1.0, 3.0]) == pytest.approx(2.0)


@pytest.mark.parametrize("kind", [TotalAim, MaxMinAim])
def test_rolling_windows_come_close_to_the_whole(kind: type[TotalAim] | type[MaxMinAim]) -> None:
    problem = PlanProblem(
        candidates=candidates(Constellation(satellites=5, stations=8, nights=3, clusters=2))
    )
    whole = staged_module.plan_exact(kind(build_model(problem)), solve, Limits())
    first = staged_module.plan_greedy(kind(build_model(problem)))
    rolling = staged_module.plan_rolling(kind(build_model(problem)), solve, Limits(), first=first)

    assert rolling.measures[0] <= whole.measures[0] * (1 + 1e-6)
    # Later days are only relaxed, and the worst station is booked again at the end.
    assert rolling.measures[0] >= 0.97 * whole.measures[0]
    assert rolling.bound >= whole.measures[0] * (1 - 1e-6)


def test_max_min_by_rounding_stays_within_three_per_cent_of_the_optimum() -> None:
    for seed in (1, 2, 3):
        problem = PlanProblem(
            candidates=candidates(
                Constellation(satellites=6, stations=8, nights=2, clusters=2, seed=seed)
            )
        )
        best = staged_module.plan_exact(MaxMinAim(build_model(problem)), solve, Limits())
        assert best.bound == pytest.approx(best.measures[0], rel=1e-5)
        found = make_plan(problem, objective="max-min", solver="lp")
        assert found.value >= 0.97 * best.measures[0]


def test_what_a_relaxation_promises_too_much_the_exact_program_takes_back() -> None:
    # One night of 30 satellites over 20 stations: the relaxation divides the satellites' time
    # and promises a third more than any whole bookings give; the plan said so for its gap.
    problem = large_problem(Constellation(satellites=30, stations=20, nights=1))

    decision = make_plan(problem, solver="lp")

    assert decision.value > 0.0
    assert decision.gap <= 0.001
    assert decision.bound < 0.8 * 0.0653  # of the relaxation


def test_a_proof_that_fails_leaves_the_bound_of_the_relaxation() -> None:
    problem = large_problem(Constellation(satellites=30, stations=20, nights=1))

    def fails_whole(program: LinearProgram, limits: Limits) -> Solution:
        # Only what has as many whole columns as there are options is the proof.
        if sum(program.whole) >= len(problem.candidates):
            raise SolverFailed("no answer in time")
        return solve(program, limits)

    decision = make_plan(problem, solver="lp", engine=fails_whole)

    assert decision.value > 0.0
    assert decision.fallback == ""
    assert "no answer in time" in " ".join(decision.notes)
    assert decision.bound == pytest.approx(0.0653, abs=1e-4)
