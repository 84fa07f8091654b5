"""Programs with several aims in order, and the ways to get whole bookings out of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from scheduler.plan.decision import Solver
from scheduler.plan.greedy import Choice, by_value
from scheduler.plan.model import Model
from scheduler.solver import Engine, Floats, Limits, LinearProgram, Solution, SolverFailed

WHOLE = 1.0 - 1e-6  # at or above this, an LP value counts as booked
SLACK, SLACK_WHOLE = 1e-8, 1e-6
"""Part of one aim that the next may give up, in an LP and with whole columns. HiGHS keeps whole
numbers only to 1e-6: with a tenth of that, one in some hundred small programs had no second stage.
"""

TIES = 1e-4
GOOD_ENOUGH = 0.002  # gap to the LP's bound below which looking further does not pay
ROUNDS_MAX, FREE_MAX, NODES_MAX = 20, 1500, 300  # of a neighbourhood search; a program's options

BLEND_FROM = 5000  # options; below, one aim after the other is quick
BLEND_SCALE = 1000.0  # keeps blended costs above 1e-7, HiGHS's dual tolerance


@dataclass(slots=True)
class Built:
    """A program, the options behind its columns, and its aims, the first one first."""

    program: LinearProgram
    columns: Mapping[int, int]  #: option: column
    aims: Sequence[Mapping[int, float]]  #: each: column: factor, to be maximised
    constants: Sequence[float]  #: of each aim, in the program's unit
    unit: float = 1.0  #: of the first aim
    blend: float = 0.0  #: of the last aim into the first, in a large LP; 0 for none
    price_aim: int = 0  #: the aim that prices are counted in
    link_rows: Mapping[str, int] = field(default_factory=dict)  #: pool_id: row of its first stock


class Aim(Protocol):
    """What a plan is for; measures are tuples, compared one after the other."""

    model: Model

    def build(self, columns: Sequence[int], choice: Choice, whole: frozenset[int]) -> Built:
        """The program over `columns`, those in `whole` integer, on top of what is chosen."""

    def measure(self, choice: Choice, engine: Engine, limits: Limits) -> tuple[float, ...]:
        """How well a finished choice does."""

    def weak_options(
        self, choice: Choice, groups: int, engine: Engine, limits: Limits
    ) -> list[int]:
        """The options of so many of the groups that do worst; none if there are no groups."""

    def greedy(self) -> Choice:
        """A choice without any solver."""

    def rough_measure(self, choice: Choice) -> tuple[float, ...]:
        """How well a finished choice does at least, without any solver."""

    def rough_bound(self) -> float:
        """What the first measure cannot exceed, without any solver."""


@dataclass(slots=True)
class Found:
    """A choice, how well it does, and what its first measure cannot exceed."""

    choice: Choice
    measures: tuple[float, ...]
    bound: float
    solver: Solver
    notes: tuple[str, ...] = ()
    prices: Mapping[str, float] = field(default_factory=dict)


def in_stages(
    built: Built, engine: Engine, limits: Limits, *, above: float = -math.inf
) -> list[Solution]:
    """Maximise the aims in order, each held while the next is improved. Raises SolverFailed.

    Stops after the first if that is not above `above`. The last of several only breaks ties, so
    with whole columns it need come no nearer than `TIES`.

    In a large LP the first aim is blended with a little of the last: alone, a least share leaves
    nearly every column free, and simplex walks for minutes where it then takes seconds.
    """
    program = built.program
    whole = any(program.whole)
    slack = SLACK_WHOLE if whole else SLACK
    found: list[Solution] = []
    for number, aim in enumerate(built.aims):
        if number == 0 and built.blend and not whole and len(built.columns) > BLEND_FROM:
            found.append(_blended(built, engine, limits))
        else:
            program.maximise(aim)
            last = 0 < number == len(built.aims) - 1
            near = replace(limits, relative_gap=max(TIES, limits.relative_gap))
            found.append(engine(program, near if last else limits))
        if found[0].objective <= above:
            break
        program.start = found[-1].x
        if number + 1 < len(built.aims):
            reached = sum(factor * float(found[-1].x[column]) for column, factor in aim.items())
            program.row(list(aim.items()), lower=reached - slack * max(1.0, abs(reached)))
    return found


def _blended(built: Built, engine: Engine, limits: Limits) -> Solution:
    """The first aim, with a little of the last; its bound is too high by no more than that."""
    built.program.maximise(built.aims[-1], built.blend * BLEND_SCALE)
    for column, factor in built.aims[0].items():
        built.program.cost[column] = factor * BLEND_SCALE
    solution = engine(built.program, limits)
    return replace(
        solution,
        objective=sum(f * float(solution.x[c]) for c, f in built.aims[0].items()),
        bound=solution.bound / BLEND_SCALE,
    )


def plan_greedy(aim: Aim) -> Found:
    """The choice without a solver, with a bound that needs none either."""
    choice = aim.greedy()
    measures = aim.rough_measure(choice)
    return Found(choice, measures, aim.rough_bound(), Solver.GREEDY)


def plan_exact(aim: Aim, engine: Engine, limits: Limits) -> Found:
    """All bookings whole at once: optimal, unless a limit is reached. Raises SolverFailed."""
    choice = Choice(aim.model)
    columns = bookable(aim.model)
    built = aim.build(columns, choice, frozenset(columns))
    stages = in_stages(built, engine, limits)
    choice.fill(i for i, column in built.columns.items() if stages[-1].x[column] > 0.5)
    choice.fill(by_value(aim.model))
    return _found(aim, choice, stages, built, Solver.MILP, engine, limits)


def link_prices(aim: Aim, engine: Engine, limits: Limits) -> dict[str, float]:
    """What one more bit on each link is worth, by the LP's duals. Raises SolverFailed."""
    built = aim.build(bookable(aim.model), Choice(aim.model), frozenset())
    return _prices(built, in_stages(built, engine, limits)) if built.link_rows else {}


