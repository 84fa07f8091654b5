"""Plans of random small problems against an exact model: feasible, bounded, near the best.

`make oracle` looks at 300 problems an objective; the suite at a few.
"""

from __future__ import annotations

import os
from datetime import timedelta
from itertools import combinations

import numpy as np
import pytest

from scheduler.domain import LinkSupply
from scheduler.paths import find_routes
from scheduler.plan import PlanDecision, PlanProblem, faults, make_plan
from scheduler.plan import demand as demand_module
from tests.scheduler.paths.networks import network, want
from tests.scheduler.plan.oracle import (
    MIDNIGHT,
    best_least,
    best_leximin,
    best_share,
    best_total,
    instance,
    most_above,
)
from tests.scheduler.plan.small import candidate

COUNT = int(os.environ.get("SKYTRUNK_ORACLE", "8"))
GAP_MAX = 1e-3
SLACK = 1e-5  # aims held to 1e-6 of each other, in programs scaled differently


def exact(problem: PlanProblem, decision: PlanDecision) -> float | None:
    """The best value there is; demands and stations that a note sets apart do not count."""
    notes = " ".join(decision.notes)
    if decision.objective == "total":
        return best_total(problem)
    if decision.objective == "max-min":
        stations = {c.station_id for c in problem.candidates}
        return best_least(problem, {s for s in stations if f"station {s} has" not in notes})
    wanted = {d.demand_id for d in problem.demands}
    return best_share(problem, {d for d in wanted if f"demand {d} (" not in notes})


@pytest.mark.parametrize("seed", range(COUNT))
@pytest.mark.parametrize("objective", ["total", "max-min", "demand"])
def test_a_plan_is_feasible_near_the_best_and_its_bound_is_true(objective: str, seed: int) -> None:
    problem = instance(seed)
    decision = make_plan(problem, objective=objective)

    assert decision.fallback == ""
    assert faults(problem, decision) == ()
    best = exact(problem, decision)
    if best is None:
        pytest.skip("the exact model was not solved in time")
    if any("demand " in note for note in decision.notes) and decision.value == 0.0 == best:
        return
    # Nothing but what a note sets apart is left out, so the planner cannot be above it either.
    assert decision.value <= best * (1 + SLACK) + SLACK
    assert decision.bound >= best * (1 - SLACK) - SLACK
    assert decision.value >= best * (1 - GAP_MAX) - SLACK


@pytest.mark.parametrize("seed", range(COUNT // 2))
@pytest.mark.parametrize("objective", ["total", "max-min", "demand"])
def test_a_bound_without_the_exact_program_is_true(objective: str, seed: int) -> None:
    problem = instance(10_000 + seed)
    decision = make_plan(problem, objective=objective, solver="lp")

    assert faults(problem, decision) == ()
    best = exact(problem, decision)
    if best is not None:
        assert decision.value <= best * (1 + SLACK) + SLACK
        assert decision.bound >= best * (1 - SLACK) - SLACK


@pytest.mark.parametrize("seed", range(COUNT))
def test_the_shares_of_a_plan_are_the_leximin(seed: int) -> None:
    problem = instance(20_000 + seed, pairs=6)
    decision = make_plan(problem, objective="demand")

    notes = " ".join(decision.notes)
    able = [d for d in problem.demands if f"demand {d.demand_id} (" not in notes]
    best = best_leximin(problem, {d.demand_id for d in able})
    if best is not None:  # else not proven in time
        shares = sorted(decision.served_share[d.demand_id] / d.weight for d in able)
        assert shares == pytest.approx(best, rel=GAP_MAX, abs=10 * SLACK)


def many_demands(seed: int, count: int = 10, seen: int = 5, times: int = 3) -> PlanProblem:
    """Two satellites that see five of ten stations at once, three times, and sixteen pairs."""
    rng = np.random.default_rng(seed)
    satellites, stations = ("s0", "s1"), [f"g{n:02d}" for n in range(count)]
    scenario = network(*[(station, satellite) for satellite in satellites for station in stations])
    pairs = list(combinations(stations, 2))
    rng.shuffle(pairs)
    demands = tuple(want(*map(str, p), int(rng.integers(5, 30)) * 1000) for p in pairs[:16])
    passes = tuple(
        candidate(satellite, str(station), 1000.0 * time, bits=float(rng.integers(5, 60)) * 1000.0)
        for satellite in satellites
        for time in range(times)
        for station in rng.choice(stations, seen, replace=False)
    )
    return PlanProblem(
        candidates=passes,
        demands=demands,
        path_sets=tuple(p for d in demands for p in find_routes(scenario, d).path_sets),
        scenario=scenario,
        supplies=tuple(
            LinkSupply(pool_id=link.pool.pool_id, stock_bits=6000) for link in scenario.links
        ),
        starts_at=MIDNIGHT,
        ends_at=MIDNIGHT + timedelta(days=1),
    )


@pytest.mark.walks
@pytest.mark.parametrize("sums_up_to", [16, 0])
def test_ten_shares_are_the_leximin_by_sums_and_level_by_level(
    sums_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Level by level is for programs in which the sums of the least shares take too long."""
    monkeypatch.setattr(demand_module, "LEXIMIN_MAX", sums_up_to)
    problem = many_demands(4, count=5, seen=3, times=2)
    decision = make_plan(problem, objective="demand")

    best = best_leximin(problem, {d.demand_id for d in problem.demands})
    if best is None:
        pytest.skip("the exact model was not solved in time")
    assert len(set(np.round(best, 3))) == 4
    assert sorted(decision.served_share.values()) == pytest.approx(best, rel=GAP_MAX)


@pytest.mark.walks
def test_as_many_as_can_be_are_above_the_least_share_and_the_next_least_is_lifted() -> None:
    problem = many_demands(2)
    decision = make_plan(problem, objective="demand")
    shares = list(decision.served_share.values())
    demands = {d.demand_id for d in problem.demands}

    # The next level by the independent model is 0.0317 above the least; coming near what the
    # relaxation promised left three more demands at 0.023 above it.
    for step in (0.001, 0.031):
        above = sum(share >= decision.value + step - SLACK for share in shares)
        assert above == most_above(problem, demands, decision.value - SLACK, step) == 13
    assert most_above(problem, demands, decision.value - SLACK, 0.033) < 13
