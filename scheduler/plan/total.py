"""Plans of a total: the most bits in all, or the most for the station that gets the least."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from scheduler.plan.bounds import best_per_resource, bound_by_resource
from scheduler.plan.greedy import Choice, greedy, worst_first
from scheduler.plan.model import Model, flat_bonus, worth
from scheduler.plan.staged import Built, Relaxed, relaxed
from scheduler.solver import Engine, Floats, Limits, LinearProgram

BLEND = 0.001
"""Part of the largest share conceivable that the total may weigh beside the least share."""


AT_ONCE = 5000
"""Options that the LP leaves undecided, up to which one exact program decides them."""
TRACE = 1e-6  # of an option in the LP, below which it is rounding
PIECE = 200  # options of a piece at least; a call of the solver has its price


class MaxMinAim:
    """Two measures: the least share of any station, in bits for a weight of one, with a bonus for
    each booking that stays; the value.

    The bonus is what so much more key would add to the least share if all stations had a part in
    it. Stations without a pass that could be booked have no share, and are named in a note.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        risk = model.problem.rules.risk_aversion
        self.bits = [worth(candidate, risk) for candidate in model.options]
        self.options_of: dict[str, list[int]] = defaultdict(list)
        for option, candidate in enumerate(model.options):
            if (model.open[option] and model.value[option] > 0.0) or model.fixed[option]:
                self.options_of[candidate.station_id].append(option)
        stations = sorted({candidate.station_id for candidate in model.problem.candidates})
        for station in stations:
            if station not in self.options_of:
                model.notes.append(f"station {station} has no pass that could be booked")
        weights = math.fsum(map(self.weight, self.options_of))
        bonus = flat_bonus(self.bits, model.standing, model.problem.rules)
        self.bonus = bonus / weights if weights else 0.0

    def weight(self, station: str) -> float:
        """The station's weight, 1 unless the problem says otherwise."""
        return self.model.problem.station_weights.get(station, 1.0)

    complete = True

    def relax(self, engine: Engine, limits: Limits) -> Relaxed:
        """The LP by its stages."""
        return relaxed(self, engine, limits)

    def build(self, columns: Sequence[int], choice: Choice, whole: frozenset[int]) -> Built:
        """The packing program with one more row a station: share >= t."""
        program = LinearProgram()
        index = packing(program, self.model, columns, choice, whole)
        unit = max(1.0, *(self.bits[i] for i in columns)) if columns else 1.0
        least = program.column(upper=math.inf if self.options_of else 0.0)
        for station, options in sorted(self.options_of.items()):
            held = math.fsum(self.bits[i] for i in options if choice.chosen[i])
            terms = [(index[i], self.bits[i] / unit) for i in options if i in index]
            program.row([*terms, (least, -self.weight(station))], lower=-held / unit)
        value = self.model.value
        first = {least: 1.0}
        if self.bonus:
            first |= {c: self.bonus / unit for i, c in index.items() if self.model.standing[i]}
        aims = [first, {c: float(value[i]) / unit for i, c in index.items()}]
        blend = BLEND * self._most() / max(1.0, float(value.sum()))
        return Built(program, index, aims, self.bonus * choice.kept() / unit, unit, blend)

    def _most(self) -> float:
        """More than the least share can be: every option of a station booked."""
        shares = [
            math.fsum(self.bits[i] for i in options) / self.weight(station)
            for station, options in self.options_of.items()
        ]
        return min(shares, default=0.0)

    def measure(self, choice: Choice, engine: Engine, limits: Limits) -> tuple[float, ...]:
        """The least share with its bonus, and the value of everything booked."""
        return self.rough_measure(choice)

    def first_measure(self, choice: Choice, engine: Engine, limits: Limits) -> float:
        """The least share with its bonus."""
        return self.rough_measure(choice)[0]

    def rough_measure(self, choice: Choice) -> tuple[float, ...]:
        """The least share with its bonus, and the value of everything booked."""
        least = min(self._shares(choice).values(), default=0.0)
        return least + self.bonus * choice.kept(), choice.value()

    def _shares(self, choice: Choice) -> dict[str, float]:
        return {
            station: math.fsum(self.bits[i] for i in options if choice.chosen[i])
            / self.weight(station)
            for station, options in self.options_of.items()
        }

    def pieces(self, options: Sequence[int], choice: Choice, x: Floats) -> Iterable[Sequence[int]]:
        """All at once: the stations' shares tie them together."""
        return (options,)

    def weak_options(
        self, choice: Choice, groups: int, engine: Engine, limits: Limits
    ) -> list[int]:
        """The options of the stations with the least shares."""
        shares = self._shares(choice)
        weakest = sorted(shares, key=lambda station: (shares[station], station))[:groups]
        return [i for station in weakest for i in self.options_of[station]]

    def greedy(self) -> Choice:
        """The best option of the station that has least, again and again."""
        choice = Choice(self.model)
        targets = {name: self.weight(name) for name in self.options_of}
        worst_first(choice, self.options_of, targets, self.bits)
        return choice

    def rough_bound(self) -> float:
        """The least that any station would get with every satellite to itself, all kept."""
        model = self.model
        stations = [candidate.station_id for candidate in model.options]
        alone = best_per_resource(model, stations, self.bits)
        bounds = []
        for station, options in self.options_of.items():
            held = math.fsum(self.bits[i] for i in options if model.fixed[i])
            bounds.append((held + alone.get(station, 0.0)) / self.weight(station))
        return min(bounds, default=0.0) + self.bonus * sum(model.standing)


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

    def first_measure(self, choice: Choice, engine: Engine, limits: Limits) -> float:
        """The value of everything booked."""
        return choice.value()

    def pieces(self, options: Sequence[int], choice: Choice, x: Floats) -> Iterable[Sequence[int]]:
        """All at once, or of many what the LP halves: in pieces that share no row.

        Nothing is lost but options that the LP does not book at all: of 308,000 options 0.06 % of
        the total, where the program of all took 98 s and the pieces take 2 s.
        """
        if len(options) <= AT_ONCE:
            return (options,)
        return connected(self.model, [i for i in options if x[i] > TRACE])

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
    every = model.rows.members
    few = len(index) < len(model.options) // 4
    rows = sorted({r for i in index for r in model.rows_of[i]}) if few else range(len(every))
    everything = len(index) == len(model.options)
    for row in rows:
        terms = [index[i] for i in every[row] if everything or i in index]
        if len(terms) > choice.room[row]:
            program.at_most(terms, choice.room[row])
    return index


def connected(model: Model, options: Sequence[int]) -> Iterable[list[int]]:
    """Yield the options in pieces that share no row, small ones together."""
    parent = {option: option for option in options}

    def root(option: int) -> int:
        while parent[option] != option:
            parent[option] = option = parent[parent[option]]
        return option

    first_of: dict[int, int] = {}
    for option in options:
        for row in model.rows_of[option]:
            parent[root(option)] = root(first_of.setdefault(row, option))
    pieces: dict[int, list[int]] = defaultdict(list)
    for option in options:
        pieces[root(option)].append(option)
    several: list[int] = []
    for piece in pieces.values():
        several += piece
        if len(several) >= PIECE:
            yield several
            several = []
    if several:
        yield several
