"""Which passes to book: candidates in, a choice and its proof of quality out. Pure."""

from scheduler.plan.check import faults, validate
from scheduler.plan.decision import Objective, PlanDecision, Solver
from scheduler.plan.linear import Engine, Limits, LinearProgram, Solution, SolverFailed
from scheduler.plan.make import make_plan
from scheduler.plan.problem import PlanProblem, PlanRules

__all__ = [
    "Engine",
    "Limits",
    "LinearProgram",
    "Objective",
    "PlanDecision",
    "PlanProblem",
    "PlanRules",
    "Solution",
    "Solver",
    "SolverFailed",
    "faults",
    "make_plan",
    "validate",
]
