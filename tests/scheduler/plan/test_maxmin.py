"""Plans for the station that has least, against a brute force and by hand."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.plan import PlanProblem, PlanRules, make_plan
from tests.scheduler.plan.small import candidate, every_plan, examples, problems


def best_share(problem: PlanProblem) -> float:
    """The largest least share of any allowed set, over the stations with a worthwhile pass."""
    stations = {c.station_id for c in problem.candidates if c.expected_bits >= 1.0}
    best = 0.0
    for chosen in every_plan(problem):
        bits: dict[str, float] = defaultdict(float)
        for session in chosen:
            bits[session.station_id] += session.secret_bits * session.clear_probability
        shares = [bits[s] / problem.station_weights.get(s, 1.0) for s in stations]
        best = max(best, min(shares))
    return best


@st.composite
def weighted(draw: st.DrawFn) -> PlanProblem:
    problem = draw(problems(max_size=8))
    weights = draw(st.dictionaries(st.sampled_from("abc"), st.sampled_from([0.5, 2.0]), max_size=2))
    return PlanProblem(
        candidates=problem.candidates,
        rules=PlanRules(setup_s=problem.rules.setup_s, slew_s=problem.rules.slew_s),
        station_weights=weights,
    )


@settings(max_examples=examples(200), deadline=None)
@given(problem=weighted())
def test_brute_force_agrees_on_the_least_share(problem: PlanProblem) -> None:
    best = best_share(problem)

    # 1e-6 of the largest share: the slack that one aim leaves to the next.
    assert make_plan(problem, objective="max-min").value == pytest.approx(best, rel=1e-6)
    for solver in ("lp", "greedy"):
        decision = make_plan(problem, objective="max-min", solver=solver)
        assert decision.fallback == ""
        assert decision.value <= best * (1 + 1e-9)
        assert decision.bound >= best * (1 - 1e-6)


def test_the_poor_station_comes_before_the_rich_one() -> None:
    rich = candidate(station="rich", start_s=0, bits=900)
    poor = candidate(station="poor", start_s=100, bits=100)
    late = candidate(station="rich", start_s=3000, bits=200)
    problem = PlanProblem(candidates=(rich, poor, late))

    assert make_plan(problem).chosen == (rich, late)
    fair = make_plan(problem, objective="max-min")
    assert fair.chosen == (poor, late)
    assert (fair.value, fair.bound) == (100.0, 100.0)
    assert fair.station_bits == {"poor": 100.0, "rich": 200.0}


def test_a_station_without_any_bookable_pass_does_not_hold_the_others_down() -> None:
    problem = PlanProblem(
        candidates=(
            candidate(station="a", bits=500),
            candidate(station="b", start_s=2000, bits=10, clear=0.0),
        )
    )

    decision = make_plan(problem, objective="max-min")

    assert decision.value == 500.0
    assert decision.notes == ("station b has no pass that could be booked",)
