"""Plans for end-to-end demand, by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from scheduler.domain import Demand, LinkSupply, PathSet, Pool
from scheduler.errors import FactError, PlanError
from scheduler.plan import (
    PlanDecision,
    PlanProblem,
    PlanRules,
    demand_served,
    faults,
    make_plan,
)
from tests.benchmarks.demand_scenario import problem as demand_problem
from tests.scheduler.plan.small import START, candidate

DAY_S = 86_400.0
MIDNIGHT = START.replace(hour=0)


def link(one: str, other: str) -> str:
    return Pool.link(one, other).pool_id


def relay(demand_id: str, *nodes: str) -> PathSet:
    """The plain path over these nodes."""
    hops = pairwise(nodes)
    return PathSet(demand_id=demand_id, uses=tuple((link(*hop), 1) for hop in hops), paths=(nodes,))


def demand(name: str, one: str, other: str, bits_per_day: int, **more: object) -> Demand:
    return Demand(demand_id=name, node_a=one, node_b=other, bits_per_day=bits_per_day, **more)


def test_a_relay_needs_key_on_both_of_its_links() -> None:
    # Priced one link at a time, x--a looks best twice; together it takes one pass over each.
    high = candidate("x", "a", 0, bits=1000.0)
    again = candidate("x", "a", 6000, bits=900.0)
    low = candidate("x", "b", 6100, bits=400.0)
    wanted = demand("ab", "a", "b", 1000)
    problem = PlanProblem(
        candidates=(high, again, low), demands=(wanted,), path_sets=(relay("ab", "a", "x", "b"),)
    )

    decision = make_plan(problem, objective="demand")

    assert decision.chosen == (high, low)
    assert decision.served_bits == {"ab": pytest.approx(400.0)}
    assert decision.served_share == {"ab": pytest.approx(0.4)}
    assert make_plan(problem, objective="total").chosen == (high, again)
    assert make_plan(problem, objective="total").served_bits == {"ab": 0.0}


def test_one_more_bit_on_the_scarce_link_is_worth_a_bit_served() -> None:
    passes = (candidate("x", "a", 0, bits=1000.0), candidate("x", "b", 6100, bits=400.0))
    problem = PlanProblem(
        candidates=passes,
        demands=(demand("ab", "a", "b", 1000, weight=2.0),),
        path_sets=(relay("ab", "a", "x", "b"),),
    )

    prices = make_plan(problem, objective="demand", solver="lp").link_prices

    assert prices == {link("a", "x"): pytest.approx(0.0), link("b", "x"): pytest.approx(2.0)}


def test_prices_foretell_what_one_more_bit_gives() -> None:
    def served(extra: int) -> tuple[float, float]:
        problem = PlanProblem(
            candidates=(candidate("x", "a", 0, bits=900.0), candidate("x", "b", 6000, bits=500.0)),
            demands=(demand("ab", "a", "b", 1000), demand("ac", "a", "c", 2000)),
            path_sets=(relay("ab", "a", "x", "b"), relay("ac", "a", "x", "b", "c")),
            supplies=(
                LinkSupply(pool_id=link("b", "c"), stock_bits=10_000),
                LinkSupply(pool_id=link("b", "x"), stock_bits=100 + extra),
            ),
        )
        decision = make_plan(problem, objective="demand", solver="lp")
        return decision.measures[1], decision.link_prices[link("b", "x")]

    before, price = served(0)
    after, _ = served(10)
    assert (after - before) / 10 == pytest.approx(price, rel=1e-3)


def test_key_serves_only_after_its_pass() -> None:
    late = candidate("x", "a", DAY_S, bits=1000.0)
    lapsing = LinkSupply(
        pool_id=link("b", "x"), stock_bits=1000, expiring=((MIDNIGHT + timedelta(days=1), 1000),)
    )
    problem = PlanProblem(
        candidates=(late,),
        demands=(demand("ab", "a", "b", 500),),
        path_sets=(relay("ab", "a", "x", "b"),),
        supplies=(lapsing,),
        starts_at=MIDNIGHT,
        ends_at=MIDNIGHT + timedelta(days=2),
    )

    assert make_plan(problem, objective="demand").served_bits == {"ab": 0.0}
    kept = LinkSupply(pool_id=link("b", "x"), stock_bits=1000)
    lasting = PlanProblem(
        candidates=(late,), demands=problem.demands, path_sets=problem.path_sets, supplies=(kept,),
        starts_at=problem.starts_at, ends_at=problem.ends_at,
    )  # fmt: skip
    assert make_plan(lasting, objective="demand").served_bits == {"ab": pytest.approx(1000.0)}


@pytest.mark.parametrize("solver", ["auto", "lp", "greedy"])
def test_key_that_waits_is_no_stock_and_serves_from_its_announcement_on(solver: str) -> None:
    tomorrow = MIDNIGHT + timedelta(days=1, hours=18)

    def plan(
        *coming: tuple[datetime, int], expiring: tuple[tuple[datetime, int], ...] = ()
    ) -> PlanDecision:
        problem = PlanProblem(
            candidates=(),
            demands=(demand("ab", "a", "b", 500),),
            path_sets=(relay("ab", "a", "x", "b"),),
            supplies=(
                LinkSupply(pool_id=link("a", "x"), coming=coming),
                LinkSupply(pool_id=link("b", "x"), stock_bits=1000, expiring=expiring),
            ),
            starts_at=MIDNIGHT,
            ends_at=MIDNIGHT + timedelta(days=2),
        )
        return make_plan(problem, objective="demand", solver=solver)

    assert plan().served_bits == {"ab": 0.0}
    late = plan((tomorrow, 300))
    assert late.served_bits == {"ab": pytest.approx(300.0)}
    assert {flow.merged_at for flow in late.flows} == {MIDNIGHT + timedelta(days=2)}
    assert plan((MIDNIGHT - timedelta(days=3), 200), (tomorrow, 300)).served_bits == {
        "ab": pytest.approx(500.0)
    }
    # Whoever could meet it only today meets nothing; after the end of the plan nobody does.
    gone = ((MIDNIGHT + timedelta(days=1), 1000),)
    assert plan((tomorrow, 300), expiring=gone).served_bits == {"ab": 0.0}
    assert plan((MIDNIGHT + timedelta(days=2), 300)).served_bits == {"ab": 0.0}


def test_a_supply_of_less_than_nothing_to_come_is_refused() -> None:
    with pytest.raises(FactError, match="0 bits and up"):
        LinkSupply(pool_id=link("a", "x"), coming=((MIDNIGHT, -1),))


def test_a_buffer_cannot_carry_more_than_it_holds() -> None:
    problem = PlanProblem(
        candidates=(candidate("x", "a", 0, bits=1000.0), candidate("x", "b", DAY_S, bits=1000.0)),
        demands=(demand("ab", "a", "b", 500),),
        path_sets=(relay("ab", "a", "x", "b"),),
        supplies=(LinkSupply(pool_id=link("a", "x"), buffer_bits=300),),
        starts_at=MIDNIGHT,
        ends_at=MIDNIGHT + timedelta(days=2),
    )

    for solver in ("auto", "greedy"):
        served = make_plan(problem, objective="demand", solver=solver).served_bits
        assert served == {"ab": pytest.approx(300.0)}


def test_key_past_its_lifetime_is_of_no_use() -> None:
    def served(lifetime_s: float) -> float:
        problem = PlanProblem(
            candidates=(
                candidate("x", "a", 0, bits=1000.0),
                candidate("x", "b", 2 * DAY_S, bits=1000.0),
            ),
            demands=(demand("ab", "a", "b", 500),),
            path_sets=(relay("ab", "a", "x", "b"),),
            supplies=(LinkSupply(pool_id=link("a", "x"), lifetime_s=lifetime_s),),
            starts_at=MIDNIGHT,
            ends_at=MIDNIGHT + timedelta(days=3),
        )
        return make_plan(problem, objective="demand").served_bits["ab"]

    assert served(3 * DAY_S) == pytest.approx(1000.0)
    assert served(1 * DAY_S) == 0.0


def test_a_higher_priority_is_served_first() -> None:
    problem = PlanProblem(
        candidates=(candidate("x", "a", 0, bits=1000.0),),
        demands=(demand("low", "a", "b", 1000), demand("high", "a", "c", 800, priority=1)),
        path_sets=(relay("low", "a", "x", "b"), relay("high", "a", "x", "c")),
        supplies=(
            LinkSupply(pool_id=link("b", "x"), stock_bits=10**6),
            LinkSupply(pool_id=link("c", "x"), stock_bits=10**6),
        ),
    )

    for solver in ("auto", "lp", "greedy"):
        served = make_plan(problem, objective="demand", solver=solver).served_bits
        assert served == {"low": pytest.approx(200.0), "high": pytest.approx(800.0)}


def test_a_pair_below_its_low_water_mark_gets_more() -> None:
    def shares(stock: int) -> dict[str, float]:
        problem = PlanProblem(
            candidates=(candidate("x", "a", 0, bits=900.0),),
            demands=(
                demand("b", "a", "b", 1000),
                demand("c", "a", "c", 1000, low_water_bits=5000),
            ),
            path_sets=(relay("b", "a", "x", "b"), relay("c", "a", "x", "c")),
            supplies=(
                LinkSupply(pool_id=link("b", "x"), stock_bits=10**6),
                LinkSupply(pool_id=link("c", "x"), stock_bits=10**6),
            ),
            pair_stock={"c": stock},
        )
        return dict(make_plan(problem, objective="demand").served_bits)

    assert shares(5000) == {"b": pytest.approx(450.0), "c": pytest.approx(450.0)}
    # Empty, its weight is doubled: t 2 1000 + t 1000 = 900.
    assert shares(0) == {"b": pytest.approx(300.0), "c": pytest.approx(600.0)}


def test_a_pair_above_its_high_water_mark_gets_nothing() -> None:
    problem = PlanProblem(
        candidates=(candidate("x", "a", 0, bits=900.0),),
        demands=(demand("ab", "a", "b", 1000, high_water_bits=2000),),
        path_sets=(relay("ab", "a", "x", "b"),),
        supplies=(LinkSupply(pool_id=link("b", "x"), stock_bits=10**6),),
        pair_stock={"ab": 5000},
    )

    decision = make_plan(problem, objective="demand")
    assert decision.served_bits == {"ab": 0.0}
    assert "above its high-water mark" in decision.notes[0]


def test_demands_that_nothing_can_serve_are_named() -> None:
    problem = PlanProblem(
        candidates=(candidate("x", "a", 0, bits=900.0),),
        demands=(demand("ab", "a", "b", 1000), demand("an", "a", "nowhere", 10)),
        path_sets=(relay("ab", "a", "x", "b"),),
    )

    refused = replace(problem, refusals={"an": "every path shares x"})
    assert make_plan(refused, objective="demand").notes[1] == (
        "demand an (a to nowhere) cannot be served: every path shares x; nothing is planned for it"
    )
    for solver in ("auto", "milp", "greedy"):
        decision = make_plan(problem, objective="demand", solver=solver)
        assert decision.notes[0] == (
            "demand ab (a to b) cannot be served: link:b--x has no key to spare, no refill and"
            " no pass"
        )
        assert decision.notes[1] == (
            "demand an (a to nowhere) has no path; nothing is planned for it"
        )
        assert decision.chosen == problem.candidates


def test_path_sets_must_fit_their_demand() -> None:
    wanted = demand("ab", "a", "b", 10)
    with pytest.raises(PlanError, match="unknown demand zz; known: ab"):
        make_plan(
            PlanProblem(candidates=(), demands=(wanted,), path_sets=(relay("zz", "a", "b"),)),
            objective="demand",
        )
    with pytest.raises(PlanError, match="joins a and b, but a path set of it runs from a to c"):
        make_plan(
            PlanProblem(candidates=(), demands=(wanted,), path_sets=(relay("ab", "a", "c"),)),
            objective="demand",
        )


def test_without_demands_the_total_is_planned_and_said() -> None:
    decision = make_plan(PlanProblem(candidates=(candidate(),)), objective="demand")
    assert decision.objective == "total"
    assert decision.notes == ("there are no demands: planned for the total instead",)


def test_any_set_of_bookings_can_be_asked_what_it_serves() -> None:
    passes = (candidate("x", "a", 0, bits=1000.0), candidate("x", "b", 6100, bits=400.0))
    problem = PlanProblem(
        candidates=passes,
        rules=PlanRules(),
        demands=(demand("ab", "a", "b", 1000),),
        path_sets=(relay("ab", "a", "x", "b"),),
    )

    assert demand_served(problem, passes).bits == {"ab": pytest.approx(400.0)}
    assert demand_served(problem, passes[:1]).share == {"ab": 0.0}


def test_demand_is_never_below_the_other_objectives_on_the_same_passes() -> None:
    problem = demand_problem()
    found = {}
    for objective in ("demand", "max-min", "total"):
        decision = make_plan(problem, objective=objective, solver="milp")
        assert decision.fallback == ""
        found[objective] = demand_served(problem, decision.chosen)
    worst = {name: min(served.share.values()) for name, served in found.items()}
    # 1e-6: what one stage may give up for the next.
    assert worst["demand"] >= max(worst.values()) * (1 - 1e-6)
    # Scarce and cloudy: 22.9 %, 5.0 % and nothing at all when this was written.
    assert worst["demand"] > 4.0 * worst["max-min"] > worst["total"] == 0.0
    assert found["demand"].measures[1] == max(served.measures[1] for served in found.values())


def test_what_is_left_of_a_served_demand_is_given_to_the_total() -> None:
    # 2016-12-21 in small: Nanshan's early pass cuts Delingha's short, and nobody asks for its key.
    early = candidate("x", "a", 0, bits=20.0)
    whole = candidate("x", "b", 100, length_s=600.0, bits=1700.0, pass_id="b")
    cut = candidate("x", "b", 400, bits=1200.0, pass_id="b")
    late = candidate("x", "a", 6000, bits=300.0)
    problem = PlanProblem(
        candidates=(early, whole, cut, late),
        demands=(demand("ac", "a", "c", 250), demand("bc", "b", "c", 100)),
        path_sets=(relay("ac", "a", "x", "c"), relay("bc", "b", "x", "c")),
        supplies=(LinkSupply(pool_id=link("c", "x"), stock_bits=10_000),),
    )

    plans = {name: make_plan(problem, objective=name) for name in ("demand", "max-min")}

    assert plans["demand"].chosen == (whole, late)
    assert plans["max-min"].chosen == (early, cut, late)
    for plan in plans.values():
        assert plan.served_share == {"ac": pytest.approx(1.0), "bc": pytest.approx(1.0)}


def served_plan() -> tuple[PlanProblem, PlanDecision]:
    problem = PlanProblem(
        candidates=(candidate("x", "a", 0, bits=900.0), candidate("x", "b", 6000, bits=500.0)),
        demands=(demand("ab", "a", "b", 1000),),
        path_sets=(relay("ab", "a", "x", "b"),),
    )
    return problem, make_plan(problem)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"bits": 600.0}, r"link:b--x gives 600 bits by 2016-12-20 .*, but has 500"),
        ({"merged_at": START + timedelta(seconds=400)}, "but has 0"),
        ({"path_set": relay("ab", "a", "b")}, "by a way that no path set"),
        ({"demand_id": "cd"}, "demand ab is served 500 bits, but its flows add up to 0"),
    ],
)
def test_the_validator_rejects_flows_that_cannot_be(change: dict[str, object], fault: str) -> None:
    problem, decision = served_plan()
    (flow,) = decision.flows
    assert decision.objective == "demand"
    assert faults(problem, decision) == ()

    broken = replace(decision, flows=(replace(flow, **change),))

    assert any(re.search(fault, sentence) for sentence in faults(problem, broken))


def test_every_next_least_share_is_lifted_and_not_only_the_first_few() -> None:
    """Five satellites may serve one of two pairs each; what they have is 10, 20, .. 50 %.

    The smaller pair gains 20 % of what it wants, the larger 15 %, though more bits. Whoever lifts
    two levels and then comes near a relaxation that halves passes serves the larger ones.
    """
    passes, demands, ways, supplies = [], [], [], []
    expected = {}
    for number in range(5):
        satellite, have = f"s{number}", 0.1 * (number + 1)
        for name, wanted, bits in (("small", 10_000, 2000.0), ("large", 40_000, 6000.0)):
            station = f"{name}{number}"
            link = Pool.link(satellite, station).pool_id
            passes.append(candidate(satellite, station, 3000.0 + 10 * len(passes), bits=bits))
            demands.append(
                Demand(demand_id=station, node_a=station, node_b="hub", bits_per_day=wanted)
            )
            ways.append(
                PathSet(demand_id=station, uses=((link, 1),), paths=((station, satellite, "hub"),))
            )
            supplies.append(LinkSupply(pool_id=link, stock_bits=round(have * wanted)))
            expected[station] = have + (0.2 if name == "small" else 0.0)
    problem = PlanProblem(
        candidates=tuple(passes), demands=tuple(demands), path_sets=tuple(ways),
        supplies=tuple(supplies), starts_at=START, ends_at=START + timedelta(days=1),
    )  # fmt: skip

    assert make_plan(problem).served_share == pytest.approx(expected, abs=1e-4)
