"""Which passes to book: candidates in, a choice and its proof of quality out. Pure."""

from scheduler.plan.check import faults, validate
from scheduler.plan.decision import Objective, PlanDecision, PlannedFlow, Solver
from scheduler.plan.explain import Bar, BarKind, explain, timeline
from scheduler.plan.linear import Engine, Limits, LinearProgram, Solution, SolverFailed
from scheduler.plan.make import make_plan
from scheduler.plan.parts import PartForecast, part_of, with_parts
from scheduler.plan.problem import PlanProblem, PlanRules
from scheduler.plan.served import Served, demand_served

__all__ = [
    "Bar",
    "BarKind",
    "Engine",
    "Limits",
    "LinearProgram",
    "Objective",
    "PartForecast",
    "PlanDecision",
    "PlanProblem",
    "PlanRules",
    "PlannedFlow",
    "Served",
    "Solution",
    "Solver",
    "SolverFailed",
    "demand_served",
    "explain",
    "faults",
    "make_plan",
    "part_of",
    "timeline",
    "validate",
    "with_parts",
]
