"""The validator: a table of broken plans, each refused for what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler.domain import LinkSupply
from scheduler.errors import PlanError
from scheduler.plan import PlanDecision, PlannedFlow, PlanProblem, faults, make_plan, validate
from tests.benchmarks.demand_scenario import problem as demand_problem
from tests.scheduler.paths.networks import network
from tests.scheduler.plan.small import candidate
from tests.scheduler.plan.test_demand import MIDNIGHT, demand, link, relay

DAY = timedelta(days=1)


def stores(**of_x: object) -> PlanProblem:
    """Two nights from a over x to b: key of the first link lies there, of the second comes late."""
    return PlanProblem(
        candidates=(candidate("x", "b", 86_400.0, bits=1000.0),),
        demands=(demand("ab", "a", "b", 500),),
        path_sets=(relay("ab", "a", "x", "b"),),
        supplies=(LinkSupply(pool_id=link("a", "x"), stock_bits=1000, **of_x),),
        starts_at=MIDNIGHT,
        ends_at=MIDNIGHT + 2 * DAY,
    )


def flow(bits: float, day: int = 2) -> PlannedFlow:
    return PlannedFlow(
        demand_id="ab", path_set=relay("ab", "a", "x", "b"), merged_at=MIDNIGHT + day * DAY,
        bits=bits,
    )  # fmt: skip


def with_flow(decision: PlanDecision, one: PlannedFlow) -> PlanDecision:
    """The decision as if it served this flow, its figures to match."""
    share = one.bits / 1000.0
    return replace(
        decision, flows=(one,), served_bits={"ab": one.bits}, served_share={"ab": share},
        value=share, bound=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of_x", "one", "fault"),
    [
        ({}, flow(1000.0), ""),
        ({}, flow(1001.5), "lacks 2 bits at 2016-12-21"),
        ({}, flow(1100.0), "wants 1000"),
        ({}, flow(-5.0), "a flow of -5.0 bits"),
        ({}, flow(float("nan")), "a flow of nan bits"),
        ({}, flow(500.0, day=1), "link:b--x gives 500 bits by 2016-12-20"),
        ({"reserve_bits": 300}, flow(700.0), ""),
        ({"reserve_bits": 300}, flow(800.0), "its reserve is 300"),
        ({"buffer_bits": 400}, flow(400.0), ""),
        ({"buffer_bits": 400}, flow(600.0), "lacks 200 bits at 2016-12-21 .*overflowed"),
        ({"expiring": ((MIDNIGHT + DAY / 2, 700),)}, flow(300.0), ""),
        ({"expiring": ((MIDNIGHT + DAY / 2, 700),)}, flow(400.0), "lacks 100 bits .*expired"),
    ],
)
def test_a_store_gives_what_it_has_when_it_has_it(
    of_x: dict[str, object], one: PlannedFlow, fault: str
) -> None:
    problem = stores(**of_x)
    decision = with_flow(make_plan(problem, objective="demand"), one)

    found = faults(problem, decision)

    if fault:
        assert any(re.search(fault, sentence) for sentence in found), found
        with pytest.raises(PlanError, match="breaks its own rules"):
            validate(problem, decision)
    else:
        assert found == ()


def test_refill_past_its_lifetime_is_gone() -> None:
    supply = LinkSupply(pool_id=link("a", "x"), refill_bits_per_day=500, lifetime_s=86_400.0)
    problem = replace(stores(), supplies=(supply,))
    decision = make_plan(problem, objective="demand")

    assert decision.served_bits == {"ab": pytest.approx(500.0)}
    broken = with_flow(decision, flow(900.0))
    assert any("lacks 400 bits" in one for one in faults(problem, broken))


@pytest.mark.parametrize(
    ("paths", "allowed"),
    [
        ((("a", "s", "b"),), True),
        ((("a", "t", "b"),), True),
        ((("a", "u", "b"),), False),  # a user is no relay
        ((("a", "s", "t", "b"),), False),  # no such link
        ((("a", "s", "c"),), False),
    ],
)
def test_a_way_that_was_priced_in_must_exist(
    paths: tuple[tuple[str, ...], ...], allowed: bool
) -> None:
    links = [(end, middle) for middle in "stu" for end in "ab"]
    problem = PlanProblem(
        candidates=(),
        demands=(demand("ab", "a", "b", 500),),
        path_sets=(relay("ab", "a", "s", "b"),),
        supplies=tuple(
            LinkSupply(pool_id=link(*ends), stock_bits=500)
            for ends in [*links, ("c", "s"), ("s", "t")]
        ),
        scenario=network(*links, ("c", "s"), users=("u",)),
        starts_at=MIDNIGHT,
        ends_at=MIDNIGHT + DAY,
    )
    decision = make_plan(problem, objective="demand")
    one = PlannedFlow(
        demand_id="ab", path_set=relay("ab", *paths[0]), merged_at=MIDNIGHT + DAY, bits=500.0
    )
    changed = replace(decision, flows=(one,))

    assert ("a flow goes by a way" in " ".join(faults(problem, changed))) != allowed


FIGURES = [
    ({"expected_bits": 5.0}, "expected_bits 5, but its bookings add up"),
    ({"value": 0.9, "bound": 1.0}, "has a share of"),
    ({"value": 0.1, "bound": 0.05}, "exceeds its bound"),
    ({"bound": float("inf")}, "must be finite"),
    ({"served_share": {}}, "has a share of 0, but"),
    ({"served_bits": {"nobody": 0.0}}, "nobody is not a demand"),
    ({"station_bits": {"gs00": 1.0}}, "station gs00 has 1 bits, but its sessions add up"),
]


@pytest.mark.parametrize(("change", "fault"), FIGURES)
def test_figures_that_do_not_add_up_are_refused(change: dict[str, object], fault: str) -> None:
    problem = demand_problem()
    decision = make_plan(problem, objective="demand", solver="greedy")
    assert faults(problem, decision) == ()

    found = faults(problem, replace(decision, **change))

    assert any(fault in sentence for sentence in found), found


@pytest.mark.parametrize(("objective", "word"), [("total", "are worth"), ("max-min", "share of")])
def test_a_value_that_the_bookings_are_not_worth_is_refused(objective: str, word: str) -> None:
    problem = replace(demand_problem(), demands=(), path_sets=())
    decision = make_plan(problem, objective=objective, solver="lp")
    assert faults(problem, decision) == ()

    broken = replace(decision, value=0.98 * decision.value)

    assert any(word in sentence for sentence in faults(problem, broken))