def plan_relaxed(aim: Aim, engine: Engine, limits: Limits) -> Found:
    """The LP, then whole bookings near it. Raises SolverFailed.

    The LP leaves fractions in a few hundred options that hang together in small groups. What it
    books whole stays; the exact program over what still fits is quick.
    """
    model = aim.model
    built = aim.build(bookable(model), Choice(model), frozenset())
    stages = in_stages(built, engine, limits)
    x = np.zeros(len(model.options))
    for option, column in built.columns.items():
        x[option] = stages[-1].x[column]
    notes: list[str] = []
    choice = rounded(aim, x, engine, limits, notes)
    choice = improved(aim, choice, stages[0].bound * built.unit, engine, limits)
    found = _found(aim, choice, stages, built, Solver.LP, engine, limits)
    found.notes += tuple(notes)
    found.prices = _prices(built, stages)
    return found


def rounded(aim: Aim, x: Floats, engine: Engine, limits: Limits, notes: list[str]) -> Choice:
    """Book what the LP books whole, then the best of what still fits, by the exact program.

    If that program has no answer, the order of the LP decides, and a note says so.
    """
    model = aim.model
    order = by_value(model, x)
    choice = Choice(model)
    choice.fill(i for i in order if x[i] >= WHOLE)
    rest = [i for i in bookable(model) if not choice.chosen[i] and choice.fits(i)]
    if rest:
        built = aim.build(rest, choice, frozenset(rest))
        try:
            x_whole = in_stages(built, engine, limits)[-1].x
        except SolverFailed as failure:
            notes.append(f"rounded in the order of the LP, the exact program failed: {failure}")
        else:
            choice.fill(i for i, column in built.columns.items() if x_whole[column] > 0.5)
    choice.fill(order)
    return choice


