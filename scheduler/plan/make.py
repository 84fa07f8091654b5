"""From a problem to a checked decision, by the solver asked for or by the fallback."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from time import perf_counter
from typing import TypeVar

from scheduler.errors import PlanError
from scheduler.plan.check import validate
from scheduler.plan.demand import DemandAim
from scheduler.plan.demand_served import DemandServed, demand_served_by
from scheduler.plan.greedy import Choice
from scheduler.plan.model import Model, build_model
from scheduler.plan.problem import Objective, PlanDecision, PlanProblem, Solver
from scheduler.plan.put_back import put_back
from scheduler.plan.reasons import booked_because, dropped_because, left_out_because
from scheduler.plan.staged import (
    NEAR_ENOUGH,
    SMALL,
    Aim,
    Found,
    bookable,
    plan_exact,
    plan_greedy,
    plan_relaxed,
    plan_rolling,
)
from scheduler.plan.total import MaxMinAim, TotalAim
from scheduler.solver import DEFAULT_LIMITS, Engine, Limits, SolverFailed, solve

_AIMS: dict[Objective, Callable[[Model], Aim]] = {
    Objective.TOTAL: TotalAim,
    Objective.MAX_MIN: MaxMinAim,
    Objective.DEMAND: DemandAim,
}
EXACT_OPTIONS: dict[Objective, int] = {
    Objective.TOTAL: 2000,
    Objective.MAX_MIN: 150,
    Objective.DEMAND: 1000,
}
"""Up to here "auto" goes on to the exact program, which then takes moments, or some seconds."""
E = TypeVar("E", bound=StrEnum)


def make_plan(
    problem: PlanProblem,
    *,
    solver: Solver | str = Solver.AUTO,
    objective: Objective | str | None = None,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    engine: Engine = solve,
    stopwatch: Callable[[], float] = perf_counter,
) -> PlanDecision:
    """Return the sessions to book, validated, with a reason for every candidate.

    Parameters
    ----------
    problem : candidates, rules, and what already stands
    solver : "auto", "greedy", "lp" or "milp"
    objective : "demand", "max-min" or "total"; None is demand where there are demands
    seed : of the solver's own choices; one problem and seed give one plan
    limits : of each call of the solver; `seed` overrides theirs
    engine : solves a program; HiGHS, unless a test brings its own
    stopwatch : seconds that pass; only `wall_s` depends on it

    A solver that fails, or ends with anything but an answer, is replaced by value-greedy: the
    decision says so in `fallback`.

    Raises PlanError if locks or pins contradict each other, or the validator rejects the plan.
    """
    started_s = stopwatch()
    solver = _member(Solver, solver, "solver")
    if objective is None:
        objective = Objective.DEMAND if problem.demands else Objective.TOTAL
    objective = _member(Objective, objective, "objective")
    model = build_model(problem)
    if objective is Objective.DEMAND and not problem.demands:
        objective = Objective.TOTAL
        model.notes.append("there are no demands: planned for the total instead")
    aim = _AIMS[objective](model)
    limits = replace(limits, seed=seed)
    fallback = ""
    try:
        small = len(model.options) <= EXACT_OPTIONS[objective]
        found = _solve(aim, solver, engine, limits, small=small)
    except SolverFailed as failure:
        fallback = f"{solver} failed ({failure}); planned by value-greedy instead"
        found = plan_greedy(aim)
    rough = solver is Solver.GREEDY or bool(fallback)
    _stay_put(aim, found, None if rough else engine, limits)
    served = demand_served_by(aim, found.choice, None if rough else engine, limits)
    if isinstance(aim, DemandAim):  # Of the very flows that the decision names.
        found.measures = aim.measures_of(served.flows, found.choice)
    decision = _decision(aim, found, objective, seed, fallback, served)
    validate(problem, decision)
    return replace(decision, wall_s=stopwatch() - started_s)


def _member(kind: type[E], value: str, what: str) -> E:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(member.value for member in kind)
        raise PlanError(f"{what} {value!r}; allowed: {allowed}") from None


def _solve(aim: Aim, solver: Solver, engine: Engine, limits: Limits, *, small: bool) -> Found:
    """Plan by the solver asked for; "auto" is the LP, then the exact program where it is quick.

    Each goes on from what the one before has found, and keeps it if it finds nothing better.
    """
    if solver is Solver.GREEDY:
        return plan_greedy(aim)
    total = isinstance(aim, TotalAim)
    exact = solver is not Solver.LP and (small or (total and solver is Solver.MILP))
    found = plan_relaxed(aim, engine, limits, improve=not exact)
    proven = found.bound <= found.measures[0] * (1.0 + limits.relative_gap)
    if proven and total:
        return found
    if exact:
        many = not total and len(bookable(aim.model)) > SMALL
        near = max(limits.relative_gap, NEAR_ENOUGH) if many else limits.relative_gap
        return plan_exact(aim, engine, replace(limits, relative_gap=near), first=found)
    return plan_rolling(aim, engine, limits, first=found) if solver is Solver.MILP else found


def _stay_put(aim: Aim, found: Found, engine: Engine | None, limits: Limits) -> None:
    """Let nothing have moved for no more than its bonus."""

    def first(choice: Choice) -> float:
        if engine is None:
            return aim.rough_measure(choice)[0]
        return aim.first_measure(choice, engine, limits)

    try:
        if put_back(found, first):
            found.measures = (
                aim.rough_measure(found.choice)
                if engine is None
                else aim.measure(found.choice, engine, limits)
            )
    except SolverFailed as failure:
        found.notes += (f"the search for bookings to put back ended: {failure}",)


def _decision(
    aim: Aim, found: Found, objective: Objective, seed: int, fallback: str, served: DemandServed
) -> PlanDecision:
    model, choice = aim.model, found.choice
    chosen = [
        candidate for option, candidate in enumerate(model.options)
        if choice.chosen[option] and option >= model.locked_count
    ]  # fmt: skip
    chosen.sort(key=lambda c: (c.acquires_at, c.candidate_id))
    left_out = left_out_because(model, choice)
    return PlanDecision(
        objective=objective,
        solver=found.solver,
        seed=seed,
        chosen=tuple(chosen),
        booked_because=booked_because(model, choice),
        left_out=left_out,
        dropped=dropped_because(model, choice, left_out),
        value=found.measures[0],
        bound=max(found.bound, found.measures[0]),
        measures=found.measures,
        expected_bits=math.fsum(candidate.expected_bits for candidate in chosen),
        station_bits=_station_bits(model, choice),
        served_bits=served.bits,
        served_share=served.share,
        flows=served.flows,
        link_prices=found.prices,
        fallback=fallback,
        notes=(*model.notes, *found.notes),
    )


def _station_bits(model: Model, choice: Choice) -> dict[str, float]:
    """Expected bits of each station that has any option, locked bookings included."""
    bits: dict[str, list[float]] = defaultdict(list)
    for option, candidate in enumerate(model.options):
        bits[candidate.station_id].append(candidate.expected_bits * choice.chosen[option])
    return {station: math.fsum(bits[station]) for station in sorted(bits)}
