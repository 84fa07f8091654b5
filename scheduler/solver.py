"""Linear and mixed-integer programs, and the only place that calls HiGHS."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
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

PRESOLVE_MAX = 150_000
"""Columns above which a linear program is solved as it is: of 308,000 presolve took away one in a
hundred, a fifth of the time, and 150 MB."""
FEASIBILITY = 1e-7  # HiGHS default primal and dual feasibility tolerance


class SolverFailed(Exception):
    """The solver gave no usable answer; the message holds its status."""


@dataclass(slots=True, eq=False)
class LinearProgram:
    """Maximise `cost @ x` with column bounds and `row_lower <= A x <= row_upper`.

    Built once and solved often: costs and bounds may change between two calls, and columns and
    rows may be added; the solver then goes on from where it was. For one thread at a time.
    """

    cost: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    row_lower: list[float] = field(default_factory=list)
    row_upper: list[float] = field(default_factory=list)
    entry_rows: array[int] = field(default_factory=lambda: array("i"))
    entry_columns: array[int] = field(default_factory=lambda: array("i"))
    factors: array[float] = field(default_factory=lambda: array("d"))
    start: Floats | Mapping[int, float] | None = None
    """Of a program with whole columns: a solution to begin from, or part of one by column."""
    passed: Any = None  #: the solver's own copy, and how much of this it has seen

    def column(
        self,
        cost: float = 0.0,
        *,
        lower: float = 0.0,
        upper: float = math.inf,
        whole: bool = False,
        terms: Iterable[tuple[int, float]] = (),
    ) -> int:
        """Add a variable, with (row, factor) terms in rows that are there; returns its index."""
        self.cost.append(cost)
        self.lower.append(lower)
        self.upper.append(upper)
        self.whole.append(whole)
        index = len(self.cost) - 1
        for row, factor in terms:
            self.entry_rows.append(row)
            self.entry_columns.append(index)
            self.factors.append(factor)
        return index

    def row(
        self,
        terms: Iterable[tuple[int, float]] = (),
        *,
        lower: float = -math.inf,
        upper: float = math.inf,
    ) -> int:
        """Add a row of (column, factor) terms; returns its index."""
        self.row_lower.append(lower)
        self.row_upper.append(upper)
        index = len(self.row_lower) - 1
        for column, factor in terms:
            self.entry_rows.append(index)
            self.entry_columns.append(column)
            self.factors.append(factor)
        return index

    def at_most(self, members: Sequence[int], upper: float) -> int:
        """Add the row that at most `upper` of the named columns are one."""
        index = self.row(upper=upper)
        self.entry_rows.extend([index] * len(members))
        self.entry_columns.extend(members)
        self.factors.extend([1.0] * len(members))
        return index

    def maximise(self, aim: Mapping[int, float], scale: float = 1.0) -> None:
        """Set the costs: those of `aim` (column: factor) times `scale`, and nothing else."""
        self.cost = [0.0] * len(self.cost)
        for column, factor in aim.items():
            self.cost[column] = factor * scale


@dataclass(frozen=True, slots=True)
class Solution:
    """An answer of the solver: optimal, or the best found within its limits."""

    x: Floats
    objective: float
    bound: float  #: no solution can exceed it
    row_duals: Floats  #: gain of the objective for one more unit of a row's limit; LP only
    optimal: bool
    status: str
    iterations: int = 0  #: of simplex that it took, the search tree's included


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a single call of the solver may cost, in work that is counted.

    A limit that is reached is reported, never hidden, and reached at the same place by every run
    of one problem. Seconds only abort: a call that takes longer has no answer at all.
    """

    nodes: int = 5_000  #: of the search tree; the best found until then counts
    iterations: int = 10_000_000  #: of simplex, in a program without whole columns
    abort_s: float = 600.0
    relative_gap: float = 1e-6
    seed: int = 0
    interior_point: bool = False


DEFAULT_LIMITS = Limits()
Engine = Callable[[LinearProgram, Limits], Solution]
"""Solves a program, or raises SolverFailed."""


def solve(program: LinearProgram, limits: Limits) -> Solution:
    """Solve with HiGHS. Raises SolverFailed for any end but optimal or a limit with an answer."""
    with _ONE_AT_A_TIME:
        if program.passed is None:
            program.passed = _Passed()
        passed: _Passed = program.passed
        passed.catch_up(program)
        return passed.solve(program, limits)


