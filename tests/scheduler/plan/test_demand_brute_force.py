"""Plans for end-to-end demand, against a brute force over plans and flows."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from scheduler.domain import Candidate, LinkSupply
from scheduler.plan import (
    PlanProblem,
    make_plan,
)
from tests.scheduler.plan.small import candidate, every_plan, examples
from tests.scheduler.plan.test_demand import MIDNIGHT, demand, link, relay


def leximin_flows(
    problem: PlanProblem, chosen: tuple[Candidate, ...], days: int
) -> tuple[tuple[float, ...], float]:
    """The shares by leximin, the least first, and the weighed bits they are; no inventories.

    Use of a link up to the end of each day never exceeds what has come by then. Whether a share
    can still rise is tried for each demand alone, without duals.
    """
    columns = [
        (number, path, day)
        for number, wanted in enumerate(problem.demands)
        for path in problem.path_sets
        if path.demand_id == wanted.demand_id
        for day in range(days)
    ]
    size = len(columns) + 1  # the last is t
    rows, limits = [], []
    links = {name for _, path, _ in columns for name, _ in path.uses}
    supplies = {supply.pool_id: supply for supply in problem.supplies}
    for name in sorted(links):
        supply = supplies.get(name, LinkSupply(pool_id=name))
        for day in range(days):
            row = np.zeros(size)
            for column, (_, path, when) in enumerate(columns):
                row[column] = dict(path.uses).get(name, 0) * (when <= day)
            come = supply.stock_bits + supply.refill_bits_per_day * (day + 1)
            until = MIDNIGHT + timedelta(days=day + 1)
            come += sum(bits for when, bits in supply.coming if when < until)
            kept = min(supply.reserve_bits, come)
            come += sum(
                c.secret_bits * c.clear_probability
                for c in chosen
                if link(c.satellite_id, c.station_id) == name
                and c.loses_at < MIDNIGHT + timedelta(days=day + 1)
            )
            rows.append(row)
            limits.append(come - kept)
    for number, wanted in enumerate(problem.demands):
        served = np.array([float(n == number) for n, _, _ in columns] + [0.0])
        rows.append(served)
        limits.append(wanted.bits_per_day * days)
    matrix = np.array(rows)
    of_demand = [
        np.array([float(n == number) for n, _, _ in columns] + [0.0])
        for number in range(len(problem.demands))
    ]
    worth = [wanted.weight * wanted.bits_per_day * days for wanted in problem.demands]

    def best(aim: np.ndarray, floors: dict[int, float], level: set[int]) -> float:
        more = [-of_demand[n] for n in floors]
        at_least = [-floor * worth[n] * (1 - 1e-9) for n, floor in floors.items()]
        for n in level:
            row = -of_demand[n]
            row[-1] = worth[n]
            more.append(row)
            at_least.append(0.0)
        found = linprog(
            -aim, A_ub=np.vstack([matrix, *more]), b_ub=[*limits, *at_least], method="highs"
        )
        return float(-found.fun)

    rising, fixed = set(range(len(worth))), dict[int, float]()
    t = np.zeros(size)
    t[-1] = 1.0
    while rising:
        reached = best(t, fixed, rising)
        others = dict.fromkeys(rising, reached)
        alone = {n: best(of_demand[n] / worth[n], fixed | others, set()) for n in rising}
        stuck = {n for n in rising if alone[n] < reached * (1 + 1e-6) + 1e-9} or set(rising)
        fixed |= dict.fromkeys(stuck, reached)
        rising -= stuck
    served = sum(fixed[n] * worth[n] * w.weight for n, w in enumerate(problem.demands))
    return tuple(sorted(fixed.values())), served


PATHS = {
    "east": [("east", "hub"), ("east", "x", "hub")],
    "west": [("west", "x", "hub"), ("west", "y", "hub")],
    "far": [("east", "x", "west"), ("east", "hub", "y", "west")],
}
ENDS = {"east": ("east", "hub"), "west": ("hub", "west"), "far": ("east", "west")}


@st.composite
def networks(draw: st.DrawFn) -> tuple[PlanProblem, int]:
    """Two satellites over three nodes for one or two days, one to three demands."""
    days = draw(st.integers(1, 2))
    passes = [
        candidate(
            draw(st.sampled_from("xy")),
            draw(st.sampled_from(["east", "west", "hub"])),
            draw(st.integers(0, 3000)) + 86_400.0 * draw(st.integers(0, days - 1)),
            draw(st.integers(100, 900)),
            draw(st.integers(1, 40)) * 1000.0,
            name=f"c{index}",
        )
        for index in range(draw(st.integers(1, 6)))
    ]
    names = draw(st.lists(st.sampled_from(sorted(PATHS)), min_size=1, max_size=3, unique=True))
    demands = tuple(
        demand(name, *ENDS[name], draw(st.integers(1, 40)) * 1000,
               weight=draw(st.sampled_from([0.5, 1.0, 2.0])))
        for name in names
    )  # fmt: skip
    paths = tuple(relay(name, *nodes) for name in names for nodes in PATHS[name])
    # Stock on every link, so that the planner leaves no demand out of the least share.
    supplies = tuple(
        LinkSupply(
            pool_id=name,
            stock_bits=draw(st.integers(1, 10)) * 1000,
            refill_bits_per_day=draw(st.sampled_from([0.0, 5000.0])),
            reserve_bits=draw(st.sampled_from([0, 500])),
            coming=draw(
                st.sampled_from(
                    [(), ((MIDNIGHT, 3000),), ((MIDNIGHT + timedelta(hours=30), 7000),)]
                )
            ),
        )
        for name in sorted({used for path in paths for used, _ in path.uses})
    )
    problem = PlanProblem(
        candidates=tuple(passes), demands=demands, path_sets=paths, supplies=supplies,
        starts_at=MIDNIGHT, ends_at=MIDNIGHT + timedelta(days=days),
    )  # fmt: skip
    return problem, days


@settings(max_examples=examples(100), deadline=None)
@given(case=networks())
def test_brute_force_agrees_on_the_demand_served(case: tuple[PlanProblem, int]) -> None:
    problem, days = case
    plans = list(every_plan(problem))
    names = [{c.candidate_id for c in plan} for plan in plans]
    largest = [p for p, n in zip(plans, names, strict=True) if not any(n < m for m in names)]
    found = [leximin_flows(problem, plan, days) for plan in largest]
    best = max(tuple(round(share, 7) for share in shares) for shares, _ in found)

    decision = make_plan(problem, objective="demand")

    assert decision.fallback == ""
    days_worth = {d.demand_id: d.weight * d.bits_per_day * days for d in problem.demands}
    shares = sorted(decision.served_bits[name] / of for name, of in days_worth.items())
    best_share = best[0]
    # 1e-5: aims held to 1e-6 of each other, in programs scaled differently.
    assert shares == pytest.approx(best, rel=1e-5, abs=3e-6)
    assert decision.measures[0] == pytest.approx(best_share, rel=1e-5, abs=3e-6)
    served = sum(decision.served_bits[d.demand_id] * d.weight for d in problem.demands)
    assert decision.measures[1] == pytest.approx(served, rel=1e-9)
    for solver in ("lp", "greedy"):
        other = make_plan(problem, objective="demand", solver=solver)
        assert other.fallback == ""
        assert other.value <= best_share * (1 + 1e-5) + 1e-7
        assert other.bound >= best_share * (1 - 1e-5) - 1e-7
