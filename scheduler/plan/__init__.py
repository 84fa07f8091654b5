"""Which passes to book: candidates in, a choice and its proof of quality out. Pure."""

from scheduler.plan.check import faults, validate
from scheduler.plan.demand_served import DemandServed, demand_served
from scheduler.plan.explain import Bar, BarKind, explain, timeline
from scheduler.plan.make import make_plan
from scheduler.plan.parts import Part, PartForecasts, outside_quiet, part_of, with_parts
from scheduler.plan.problem import (
    Objective,
    PlanDecision,
    PlannedFlow,
    PlanProblem,
    PlanRules,
    Solver,
)
from scheduler.solver import Engine, Limits, LinearProgram, Solution, SolverFailed

__all__ = [
    "Bar",
    "BarKind",
    "DemandServed",
    "Engine",
    "Limits",
    "LinearProgram",
    "Objective",
    "Part",
    "PartForecasts",
    "PlanDecision",
    "PlanProblem",
    "PlanRules",
    "PlannedFlow",
    "Solution",
    "Solver",
    "SolverFailed",
    "demand_served",
    "explain",
    "faults",
    "make_plan",
    "outside_quiet",
    "part_of",
    "timeline",
    "validate",
    "with_parts",
]
