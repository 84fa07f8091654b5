"""Bookings and end-to-end flows in one program: link balances, leximin, and routes priced in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from scheduler.domain import Demand, PathSet
from scheduler.paths import DemandGraph, Paths, claim_on, hold, lift, solve_priced, worthwhile
from scheduler.plan.supply import LinkKey, lasting_options
from scheduler.plan.total import packing
from scheduler.solver import Engine, Floats, Limits, LinearProgram, Solution

if TYPE_CHECKING:
    from scheduler.plan.greedy import Choice
    from scheduler.plan.model import Model
    from scheduler.plan.supply import Buckets


ABOVE = 0.01
"""Part of the largest share by which one must exceed the least to count as above it."""


@dataclass(slots=True)
class Wanted:
    """A demand over the time of a plan, with the ways to serve it; pricing adds to them."""

    demand: Demand
    bits: float  #: wanted in all
    weight: float  #: raised below the low-water mark
    sets: list[PathSet]
    graph: DemandGraph | None = None  #: in which further ways are looked for
    target: float = 0.0  #: bits that it gets in the relaxation
    known: set[Paths] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.known = {path_set.paths for path_set in self.sets}


def path_set_along(demand: Demand, graph: DemandGraph, paths: Paths) -> PathSet:
    """These paths as the planner takes them."""
    hops = [hop for of_path in graph.hops_along(paths) for hop in of_path]
    return PathSet(demand_id=demand.demand_id, uses=tuple((hop, 1) for hop in hops), paths=paths)


class DemandInputs(Protocol):
    """What the program is made of."""

    model: Model
    bits: list[float]  #: that each option gives
    buckets: Buckets
    keys: Mapping[str, LinkKey]  #: of the links that can give any
    dry: frozenset[str]  #: links without any key
    wanted: list[Wanted]
    classes: list[int]  #: priorities, the highest first
    unit: float  #: bits that count as one
    bonus: float  #: of each booking that stays, in the least share


class DemandProgram:
    """Columns: options, levels, what each demand gets, flows, inventories; amounts in `unit`.

    Rows: packing; what a demand gets is what its flows bring; each link's key bucket by bucket;
    each demand's level, what it gets of what it wants by weight.
    """

    def __init__(
        self, aim: DemandInputs, columns: Sequence[int], choice: Choice, whole: frozenset[int]
    ) -> None:
        self.aim, self.choice, self.unit = aim, choice, aim.unit
        self.program = program = LinearProgram()
        self.index = packing(program, aim.model, columns, choice, whole)
        self.levels = {priority: program.column() for priority in aim.classes}
        self.got = [program.column(upper=w.bits / self.unit) for w in aim.wanted]
        self.brought = [program.row([(got, 1.0)], lower=0.0, upper=0.0) for got in self.got]
        self.first_rows: dict[str, int] = {}  #: of each link, the row of its first bucket
        self.balances = {
            (link, bucket): row
            for link, key in aim.keys.items()
            for bucket, row in enumerate(self._balance(link, key))
        }
        self.flows: list[tuple[int, int, PathSet, int]] = []
        """(column, number of the demand, path set, bucket)."""
        for number, wanted in enumerate(aim.wanted):
            for path_set in wanted.sets:
                self._add_flows(number, path_set)
        self.claims = [
            claim_on(
                program, self.levels[w.demand.priority], got, share=w.weight * w.bits / self.unit
            )
            for w, got in zip(aim.wanted, self.got, strict=True)
        ]
        for claim in self.claims:
            program.row_lower[claim.level_row] = 0.0

    def _add_flows(self, number: int, path_set: PathSet) -> None:
        """A column for what goes this way in each bucket."""
        for bucket in range(self.aim.buckets.count):
            terms = [(self.balances[link, bucket], float(n)) for link, n in path_set.uses]
            column = self.program.column(terms=[(self.brought[number], -1.0), *terms])
            self.flows.append((column, number, path_set, bucket))

    def _balance(self, link: str, key: LinkKey) -> Iterator[int]:
        """Rows that keep a link's key from being used before, or more than, it is there."""
        before: int | None = None
        for bucket in range(self.aim.buckets.count):
            limit = key.supply.buffer_bits
            left = self.program.column(
                lower=key.floor_bits[bucket] / self.unit,
                upper=math.inf if limit is None else limit / self.unit,
            )
            terms = [(left, 1.0)]
            if before is not None:
                terms.append((before, -1.0))
            there = key.refill_bits + key.coming_bits[bucket]
            there += key.supply.stock_bits if before is None else 0.0
            there += self._add_options(terms, key.options[bucket])
            row = self.program.row(terms, upper=there / self.unit)
            self.first_rows.setdefault(link, row)
            if key.expires:
                self._expire(key, bucket, left)
            before = left
            yield row

    def _expire(self, key: LinkKey, bucket: int, left: int) -> None:
        """What is left at the end of a bucket cannot be more than what has not expired."""
        terms = [(left, 1.0)]
        lasting = list(lasting_options(key, self.aim.model, self.aim.buckets, bucket))
        held = self._add_options(terms, lasting)
        self.program.row(terms, upper=(key.lasting_bits[bucket] + held) / self.unit)

    def _add_options(self, terms: list[tuple[int, float]], options: Sequence[int]) -> float:
        """Take the options' bits to the left side; return those of what is booked already."""
        held = 0.0
        for option in options:
            if self.choice.chosen[option]:
                held += self.aim.bits[option]
            elif option in self.index:
                terms.append((self.index[option], -self.aim.bits[option] / self.unit))
        return held

    @cached_property
    def caps(self) -> Floats:
        """What each demand wants, in `unit`."""
        return np.array([wanted.bits / self.unit for wanted in self.aim.wanted])

    @cached_property
    def worth(self) -> dict[int, float]:
        """The aim of the value of everything booked."""
        return {c: float(self.aim.model.value[i]) / self.unit for i, c in self.index.items()}

    @cached_property
    def standing(self) -> dict[int, float]:
        """The aim of keeping what stands."""
        return {c: 1.0 for i, c in self.index.items() if self.aim.model.standing[i]}

    def level(self, priority: int) -> dict[int, float]:
        """The aim of the least share of a class."""
        return {self.levels[priority]: 1.0}

    @property
    def first(self) -> dict[int, float]:
        """The first aim of all: the least share of the highest class, and the bonus."""
        kept = dict.fromkeys(self.standing, self.aim.bonus) if self.aim.bonus else {}
        return self.level(self.aim.classes[0]) | kept

    def served(self, priority: int) -> dict[int, float]:
        """The aim of weighed bits served in one priority class."""
        every = zip(self.aim.wanted, self.got, strict=True)
        return {got: w.weight for w, got in every if w.demand.priority == priority}

    def least_sum(self, members: Sequence[int], size: int) -> dict[int, float]:
        """The aim of the sum of so many least shares; adds what it needs.

        The sum is `size` r less what r exceeds each share by, at the best r. Source: Ogryczak and
        Sliwinski, Eur. J. Oper. Res. 196, 1018 (2009), eq. 9.
        """
        program = self.program
        threshold = program.column()
        aim = {threshold: float(size)}
        for number in members:
            claim = self.claims[number]
            short = program.column()
            program.row(
                [(short, 1.0), (threshold, -1.0), (claim.got, 1.0 / claim.share)], lower=0.0
            )
            aim[short] = -1.0
        return aim

    def above(self, rising: Sequence[int], before: Solution) -> dict[int, float]:
        """The aim that as many shares as can be exceed the least of those that rise."""
        if not rising:
            return {}
        step = ABOVE * max(self._share_in(number, before) for number in rising)
        level = min(self._share_in(number, before) for number in rising) + step
        return self._up_to(dict.fromkeys(rising, level))

    def next_least(self, rising: list[int], before: Solution) -> dict[int, float]:
        """The aim of the least of the shares that exceed the least one; the others rise no more.

        Source: Radunovic and Le Boudec, IEEE/ACM Trans. Netw. 15, 1073 (2007), as in `lift`;
        with whole bookings, who is held down is found by `above` and not by duals.
        """
        least = min((self._share_in(number, before) for number in rising), default=0.0)
        step = ABOVE * max((self._share_in(number, before) for number in rising), default=0.0)
        rising[:] = [n for n in rising if self._share_in(n, before) > least + step / 2]
        if not rising:
            return {}
        level = self.program.column()
        for number in rising:
            claim = self.claims[number]
            self.program.row([(claim.got, 1.0 / claim.share), (level, -1.0)], lower=0.0)
        return {level: 1.0}

    def near(self, members: Sequence[int]) -> dict[int, float]:
        """The aim of coming near what each demand gets in the relaxation, in shares."""
        targets = {n: self.aim.wanted[n].target / self.unit for n in members}
        return self._up_to({n: bits / self.claims[n].share for n, bits in targets.items()})

    def _up_to(self, levels: Mapping[int, float]) -> dict[int, float]:
        """The aim of what the shares have of these levels; adds what it needs."""
        aim = {}
        for number, level in levels.items():
            claim = self.claims[number]
            part = self.program.column(upper=level * claim.share)
            self.program.row([(claim.got, 1.0), (part, -1.0)], lower=0.0)
            aim[part] = 1.0 / claim.share
        return aim

    def _share_in(self, number: int, solution: Solution) -> float:
        claim = self.claims[number]
        return float(solution.x[claim.got]) / claim.share

    def solve(self, engine: Engine, limits: Limits) -> Solution:
        """Solve over every route there is. Raises SolverFailed."""
        return solve_priced(self.program, engine, limits, self._price)

    def lift_all(self, engine: Engine, limits: Limits) -> Floats:
        """Leximin, class after class: hold what each demand then gets, and return it.

        Nothing is left to share out after that: who could get more without another's loss has it.
        """
        floors = np.zeros(len(self.claims))
        for priority, level in self.levels.items():
            members = [n for n, w in enumerate(self.aim.wanted) if w.demand.priority == priority]
            floors = lift(
                self.program, level, self.claims, members,
                floors=floors, caps=self.caps, run=lambda: self.solve(engine, limits),
            )  # fmt: skip
        hold(self.program, self.claims, floors, np.maximum(floors, self.caps))
        return floors

    def _price(self, solution: Solution) -> bool:
        """Add the ways that the duals call for; True if there are any."""
        if all(wanted.graph is None for wanted in self.aim.wanted):
            return False
        duals = np.maximum(solution.row_duals, 0.0).tolist()
        prices = [
            {link: duals[self.balances[link, bucket]] for link in self.aim.keys}
            for bucket in range(self.aim.buckets.count)
        ]
        found = False
        for number, wanted in enumerate(self.aim.wanted):
            worth = duals[self.brought[number]]
            for of_bucket in prices if wanted.graph is not None and worth > 0.0 else ():
                assert wanted.graph is not None
                paths = worthwhile(
                    wanted.graph, worth=worth, hop_price=of_bucket, without=self.aim.dry
                )
                if paths is not None and paths not in wanted.known:
                    wanted.known.add(paths)
                    wanted.sets.append(path_set_along(wanted.demand, wanted.graph, paths))
                    self._add_flows(number, wanted.sets[-1])
                    found = True
        return found
