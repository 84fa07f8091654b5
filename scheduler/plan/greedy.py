"""Choosing one option after the other, best first: the fallback, and the rounding of the LP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from operator import and_

import numpy as np

from scheduler.plan.model import Model
from scheduler.solver import Floats


class Choice:
    """The options booked so far, and the room left in every row."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.room = list(model.rows.capacity)
        self.chosen = [False] * len(model.options)
        for option, fixed in enumerate(model.fixed):
            if fixed:
                self.take(option)

    def fits(self, option: int) -> bool:
        """True if no row of the option is full."""
        room = self.room
        for row in self.model.rows_of[option]:  # noqa: SIM110 - twice as fast, asked a million times
            if room[row] <= 0:
                return False
        return True

    def take(self, option: int) -> None:
        """Book an option, whatever room there is."""
        self.chosen[option] = True
        for row in self.model.rows_of[option]:
            self.room[row] -= 1

    def drop(self, option: int) -> None:
        """Give an option up again."""
        self.chosen[option] = False
        for row in self.model.rows_of[option]:
            self.room[row] += 1

    def fill(self, order: Iterable[int]) -> None:
        """Book, in this order, every open option that still fits."""
        for option in order:
            if self.model.open[option] and not self.chosen[option] and self.fits(option):
                self.take(option)

    def kept(self) -> int:
        """How many standing bookings stay."""
        return sum(map(and_, self.chosen, self.model.standing))

    def value(self) -> float:
        """Sum of the values of what is booked."""
        return float(self.model.value[np.array(self.chosen, dtype=bool)].sum())


def by_value(model: Model, first: Floats | None = None) -> list[int]:
    """Options by `first` if given, then by value, both falling; ties by AOS and name."""
    leading = np.zeros(len(model.options)) if first is None else first
    order = np.lexsort((model.rank, -model.value, -leading))
    worthwhile = np.array(model.open, dtype=bool) & (model.value > 0.0)
    found: list[int] = order[worthwhile[order]].tolist()
    return found


def greedy(model: Model) -> Choice:
    """Book the most valuable option that still fits, again and again."""
    choice = Choice(model)
    choice.fill(by_value(model))
    return choice


def worst_first(
    choice: Choice,
    options_of: Mapping[str, Sequence[int]],
    targets: Mapping[str, float],
    bits: Sequence[float],
    held: Mapping[str, float] | None = None,
) -> None:
    """Book for the group with the least bits for its target, its best option that fits.

    When no group has an option left, the rest is booked by value.
    """
    model = choice.model
    have = {name: 0.0 if held is None else held.get(name, 0.0) for name in options_of}
    queues: dict[str, list[int]] = {}
    for name, options in options_of.items():
        have[name] += sum(bits[i] for i in options if choice.chosen[i])
        open_ones = [i for i in options if model.open[i] and bits[i] > 0.0]
        queues[name] = sorted(open_ones, key=lambda i: (bits[i], model.options[i].candidate_id))
    heap = [(have[name] / targets[name], name) for name in options_of]
    heapify(heap)
    while heap:
        _, name = heappop(heap)
        queue = queues[name]
        while queue and not choice.fits(queue[-1]):
            queue.pop()
        if queue:
            option = queue.pop()
            choice.take(option)
            have[name] += bits[option]
            heappush(heap, (have[name] / targets[name], name))
    choice.fill(by_value(model))
