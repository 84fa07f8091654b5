"""Programs with several aims in order, and the ways to get whole bookings out of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from scheduler.plan.greedy import Choice, by_value
from scheduler.plan.model import Model
from scheduler.plan.problem import Solver
from scheduler.solver import Engine, Floats, Limits, LinearProgram, Solution, SolverFailed

WHOLE = 1.0 - 1e-6  # at or above this, an LP value counts as booked
SLACK = 1e-6
"""Part of one aim that the next may give up: ten times HiGHS's feasibility tolerance. With less,
one in some hundred programs had no second stage."""

TIES = 1e-4
GOOD_ENOUGH = 0.002  # gap to the LP's bound below which looking further does not pay
ROUNDS_MAX, FREE_MAX, NODES_MAX = 20, 1500, 300  # of a neighbourhood search; a program's options
PROOF_MAX, NODES_PROOF = 20_000, 2000  # of a program that proves the first aim alone
NODES_LATER = 100  # of a stage after the first, in a program of more than `SMALL` options
SMALL = 150
LEVELS_WORK = 20_000  # iterations of simplex after which no further level of a leximin is begun
NEAR_ENOUGH = 0.001  # gap at which the exact program of more options ends

BLEND_FROM = 5000  # options; below, one aim after the other is quick
BLEND_SCALE = 1000.0  # keeps blended costs above 1e-7, HiGHS's dual tolerance


Columns = Mapping[int, float]  # column: factor, to be maximised
Step = Columns | Callable[[Solution], Columns]
"""An aim, or what makes it of the solution for the aims before; never the first."""


@dataclass(slots=True)
class Built:
    """A program, the options behind its columns, and its aims, the first one first."""

    program: LinearProgram
    columns: Mapping[int, int]  #: option: column
    aims: Sequence[Step]
    held: float = 0.0  #: of the first aim, by what is chosen already
    unit: float = 1.0  #: of the first aim
    blend: float = 0.0  #: of the last aim into the first, in a large LP; 0 for none


@dataclass(frozen=True, slots=True)
class Relaxed:
    """What the LP says: how much of each option it books, and what no plan can exceed."""

    x: Floats
    bound: float  #: of the first measure
    prices: Mapping[str, float] = field(default_factory=dict)
    """pool_id: what one more bit on this link is worth to the weighed demand served."""
    notes: tuple[str, ...] = ()


class Aim(Protocol):
    """What a plan is for; measures are tuples, compared one after the other."""

    model: Model

    @property
    def complete(self) -> bool:
        """True if what `build` makes is the whole problem, so that what it proves holds."""

    def relax(self, engine: Engine, limits: Limits) -> Relaxed:
        """The LP. Raises SolverFailed if that has no answer."""

    def build(self, columns: Sequence[int], choice: Choice, whole: frozenset[int]) -> Built:
        """The program over `columns`, those in `whole` integer, on top of what is chosen."""

    def measure(self, choice: Choice, engine: Engine, limits: Limits) -> tuple[float, ...]:
        """How well a finished choice does."""

    def first_measure(self, choice: Choice, engine: Engine, limits: Limits) -> float:
        """The first of those alone."""

    def pieces(self, options: Sequence[int], choice: Choice, x: Floats) -> Iterable[Sequence[int]]:
        """The options in pieces that can be booked one after the other, near what the LP says."""

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
    """Maximise the aims in order, each held while the next is improved.

    Raises SolverFailed if the first has no answer. What was reached is kept where a later stage
    fails: the list then ends before it. Stops after the first if that is not above `above`. Aims
    that are made of a solution, one level of a leximin after the other, end with `LEVELS_WORK`. The
    last of several only breaks ties, so with whole columns it need come no nearer than `TIES`.

    In a large LP the first aim is blended with a little of the last: alone, a least share leaves
    nearly every column free, and simplex walks for minutes where it then takes seconds.
    """
    program = built.program
    whole = any(program.whole)
    later = limits.nodes if len(built.columns) <= SMALL else min(limits.nodes, NODES_LATER)
    found: list[Solution] = []
    spent = 0
    for number, step in enumerate(built.aims):
        if callable(step) and spent >= LEVELS_WORK:
            continue
        aim = step(found[-1]) if callable(step) else step
        if not aim and found:
            continue
        last = 0 < number == len(built.aims) - 1
        near = replace(
            limits,
            relative_gap=max(TIES if last else 0.0, limits.relative_gap),
            nodes=limits.nodes if number == 0 else later,
        )
        try:
            if number == 0 and built.blend and not whole and len(built.columns) > BLEND_FROM:
                found.append(_blended(built, engine, limits))
            else:
                program.maximise(aim)
                found.append(engine(program, near))
        except SolverFailed:
            if not found:
                raise
            break
        spent += found[-1].iterations if callable(step) else 0
        if found[0].objective <= above:
            break
        program.start = found[-1].x
        if number + 1 < len(built.aims):
            reached = sum(factor * float(found[-1].x[column]) for column, factor in aim.items())
            program.row(list(aim.items()), lower=reached - SLACK * max(1.0, abs(reached)))
    return found


def _blended(built: Built, engine: Engine, limits: Limits) -> Solution:
    """The first aim, with a little of the last; its bound is too high by no more than that."""
    first, last = built.aims[0], built.aims[-1]
    assert not callable(first), "the first aim knows no solution"
    assert not callable(last), "what is blended is known from the beginning"
    built.program.maximise(last, built.blend * BLEND_SCALE)
    for column, factor in first.items():
        built.program.cost[column] = factor * BLEND_SCALE
    solution = engine(built.program, limits)
    return replace(
        solution,
        objective=sum(f * float(solution.x[c]) for c, f in first.items()),
        bound=solution.bound / BLEND_SCALE,
    )


def relaxed(aim: Aim, engine: Engine, limits: Limits) -> Relaxed:
    """The LP of an aim by its stages. Raises SolverFailed."""
    model = aim.model
    built = aim.build(bookable(model), Choice(model), frozenset())
    stages = in_stages(built, engine, limits)
    x = np.zeros(len(model.options))
    for option, column in built.columns.items():
        x[option] = stages[-1].x[column]
    return Relaxed(x, (stages[0].bound + built.held) * built.unit)


def plan_greedy(aim: Aim) -> Found:
    """The choice without a solver, with a bound that needs none either."""
    choice = aim.greedy()
    measures = aim.rough_measure(choice)
    return Found(choice, measures, aim.rough_bound(), Solver.GREEDY)


def plan_exact(aim: Aim, engine: Engine, limits: Limits, *, first: Found | None = None) -> Found:
    """All bookings whole at once, from `first` on: optimal, unless a limit is reached.

    Without an answer `first` stands. Raises SolverFailed if there is none.
    """
    model = aim.model
    choice = Choice(model)
    columns = bookable(model)
    built = aim.build(columns, choice, frozenset(columns))
    if first is not None:
        built.program.start = {
            column: float(first.choice.chosen[option]) for option, column in built.columns.items()
        }
    try:
        stages = in_stages(built, engine, limits)
        choice.fill(i for i, column in built.columns.items() if stages[-1].x[column] > 0.5)
        choice.fill(by_value(model))
        found = _found(aim, choice, stages, built, Solver.MILP, engine, limits)
    except SolverFailed as failure:
        if first is None:
            raise
        first.notes += (f"the exact program has no answer: {failure}",)
        return first
    if first is None:
        return found
    # The exact program knows the ways that were found; others may exceed what it proves.
    found.bound = min(found.bound, first.bound) if aim.complete else first.bound
    found.prices, found.notes = first.prices, (*first.notes, *found.notes)
    if not better(found.measures[:1], first.measures[:1], equal=True):
        first.bound, first.notes = found.bound, found.notes
        return first
    found.bound = max(found.bound, found.measures[0])
    return found


def better(one: Sequence[float], other: Sequence[float], *, equal: bool = False) -> bool:
    """True if some measures beat others, the first that differs by more than rounding."""
    for mine, its in zip(one, other, strict=True):
        slack = SLACK * max(abs(mine), abs(its), 1e-9)
        if abs(mine - its) > slack:
            return mine > its
    return equal


def plan_relaxed(aim: Aim, engine: Engine, limits: Limits, *, improve: bool = True) -> Found:
    """The LP, then whole bookings near it. Raises SolverFailed if the LP has no answer.

    The LP leaves fractions in a few hundred options that hang together in small groups. What it
    books whole stays; the exact program over what still fits is quick. Whatever fails after the
    LP, the best choice until then is kept.
    """
    lp = aim.relax(engine, limits)
    notes = list(lp.notes)
    choice = aim.greedy()
    found = Found(choice, aim.rough_measure(choice), lp.bound, Solver.GREEDY)
    try:
        found.measures = aim.measure(choice, engine, limits)
        choice = rounded(aim, lp.x, engine, limits, notes)
        measures = aim.measure(choice, engine, limits)
        if better(measures, found.measures, equal=True):
            found = Found(choice, measures, lp.bound, Solver.LP)
        if improve:
            exact = proven(aim, found, engine, limits)
            found.bound = exact.bound
            choice = improved(aim, found.choice, found.bound, engine, limits)
            measures = aim.measure(choice, engine, limits)
            if better(measures, found.measures):
                found = Found(choice, measures, found.bound, Solver.LP)
            # A hair more of the first aim is not worth what the others would lose.
            if exact.measures[0] > found.measures[0] * (1.0 + GOOD_ENOUGH):
                found = exact
    except SolverFailed as failure:
        notes.append(f"the search after the relaxation ended: {failure}")
    found.solver = Solver.LP
    found.bound = max(found.bound, found.measures[0])
    found.notes, found.prices = tuple(notes), lp.prices
    return found


def proven(aim: Aim, found: Found, engine: Engine, limits: Limits) -> Found:
    """What the exact program of the first aim alone finds, and what that proves.

    A relaxation divides a satellite's time: of a least share it may promise half as much again,
    or a fifth, of what whole bookings give. That program knows no other aim and mostly ends
    within a second. What there is stands where its bound is near enough, or not for every way.
    """
    model = aim.model
    columns = bookable(model)
    near = found.measures[0] >= found.bound * (1.0 - NEAR_ENOUGH)
    if near or not aim.complete or len(columns) > PROOF_MAX:
        return found
    built = aim.build(columns, Choice(model), frozenset(columns))
    built.aims = built.aims[:1]
    built.program.start = {
        column: float(found.choice.chosen[option]) for option, column in built.columns.items()
    }
    few = replace(limits, nodes=min(limits.nodes, NODES_PROOF), relative_gap=NEAR_ENOUGH)
    (exact,) = in_stages(built, engine, few)
    choice = Choice(model)
    choice.fill(i for i, column in built.columns.items() if exact.x[column] > 0.5)
    choice.fill(by_value(model))
    bound = min(found.bound, (exact.bound + built.held) * built.unit)
    return Found(choice, aim.measure(choice, engine, limits), bound, Solver.LP)


def rounded(aim: Aim, x: Floats, engine: Engine, limits: Limits, notes: list[str]) -> Choice:
    """Book what the LP books whole, then the best of what still fits, by the exact program.

    If that program has no answer, the order of the LP decides, and a note says so.
    """
    model = aim.model
    order = by_value(model, x)
    choice = Choice(model)
    choice.fill(i for i in order if x[i] >= WHOLE)
    rest = [i for i in bookable(model) if not choice.chosen[i] and choice.fits(i)]
    for piece in aim.pieces(rest, choice, x) if rest else ():
        built = aim.build(piece, choice, frozenset(piece))
        try:
            x_whole = in_stages(built, engine, limits)[-1].x
        except SolverFailed as failure:
            notes.append(f"rounded in the order of the LP, the exact program failed: {failure}")
            break
        choice.fill(i for i, column in built.columns.items() if x_whole[column] > 0.5)
    choice.fill(order)
    return choice


def improved(aim: Aim, choice: Choice, bound: float, engine: Engine, limits: Limits) -> Choice:
    """Book again, exactly, the groups that do worst and whatever clashes with them.

    Rounding costs a total little, but may cost a least share much: on 2 nights of 6 satellites
    over 8 stations 9 %. Ends at a gap of `GOOD_ENOUGH`, or when no neighbourhood helps.
    """
    model, groups, tried = aim.model, 1, 0
    best = aim.first_measure(choice, engine, limits)
    few = replace(limits, nodes=min(limits.nodes, NODES_MAX))
    for _ in range(ROUNDS_MAX):
        if best >= bound * (1.0 - GOOD_ENOUGH):
            break
        weak = aim.weak_options(choice, groups, engine, limits)
        base, free = _freed(choice, weak)
        if len(weak) == tried or len(free) > FREE_MAX:
            break
        tried = len(weak)
        built = aim.build(free, base, frozenset(free))
        built.aims = built.aims[:1]  # only the first measure is compared; later ones cost as much
        enough = best * (1.0 + SLACK) / built.unit - built.held
        built.program.start = {
            column: float(choice.chosen[option]) for option, column in built.columns.items()
        }
        try:
            stages = in_stages(built, engine, few, above=enough)
        except SolverFailed:  # the choice stands, and the LP's bound with it
            break
        base.fill(i for i, column in built.columns.items() if stages[-1].x[column] > 0.5)
        base.fill(by_value(model))
        other = aim.first_measure(base, engine, limits)
        if other > best * (1.0 + SLACK):
            choice, best, groups, tried = base, other, 1, 0
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


def plan_rolling(aim: Aim, engine: Engine, limits: Limits, *, first: Found) -> Found:
    """Whole bookings one UTC day at a time: later days relaxed, earlier ones as decided.

    The bound is that of the first day's program, in which every later day is relaxed. What was
    found `first` stands if this has no answer or no better one.
    """
    model = aim.model
    days: dict[str, list[int]] = {}
    for option in bookable(model):
        days.setdefault(f"{model.options[option].acquires_at:%Y-%m-%d}", []).append(option)
    choice = Choice(model)
    bound = first.bound
    notes: list[str] = []
    try:
        for day in sorted(days):
            rest = [i for d in sorted(days) if d >= day for i in days[d] if choice.fits(i)]
            today = frozenset(i for i in days[day] if choice.fits(i))
            if not today:
                continue
            built = aim.build(rest, choice, today)
            stages = in_stages(built, engine, limits)
            stopped = [s for s in stages if not s.optimal]
            notes += [f"{day}: the solver stopped early: {s.status}" for s in stopped]
            choice.fill(i for i in sorted(today) if stages[-1].x[built.columns[i]] > 0.5)
            if day == min(days) and aim.complete:
                bound = min(bound, (stages[0].bound + built.held) * built.unit)
        choice.fill(by_value(model))
        choice = improved(aim, choice, bound, engine, limits)
        found = Found(choice, aim.measure(choice, engine, limits), bound, Solver.MILP)
    except SolverFailed as failure:
        first.notes += (f"day by day there is no answer: {failure}",)
        return first
    if not better(found.measures, first.measures, equal=True):
        found = first
    found.bound = max(bound, found.measures[0])
    found.notes, found.prices = (*first.notes, *notes), first.prices
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
    bound = max(measures[0], (stages[0].bound + built.held) * built.unit)
    notes = tuple(f"the solver stopped early: {s.status}" for s in stages if not s.optimal)
    return Found(choice, measures, bound, solver, notes)
