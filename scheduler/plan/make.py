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
from scheduler.plan import linear
from scheduler.plan.check import validate
from scheduler.plan.decision import Objective, PlanDecision, Solver
from scheduler.plan.greedy import Choice
from scheduler.plan.linear import DEFAULT_LIMITS, Engine, Limits, SolverFailed
from scheduler.plan.model import Model, build_model
from scheduler.plan.problem import PlanProblem
from scheduler.plan.reasons import booked_because, dropped_because, left_out_because
from scheduler.plan.total import Found, greedy_total, solve_total

EXACT_OPTIONS = 2000
"""Up to here "auto" goes on to the exact program when rounding leaves a gap: it takes moments."""
E = TypeVar("E", bound=StrEnum)


def make_plan(
    problem: PlanProblem,
    *,
    solver: Solver | str = Solver.AUTO,
    objective: Objective | str = Objective.TOTAL,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    engine: Engine = linear.solve,
    stopwatch: Callable[[], float] = perf_counter,
) -> PlanDecision:
    """Return the sessions to book, validated, with a reason for every candidate.

    Parameters
    ----------
    problem : candidates, rules, and what already stands
    solver : "auto", "greedy", "lp" or "milp"
    objective : "total", "max-min" or "demand"
    seed : of the solver's own choices; one problem and seed give one plan
    limits : of each call of the solver; `seed` overrides theirs
    engine : solves a program; HiGHS, unless a test brings its own
    stopwatch : seconds that pass; only `wall_s` depends on it

    A solver that fails, or ends with anything but an answer, is replaced by value-greedy: the
    decision says so in `fallback`.

    Raises PlanError if locks or pins contradict each other, or the validator rejects the plan.
    """
    started_s = stopwatch()
    wanted = _member(Solver, solver, "solver")
    aim = _member(Objective, objective, "objective")
    model = build_model(problem)
    fallback = ""
    try:
        found = _solve(model, aim, wanted, engine, replace(limits, seed=seed))
    except SolverFailed as failure:
        fallback = f"{wanted} failed ({failure}); planned by value-greedy instead"
        found = greedy_total(model)
    decision = _decision(model, found, aim, seed, fallback)
    validate(problem, decision)
    return replace(decision, wall_s=stopwatch() - started_s)


def _member(kind: type[E], value: str, what: str) -> E:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(member.value for member in kind)
        raise PlanError(f"{what} {value!r}; allowed: {allowed}") from None


def _solve(model: Model, aim: Objective, wanted: Solver, engine: Engine, limits: Limits) -> Found:
    """Hand the model to the solver of this objective."""
    if wanted is Solver.GREEDY:
        return greedy_total(model)
    found = solve_total(model, whole=wanted is Solver.MILP, engine=engine, limits=limits)
    small = len(model.options) <= EXACT_OPTIONS
    if wanted is Solver.AUTO and small and found.bound > found.value * (1.0 + limits.relative_gap):
        return solve_total(model, whole=True, engine=engine, limits=limits)
    return found


def _decision(model: Model, found: Found, aim: Objective, seed: int, fallback: str) -> PlanDecision:
    choice = found.choice
    chosen = [
        candidate for option, candidate in enumerate(model.options)
        if choice.chosen[option] and option >= model.locked_count
    ]  # fmt: skip
    chosen.sort(key=lambda c: (c.acquires_at, c.candidate_id))
    left_out = left_out_because(model, choice)
    return PlanDecision(
        objective=aim,
        solver=found.solver,
        seed=seed,
        chosen=tuple(chosen),
        booked_because=booked_because(model, choice),
        left_out=left_out,
        dropped=dropped_because(model, choice, left_out),
        value=found.value,
        bound=max(found.bound, found.value),
        expected_bits=math.fsum(candidate.expected_bits for candidate in chosen),
        station_bits=_station_bits(model, choice),
        fallback=fallback,
        notes=(*model.notes, *found.notes),
    )


def _station_bits(model: Model, choice: Choice) -> dict[str, float]:
    """Expected bits of each station that has any option, locked bookings included."""
    bits: dict[str, list[float]] = defaultdict(list)
    for option, candidate in enumerate(model.options):
        bits[candidate.station_id].append(candidate.expected_bits * choice.chosen[option])
    return {station: math.fsum(bits[station]) for station in sorted(bits)}