class _Passed:
    """A program as HiGHS holds it."""

    def __init__(self) -> None:
        import highspy  # 50 ms that only a plan needs

        self._highspy: Any = highspy  # It has no types of its own.
        self._highs = self._highspy.Highs()
        self._set("output_flag", False)
        self._set("threads", THREADS)
        self._set("mip_abs_gap", 1e-9)
        self._set("mip_feasibility_tolerance", 1e-6)
        self._columns = self._rows = self._entries = 0
        self._bounds: list[Floats] = []
        self._warm = False

    def _set(self, name: str, value: object) -> None:
        self._check(self._highs.setOptionValue(name, value), f"option {name} = {value}")

    def _check(self, status: Any, what: str) -> None:
        if status == self._highspy.HighsStatus.kError:
            raise SolverFailed(f"HiGHS refuses {what}")

    def catch_up(self, program: LinearProgram) -> None:
        """Pass on what is new since the last call."""
        highspy = self._highspy
        cost = np.asarray(program.cost, dtype=np.float64)
        bounds = [
            np.clip(np.asarray(values, dtype=np.float64), -highspy.kHighsInf, highspy.kHighsInf)
            for values in (program.lower, program.upper, program.row_lower, program.row_upper)
        ]
        if not self._columns:
            self._check(self._highs.passModel(self._model(program, cost, bounds)), "the program")
        else:
            self._change(cost, bounds)
            self._extend(program, cost, bounds)
        self._columns, self._rows = len(program.cost), len(program.row_lower)
        self._entries, self._bounds = len(program.factors), bounds

    def _model(self, program: LinearProgram, cost: Floats, bounds: Sequence[Floats]) -> Any:
        model = self._highspy.HighsLp()
        model.num_col_, model.num_row_ = len(program.cost), len(program.row_lower)
        model.sense_ = self._highspy.ObjSense.kMaximize
        model.col_cost_ = cost
        model.col_lower_, model.col_upper_, model.row_lower_, model.row_upper_ = bounds
        starts, columns, factors = _by_row(program, 0, 0)
        model.a_matrix_.format_ = self._highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.append(starts, np.int32(len(columns)))
        model.a_matrix_.index_, model.a_matrix_.value_ = columns, factors
        if any(program.whole):
            kinds = self._highspy.HighsVarType
            model.integrality_ = [
                kinds.kInteger if whole else kinds.kContinuous for whole in program.whole
            ]
        return model

    def _change(self, cost: Floats, bounds: Sequence[Floats]) -> None:
        """New costs and bounds of the columns and rows that HiGHS has already."""
        every = np.arange(self._columns, dtype=np.int32)
        self._check(self._highs.changeColsCost(len(every), every, cost[every]), "the costs")
        for change, first, second, count in (
            (self._highs.changeColsBounds, 0, 1, self._columns),
            (self._highs.changeRowsBounds, 2, 3, self._rows),
        ):
            lower, upper = bounds[first][:count], bounds[second][:count]
            new = (lower != self._bounds[first]) | (upper != self._bounds[second])
            at = np.flatnonzero(new).astype(np.int32)
            if len(at):
                self._check(change(len(at), at, lower[at], upper[at]), "the bounds")

    def _extend(self, program: LinearProgram, cost: Floats, bounds: Sequence[Floats]) -> None:
        new = slice(self._columns, len(cost))
        count = len(cost) - self._columns
        if count:
            assert not any(program.whole[new]), "whole columns are there from the beginning"
            starts, rows, factors = _by_column(program, self._entries, self._columns, self._rows)
            self._check(
                self._highs.addCols(
                    count, cost[new], bounds[0][new], bounds[1][new],
                    len(rows), starts, rows, factors,
                ),
                "new columns",
            )  # fmt: skip
        count = len(program.row_lower) - self._rows
        if count:
            new = slice(self._rows, len(program.row_lower))
            starts, columns, factors = _by_row(program, self._entries, self._rows)
            self._check(
                self._highs.addRows(
                    count, bounds[2][new], bounds[3][new], len(columns), starts, columns, factors
                ),
                "new rows",
            )

    def solve(self, program: LinearProgram, limits: Limits) -> Solution:
        """Run HiGHS and read its answer."""
        whole = any(program.whole)
        self._set("random_seed", limits.seed)
        # HiGHS adds up the time of all runs of one object.
        self._set("time_limit", self._highs.getRunTime() + limits.abort_s)
        self._set("mip_max_nodes", limits.nodes)
        self._set("simplex_iteration_limit", limits.iterations)
        self._set("mip_rel_gap", limits.relative_gap)
        self._set("solver", "ipm" if limits.interior_point and not whole else "choose")
        self._set("presolve", "choose" if whole or len(program.cost) <= PRESOLVE_MAX else "off")
        if whole and program.start is not None:
            self._start(program)
        self._highs.run()
        statuses = self._highspy.HighsModelStatus
        ended = {statuses.kOptimal, statuses.kModelEmpty, statuses.kTimeLimit}
        if self._warm and not whole and self._highs.getModelStatus() not in ended:
            # From the last basis HiGHS can end with no status at all, where amounts differ by
            # orders of magnitude; from none it does not.
            self._highs.clearSolver()
            self._highs.run()
        self._warm = True
        return self._answer(program, self._highs.getModelStatus(), whole=whole)

    def _start(self, program: LinearProgram) -> None:
        assert program.start is not None
        if isinstance(program.start, Mapping):
            columns = np.array(list(program.start), dtype=np.int32)
            values = np.array(list(program.start.values()), dtype=np.float64)
            self._highs.setSolution(len(columns), columns, values)
            return
        first = self._highspy.HighsSolution()
        first.col_value = list(program.start)
        self._highs.setSolution(first)

    def _answer(self, program: LinearProgram, status: Any, *, whole: bool) -> Solution:
        statuses, info = self._highspy.HighsModelStatus, self._highs.getInfo()
        name = self._highs.modelStatusToString(status)
        if status == statuses.kModelEmpty:
            return Solution(np.zeros(0), 0.0, 0.0, np.zeros(len(program.row_lower)), True, name)
        optimal = status == statuses.kOptimal
        found = info.primal_solution_status == self._highspy.SolutionStatus.kSolutionStatusFeasible
        if not optimal and not (whole and found and status == statuses.kSolutionLimit):
            raise SolverFailed(f"HiGHS ended with status {name!r}")
        answer = self._highs.getSolution()
        x = np.array(answer.col_value, dtype=np.float64)
        if x.shape != (len(program.cost),) or not np.all(np.isfinite(x)):
            raise SolverFailed(
                f"HiGHS status {name!r}, but no values for {len(program.cost)} columns"
            )
        objective = float(np.dot(program.cost, x))
        bound = float(info.mip_dual_bound) if whole else objective
        duals = np.zeros(0) if whole else np.array(answer.row_dual, dtype=np.float64)
        spent = int(info.simplex_iteration_count)
        return Solution(x, objective, max(bound, objective), duals, optimal, name, spent)


