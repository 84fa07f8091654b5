"""No satellite is hidden: ways beyond those listed serve a demand, and bounds know them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.domain import Candidate, LinkSupply
from scheduler.paths import find_routes
from scheduler.plan import PlanProblem, faults, make_plan
from tests.scheduler.paths.networks import network, want
from tests.scheduler.plan.small import candidate

SATELLITES = tuple(f"s{number}" for number in range(1, 9))
LINKS = tuple((end, satellite) for satellite in SATELLITES for end in ("a", "z"))


def problem(*, paths: int, last: int, of: tuple[str, ...] = SATELLITES) -> PlanProblem:
    """Eight satellites may relay from a to z; passes there are of the last few alone."""
    scenario = network(*LINKS)
    wanted = want("a", "z", 900, min_disjoint_paths=paths)
    passes: list[Candidate] = []
    for number, satellite in enumerate(of[-last:]):
        passes.append(candidate(satellite, "a", 2000.0 * number, bits=300.0))
        passes.append(candidate(satellite, "z", 2000.0 * number + 1000.0, bits=300.0))
    return PlanProblem(
        candidates=tuple(passes),
        demands=(wanted,),
        path_sets=find_routes(scenario, wanted).path_sets,
        supplies=tuple(LinkSupply(pool_id=link.pool.pool_id) for link in scenario.links),
        scenario=scenario,
    )


@pytest.mark.parametrize("solver", ["auto", "lp", "milp", "greedy"])
@pytest.mark.parametrize(("paths", "share"), [(1, 2 / 3), (2, 1 / 3)])
def test_the_last_two_of_eight_satellites_serve(solver: str, paths: int, share: float) -> None:
    given = problem(paths=paths, last=2)

    decision = make_plan(given, objective="demand", solver=solver)

    assert decision.served_share == {"a--z": pytest.approx(share, rel=1e-5)}
    assert faults(given, decision) == ()
    if paths == 1:  # and no way over them was listed
        listed = make_plan(replace(given, scenario=None), objective="demand", solver=solver)
        assert listed.served_share == {"a--z": 0.0}


def test_the_bound_holds_for_the_network_and_not_for_the_ways_listed() -> None:
    given = problem(paths=1, last=3)

    decision = make_plan(given, objective="demand", solver="lp")

    assert decision.value == pytest.approx(1.0, rel=1e-5)
    assert decision.bound >= 1.0 - 1e-6


@pytest.mark.parametrize("limit", [0, 20_000])
def test_ways_are_looked_for_where_they_are_too_many_to_list(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.plan.demand.FLOWS_MAX", limit)
    given = problem(paths=1, last=8)
    given = replace(given, demands=(replace(given.demands[0], bits_per_day=2400),))

    decision = make_plan(given, objective="demand", solver="lp")

    assert decision.served_bits == {"a--z": pytest.approx(2400.0, rel=1e-5)}
    assert {flow.path_set.paths[0][1] for flow in decision.flows} == set(SATELLITES)
