"""The most expected bits in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scheduler.plan.bounds import bound_by_resource
from scheduler.plan.greedy import Choice, greedy
from scheduler.plan.model import Model
from scheduler.plan.staged import Built, Relaxed, relaxed
from scheduler.solver import Engine, Limits, LinearProgram


class TotalAim:
    """One measure: the value of everything booked."""

    def __init__(self, model: Model) -> None:
        self.model = model

    complete = True

    def relax(self, engine: Engine, limits: Limits) -> Relaxed:
        """The LP by its stages."""
        return relaxed(self, engine, limits)

    def build(self, columns: Sequence[int], choice: Choice, whole: frozenset[int]) -> Built:
        """The packing program."""
        program = LinearProgram()
        index = packing(program, self.model, columns, choice, whole)
        value = self.model.value
        aim = {column: float(value[option]) for option, column in index.items()}
        return Built(program, index, [aim], choice.value())

    def measure(self, choice: Choice, engine: Engine, limits: Limits) -> tuple[float, ...]:
        """The value of everything booked."""
        return (choice.value(),)

    def weak_options(
        self, choice: Choice, groups: int, engine: Engine, limits: Limits
    ) -> list[int]:
        """None: a total has no worst group."""
        return []

    def greedy(self) -> Choice:
        """Value-greedy."""
        return greedy(self.model)

    def rough_measure(self, choice: Choice) -> tuple[float, ...]:
        """The value of everything booked."""
        return (choice.value(),)

    def rough_bound(self) -> float:
        """From planning each resource by itself."""
        return bound_by_resource(self.model)


def packing(
    program: LinearProgram,
    model: Model,
    columns: Sequence[int],
    choice: Choice,
    whole: frozenset[int],
) -> Mapping[int, int]:
    """Add a column for each named option and the rows that bind them; returns option: column."""
    index = {option: program.column(upper=1.0, whole=option in whole) for option in columns}
    everything = len(index) == len(model.options)
    for row, members in enumerate(model.rows.members):
        terms = [index[i] for i in members if everything or i in index]
        if len(terms) > choice.room[row]:
            program.at_most(terms, choice.room[row])
    return index
