"""Which passes to book: candidates in, a choice and its proof of quality out. Pure."""

from scheduler.plan.check import faults, validate
from scheduler.plan.decision import Objective, PlanDecision, Solver
from scheduler.plan.linear import Engine, Limits, LinearProgram, Solution, SolverFailed
from scheduler.plan.make import make_plan
from scheduler.plan.problem import PlanProblem, PlanRules
from scheduler.plan.served import Served, demand_served

__all__ = [
    "Engine",
    "Limits",
    "LinearProgram",
    "Objective",
    "PlanDecision",
    "PlanProblem",
    "PlanRules",
    "Served",
    "Solution",
    "Solver",
    "SolverFailed",
    "demand_served",
    "faults",
    "make_plan",
    "validate",
]