def improved(aim: Aim, choice: Choice, bound: float, engine: Engine, limits: Limits) -> Choice:
    """Book again, exactly, the groups that do worst and whatever clashes with them.

    Rounding costs a total little, but may cost a least share much: on 2 nights of 6 satellites
    over 8 stations 9 %. Ends at a gap of `GOOD_ENOUGH`, or when no neighbourhood helps.
    """
    model, groups, tried = aim.model, 1, 0
    measures = aim.measure(choice, engine, limits)
    few = replace(limits, nodes=min(limits.nodes, NODES_MAX))
    for _ in range(ROUNDS_MAX):
        if measures[0] >= bound * (1.0 - GOOD_ENOUGH):
            break
        weak = aim.weak_options(choice, groups, engine, limits)
        base, free = _freed(choice, weak)
        if len(weak) == tried or len(free) > FREE_MAX:
            break
        tried = len(weak)
        built = aim.build(free, base, frozenset(free))
        enough = measures[0] * (1.0 + SLACK_WHOLE) / built.unit - built.constants[0]
        try:
            stages = in_stages(built, engine, few, above=enough)
        except SolverFailed:  # the choice stands, and the LP's bound with it
            break
        base.fill(i for i, column in built.columns.items() if stages[-1].x[column] > 0.5)
        base.fill(by_value(model))
        other = aim.measure(base, engine, limits)
        if other[0] > measures[0] * (1.0 + SLACK_WHOLE):
            choice, measures, groups, tried = base, other, 1, 0
        else:
            groups *= 2
    return choice


def _freed(choice: Choice, weak: Sequence[int]) -> tuple[Choice, list[int]]:
    """A choice without what the weak options are or clash with, and what then fits."""
    model = choice.model
    rows = {row for option in weak for row in model.rows_of[option]}
    given_up = {i for row in rows for i in model.rows.members[row]} | set(weak)
    base = Choice(model)
    for option, chosen in enumerate(choice.chosen):
        if chosen and not model.fixed[option] and option not in given_up:
            base.take(option)
    return base, [i for i in bookable(model) if not base.chosen[i] and base.fits(i)]


def plan_rolling(aim: Aim, engine: Engine, limits: Limits) -> Found:
    """Whole bookings one UTC day at a time: later days relaxed, earlier ones as decided.

    The bound is that of the first day's program, in which every later day is relaxed.
    """
    model = aim.model
    days: dict[str, list[int]] = {}
    for option in bookable(model):
        days.setdefault(f"{model.options[option].acquires_at:%Y-%m-%d}", []).append(option)
    choice = Choice(model)
    first: tuple[list[Solution], Built] | None = None
    notes: list[str] = []
    for day in sorted(days):
        rest = [i for d in sorted(days) if d >= day for i in days[d] if choice.fits(i)]
        today = frozenset(i for i in days[day] if choice.fits(i))
        if not today:
            continue
        built = aim.build(rest, choice, today)
        stages = in_stages(built, engine, limits)
        notes += [f"{day}: the solver stopped early: {s.status}" for s in stages if not s.optimal]
        choice.fill(i for i in sorted(today) if stages[-1].x[built.columns[i]] > 0.5)
        first = first or (stages, built)
    choice.fill(by_value(model))
    if first is not None:
        choice = improved(aim, choice, first[0][0].bound * first[1].unit, engine, limits)
    if first is None:
        return plan_exact(aim, engine, limits)
    found = _found(aim, choice, *first, Solver.MILP, engine, limits)
    found.notes = tuple(notes)
    return found


def bookable(model: Model) -> list[int]:
    """Open options that are worth anything."""
    return [i for i, is_open in enumerate(model.open) if is_open and model.value[i] > 0.0]


def _found(
    aim: Aim,
    choice: Choice,
    stages: Sequence[Solution],
    built: Built,
    solver: Solver,
    engine: Engine,
    limits: Limits,
) -> Found:
    measures = aim.measure(choice, engine, limits)
    bound = max(measures[0], (stages[0].bound + built.constants[0]) * built.unit)
    notes = tuple(f"the solver stopped early: {s.status}" for s in stages if not s.optimal)
    return Found(choice, measures, bound, solver, notes)


def _prices(built: Built, stages: Sequence[Solution]) -> dict[str, float]:
    """What one more bit on each link is worth to the weighed demand served."""
    if not built.link_rows:
        return {}
    duals = stages[built.price_aim].row_duals
    return {pool: float(max(0.0, duals[row])) for pool, row in sorted(built.link_rows.items())}
