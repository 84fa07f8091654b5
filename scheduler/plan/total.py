"""The most expected bits in all: LP over the rows, rounded, or the exact program."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scheduler.plan.bounds import bound_by_resource
from scheduler.plan.decision import Solver
from scheduler.plan.greedy import Choice, by_value, greedy
from scheduler.plan.linear import Engine, Floats, Limits, LinearProgram
from scheduler.plan.model import Model

WHOLE = 1.0 - 1e-6  # at or above this, an LP value counts as booked


@dataclass(slots=True)
class Found:
    """A choice, the value of its objective and what no choice can exceed."""

    choice: Choice
    value: float
    bound: float
    solver: Solver
    notes: tuple[str, ...] = ()


def greedy_total(model: Model) -> Found:
    """Value-greedy, with the bound of planning each resource by itself."""
    choice = greedy(model)
    return Found(choice, choice.value(), bound_by_resource(model), Solver.GREEDY)


def solve_total(model: Model, *, whole: bool, engine: Engine, limits: Limits) -> Found:
    """LP with rounding, or with `whole` the exact program. Raises SolverFailed."""
    columns = [i for i, is_open in enumerate(model.open) if is_open and model.value[i] > 0.0]
    choice = Choice(model)
    held = choice.value()
    solver = Solver.MILP if whole else Solver.LP
    if not columns:
        return Found(choice, held, held, solver)
    program = packing(model, columns, choice.room, whole=whole)
    solution = engine(program, limits)
    x = np.zeros(len(model.options))
    x[columns] = solution.x
    if whole:
        choice.fill(int(i) for i in np.flatnonzero(x > 0.5))
        choice.fill(by_value(model))
    else:
        choice = rounded(model, x, engine=engine, limits=limits)
    notes = () if solution.optimal else (f"the solver stopped early: {solution.status}",)
    value = choice.value()
    return Found(choice, value, max(held + solution.bound, value), solver, notes)


def packing(
    model: Model, columns: list[int], room: list[int], *, whole: bool = False
) -> LinearProgram:
    """The program of the named options: most value, within the room that each row has left."""
    program = LinearProgram()
    index: dict[int, int] = {}
    for option in columns:
        index[option] = program.column(float(model.value[option]), upper=1.0, whole=whole)
    add_rows(program, model, index, room)
    return program


def add_rows(program: LinearProgram, model: Model, index: dict[int, int], room: list[int]) -> None:
    """Add the model's rows to a program whose columns `index` gives by option."""
    everything = len(index) == len(model.options)
    for row, members in enumerate(model.rows.members):
        terms = [index[i] for i in members if everything or i in index]
        if len(terms) > room[row]:
            program.at_most(terms, room[row])


def rounded(model: Model, x: Floats, *, engine: Engine, limits: Limits) -> Choice:
    """Book what the LP books whole, then the best of what is left, exactly if it can be.

    The LP leaves fractions in a few hundred options that hang together in small groups; the
    exact program over those is quick, and the larger of its answer and greedy's is taken.
    """
    base = Choice(model)
    base.fill(i for i in by_value(model, x) if x[i] >= WHOLE)
    quick = copy_of(base)
    quick.fill(by_value(model, x))
    rest = [
        i for i, is_open in enumerate(model.open)
        if is_open and model.value[i] > 0.0 and not base.chosen[i] and base.fits(i)
    ]  # fmt: skip
    if not rest:
        return quick
    program = packing(model, rest, base.room, whole=True)
    solution = engine(program, replace(limits, interior_point=False))
    base.fill(rest[k] for k in np.flatnonzero(solution.x > 0.5))
    base.fill(by_value(model, x))
    return base if base.value() >= quick.value() else quick


def copy_of(choice: Choice) -> Choice:
    """A second choice that starts from the same bookings."""
    other = Choice(choice.model)
    for option, chosen in enumerate(choice.chosen):
        if chosen and not other.chosen[option]:
            other.take(option)
    return other
