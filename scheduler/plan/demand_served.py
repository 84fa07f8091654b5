"""What the demands get of a plan, whatever it was made for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from scheduler.domain import Candidate
from scheduler.plan.demand import DemandAim
from scheduler.plan.greedy import Choice
from scheduler.plan.model import build_model
from scheduler.plan.problem import PlannedFlow, PlanProblem
from scheduler.plan.staged import Aim
from scheduler.solver import DEFAULT_LIMITS, Engine, Limits, SolverFailed, solve


@dataclass(frozen=True, slots=True)
class DemandServed:
    """End-to-end bits of each demand, and the part of what it wants that they are."""

    bits: dict[str, float] = field(default_factory=dict)
    share: dict[str, float] = field(default_factory=dict)
    flows: tuple[PlannedFlow, ...] = ()
    measures: tuple[float, ...] = ()


def demand_served_by(
    aim: Aim, choice: Choice, engine: Engine | None, limits: Limits
) -> DemandServed:
    """The best flows over a choice by the solver, or in small steps without one (`engine` None)."""
    if not aim.model.problem.demands:
        return DemandServed()
    demand = aim if isinstance(aim, DemandAim) else DemandAim(aim.model)
    if engine is not None:
        try:
            return _served(demand, demand.flows(choice, engine, limits))
        except SolverFailed as failure:
            aim.model.notes.append(f"demand served is a low estimate: {failure}")
    return _served(demand, demand.rough_flows(choice))


def demand_served(
    problem: PlanProblem,
    chosen: tuple[Candidate, ...],
    *,
    engine: Engine = solve,
    limits: Limits = DEFAULT_LIMITS,
) -> DemandServed:
    """Return what any set of bookings serves of the demands, by the best flows over them.

    `measures` are those of the demand objective, so that plans made for different objectives
    can be compared. Raises SolverFailed if the solver does.
    """
    model = build_model(problem)
    names = {candidate.candidate_id for candidate in chosen}
    choice = Choice(model)
    for option, candidate in enumerate(model.options):
        if candidate.candidate_id in names and not choice.chosen[option]:
            choice.take(option)
    aim = DemandAim(model)
    measures = aim.measure(choice, engine, limits)
    return replace(_served(aim, aim.flows(choice, engine, limits)), measures=measures)


def _served(aim: DemandAim, flows: list[PlannedFlow]) -> DemandServed:
    bits = aim.served(flows)
    wanted = {w.demand.demand_id: w.bits for w in aim.wanted}
    share = {name: min(1.0, bits[name] / wanted[name]) if name in wanted else 0.0 for name in bits}
    return DemandServed(bits, share, tuple(flows))