def _by_row(program: LinearProgram, entries: int, rows: int) -> tuple[Ints, Ints, Floats]:
    """Starts, columns and factors of all rows from `rows` on, of entries from `entries` on."""
    row, column, factor = _entries(program, entries)
    mine = row >= rows
    return _grouped(row[mine] - rows, column[mine], factor[mine], len(program.row_lower) - rows)


def _by_column(
    program: LinearProgram, entries: int, columns: int, rows: int
) -> tuple[Ints, Ints, Floats]:
    """The same of all columns from `columns` on, in the rows before `rows`."""
    row, column, factor = _entries(program, entries)
    mine = row < rows
    assert np.all(column[mine] >= columns), "an entry cannot change"
    return _grouped(column[mine] - columns, row[mine], factor[mine], len(program.cost) - columns)


def _entries(program: LinearProgram, first: int) -> tuple[Ints, Ints, Floats]:
    return (
        np.array(program.entry_rows[first:], dtype=np.int32),
        np.array(program.entry_columns[first:], dtype=np.int32),
        np.array(program.factors[first:], dtype=np.float64),
    )


def _grouped(group: Ints, index: Ints, factor: Floats, count: int) -> tuple[Ints, Ints, Floats]:
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group, minlength=count)
    starts = np.concatenate([[0], np.cumsum(sizes)])[:count].astype(np.int32)
    return starts, index[order], factor[order]
