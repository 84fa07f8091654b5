"""Linear and mixed-integer programs, and the one place that calls HiGHS."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

THREADS = 1
"""HiGHS sizes its thread pool once a process: a later call with another number returns nothing,
silently. So there is one number, and one call at a time."""
_ONE_AT_A_TIME = Lock()

FEASIBILITY = 1e-7  # HiGHS default primal feasibility tolerance


class SolverFailed(Exception):
    """The solver gave no usable answer; the message holds its status."""


@dataclass(slots=True)
class LinearProgram:
    """Maximise `cost @ x` with column bounds and `row_lower <= A x <= row_upper`.

    Columns and rows are added one block at a time; A is kept by row.
    """

    cost: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    row_lower: list[float] = field(default_factory=list)
    row_upper: list[float] = field(default_factory=list)
    row_starts: list[int] = field(default_factory=lambda: [0])
    columns: list[int] = field(default_factory=list)
    factors: list[float] = field(default_factory=list)
    start: Floats | None = None  #: a solution to begin from; it may miss the newest row a little

    def column(
        self, cost: float = 0.0, *, lower: float = 0.0, upper: float = math.inf, whole: bool = False
    ) -> int:
        """Add a variable; returns its index."""
        self.cost.append(cost)
        self.lower.append(lower)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.cost) - 1

    def row(
        self,
        terms: Iterable[tuple[int, float]],
        *,
        lower: float = -math.inf,
        upper: float = math.inf,
    ) -> int:
        """Add a row of (column, factor) terms; returns its index."""
        for column, factor in terms:
            self.columns.append(column)
            self.factors.append(factor)
        self.row_starts.append(len(self.columns))
        self.row_lower.append(lower)
        self.row_upper.append(upper)
        return len(self.row_lower) - 1

    def at_most(self, members: Sequence[int], upper: float) -> int:
        """Add the row that at most `upper` of the named columns are one."""
        self.columns.extend(members)
        self.factors.extend([1.0] * len(members))
        self.row_starts.append(len(self.columns))
        self.row_lower.append(-math.inf)
        self.row_upper.append(upper)
        return len(self.row_lower) - 1


@dataclass(frozen=True, slots=True)
class Solution:
    """An answer of the solver: optimal, or the best found within its limits."""

    x: Floats
    objective: float
    bound: float  #: no solution can exceed it
    row_duals: Floats  #: gain of the objective for one more unit of a row's limit; LP only
    optimal: bool
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a single call of the solver may cost; reaching one is reported, never hidden."""

    time_s: float = 60.0
    nodes: int = 5_000
    relative_gap: float = 1e-6
    seed: int = 0
    interior_point: bool = False


DEFAULT_LIMITS = Limits()
Engine = Callable[[LinearProgram, Limits], Solution]
"""Solves a program, or raises SolverFailed."""


def solve(program: LinearProgram, limits: Limits) -> Solution:
    """Solve with HiGHS. Raises SolverFailed for any status but optimal or a limit with an answer.

    The import is here because every command line would otherwise pay for it.
    """
    try:
        import highspy
    except ImportError as error:
        raise SolverFailed(f"highspy cannot be imported: {error}") from error
    with _ONE_AT_A_TIME:
        return _run(highspy, program, limits)


def _run(highspy: Any, program: LinearProgram, limits: Limits) -> Solution:
    highs = highspy.Highs()
    whole = any(program.whole)
    for name, value in {
        "output_flag": False,
        "threads": THREADS,
        "random_seed": limits.seed,
        "time_limit": limits.time_s,
        "mip_max_nodes": limits.nodes,
        "mip_rel_gap": limits.relative_gap,
        "mip_abs_gap": 1e-9,
        "solver": "ipm" if limits.interior_point and not whole else "choose",
    }.items():
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise SolverFailed(f"HiGHS refuses option {name} = {value}")
    if highs.passModel(_highs_lp(highspy, program)) == highspy.HighsStatus.kError:
        raise SolverFailed("HiGHS refuses the program")
    if whole and program.start is not None:
        first = highspy.HighsSolution()
        first.col_value = list(program.start)
        highs.setSolution(first)
    highs.run()
    status = highs.getModelStatus()
    name = highs.modelStatusToString(status)
    info = highs.getInfo()
    optimal = status == highspy.HighsModelStatus.kOptimal
    stopped = status in {
        highspy.HighsModelStatus.kTimeLimit,
        highspy.HighsModelStatus.kSolutionLimit,
        highspy.HighsModelStatus.kIterationLimit,
    }
    feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    if not optimal and not (stopped and whole and feasible):
        raise SolverFailed(f"HiGHS ended with status {name!r}")
    answer = highs.getSolution()
    x = np.array(answer.col_value, dtype=np.float64)
    if x.shape != (len(program.cost),) or not np.all(np.isfinite(x)):
        raise SolverFailed(f"HiGHS status {name!r}, but no values for {len(program.cost)} columns")
    objective = float(np.dot(program.cost, x))
    bound = float(info.mip_dual_bound) if whole else objective
    duals = np.zeros(0) if whole else np.array(answer.row_dual, dtype=np.float64)
    return Solution(x, objective, max(bound, objective), duals, optimal, name)


def _highs_lp(highspy: Any, program: LinearProgram) -> Any:
    model = highspy.HighsLp()
    model.num_col_ = len(program.cost)
    model.num_row_ = len(program.row_lower)
    model.sense_ = highspy.ObjSense.kMaximize
    infinity = highspy.kHighsInf
    model.col_cost_ = np.asarray(program.cost, dtype=np.float64)
    model.col_lower_ = _bounds(program.lower, infinity)
    model.col_upper_ = _bounds(program.upper, infinity)
    model.row_lower_ = _bounds(program.row_lower, infinity)
    model.row_upper_ = _bounds(program.row_upper, infinity)
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.asarray(program.row_starts, dtype=np.int32)
    model.a_matrix_.index_ = np.asarray(program.columns, dtype=np.int32)
    model.a_matrix_.value_ = np.asarray(program.factors, dtype=np.float64)
    if any(program.whole):
        kinds = highspy.HighsVarType
        model.integrality_ = [
            kinds.kInteger if whole else kinds.kContinuous for whole in program.whole
        ]
    return model


def _bounds(values: Sequence[float], infinity: float) -> Floats:
    return np.clip(np.asarray(values, dtype=np.float64), -infinity, infinity)
