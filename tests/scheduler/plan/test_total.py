"""Plans for the most key in all, against a brute force and by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from scheduler.plan import PlanProblem, PlanRules, Solver, make_plan
from tests.scheduler.plan.small import best_total, candidate, examples, problems


@settings(max_examples=examples(500), deadline=None)
@given(problem=problems())
def test_brute_force_agrees_with_the_solvers(problem: PlanProblem) -> None:
    best = best_total(problem)

    exact = make_plan(problem, solver="milp")
    relaxed = make_plan(problem, solver="lp")
    quick = make_plan(problem, solver="greedy")

    # 1e-6: the relative gap at which HiGHS stops.
    assert exact.value == pytest.approx(best, rel=1e-6)
    assert exact.bound >= best * (1 - 1e-9)
    for decision in (relaxed, quick):
        assert decision.value <= best * (1 + 1e-9)
        assert decision.bound >= best * (1 - 1e-9)
    assert make_plan(problem).value == pytest.approx(best, rel=1e-6)


def test_two_short_passes_beat_the_long_one_between_them() -> None:
    short = (candidate(start_s=0, bits=60), candidate(start_s=500, bits=60))
    long = candidate(station="nanshan", start_s=200, length_s=400, bits=100)

    problem = PlanProblem(candidates=(*short, long), rules=PlanRules(setup_s=10, slew_s=20))

    best = make_plan(problem, solver="lp")
    assert best.chosen == short
    assert (best.value, best.gap) == (120.0, 0.0)
    assert "micius is with xinglong" in best.left_out[long.candidate_id]
    assert make_plan(problem, solver="greedy").chosen == (long,)


def test_the_same_problem_gives_the_same_plan() -> None:
    problem = PlanProblem(
        candidates=tuple(
            candidate(f"s{i % 7}", f"g{i % 5}", (i * 977) % 7200, 300, 1000 + i * 37 % 101)
            for i in range(200)
        )
    )

    for solver in Solver:
        assert make_plan(problem, solver=solver, seed=3) == make_plan(
            problem, solver=solver, seed=3
        )


def test_nothing_to_plan_is_an_empty_plan() -> None:
    for solver in Solver:
        decision = make_plan(PlanProblem(candidates=()), solver=solver)
        assert (decision.chosen, decision.value, decision.gap) == ((), 0.0, 0.0)
