"""End-to-end key demanded: bookings and flows in one program, the worst-served demand first."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scheduler.domain import Demand, PathSet
from scheduler.errors import PlanError
from scheduler.plan.bounds import bound_by_resource
from scheduler.plan.decision import PlannedFlow
from scheduler.plan.greedy import Choice, worst_first
from scheduler.plan.greedy_flows import greedy_flows
from scheduler.plan.model import Model
from scheduler.plan.problem import PlanProblem
from scheduler.plan.staged import Built, in_stages
from scheduler.plan.supply import (
    Buckets,
    LinkKey,
    bits_of,
    buckets_of,
    lasting_options,
    link_keys,
)
from scheduler.plan.total import packing
from scheduler.solver import Engine, Limits, LinearProgram, Solution

LEAST_BITS = 1e-3  # a flow below this is the solver's rounding
BLEND = 0.001
"""Part of a whole share that the total may weigh beside the least share, in a large program."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A demand over the time of a plan, with the ways to serve it."""

    demand: Demand
    bits: float  #: wanted in all
    weight: float  #: raised below the low-water mark
    sets: tuple[PathSet, ...]


class DemandAim:
    """Two measures a priority class, the highest first, and the value of everything booked.

    Of a class: the least share served, each divided by its weight; the weighed bits served.
    Demands that nothing can serve are left out, and named in a note.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.bits = bits_of(model)
        sets = _sets_by_demand(model.problem)
        self.buckets: Buckets = buckets_of(model.problem, model.options)
        links = {link for found in sets.values() for path in found for link, _ in path.uses}
        self.keys: Mapping[str, LinkKey] = link_keys(model, self.buckets, links)
        self.wanted: list[Wanted] = []
        for demand in sorted(model.problem.demands, key=lambda d: (-d.priority, d.demand_id)):
            self._add(demand, sets[demand.demand_id])
        self.classes = sorted({w.demand.priority for w in self.wanted}, reverse=True)
        self.unit = max([1.0, *(w.bits for w in self.wanted)])

    def _add(self, demand: Demand, sets: Sequence[PathSet]) -> None:
        name = f"demand {demand.demand_id} ({demand.node_a} to {demand.node_b})"
        if not sets:
            why = self.model.problem.refusals.get(demand.demand_id)
            why_not = f"cannot be served: {why}" if why else "has no path"
            self.model.notes.append(f"{name} {why_not}; nothing is planned for it")
            return
        able = tuple(
            path for path in sets if all(self.keys[link].can_give() for link, _ in path.uses)
        )
        if not able:
            dry = next(link for link, _ in sets[0].uses if not self.keys[link].can_give())
            self.model.notes.append(
                f"{name} cannot be served: {dry} has no key to spare, no refill and no pass"
            )
            return
        bits = wanted_bits(demand, self.model.problem, self.buckets.days)
        if bits > 0.0:
            weight = raised_weight(demand, self.model.problem)
            self.wanted.append(Wanted(demand, bits, weight, able))
        else:
            self.model.notes.append(f"{name} is above its high-water mark; nothing is planned")

    def build(self, columns: Sequence[int], choice: Choice, whole: frozenset[int]) -> Built:
        """Packing rows, link balances with inventories, and the served shares."""
        program = LinearProgram()
        index = packing(program, self.model, columns, choice, whole)
        flows = self._flows(program)
        rows = self._balances(program, index, flows, choice)
        aims: list[dict[int, float]] = []
        for level in self.classes:
            of_class = [n for n, w in enumerate(self.wanted) if w.demand.priority == level]
            least = program.column()
            for number in of_class:
                wanted = self.wanted[number]
                served = [(column, 1.0) for column, _, _ in flows[number]]
                most = wanted.bits / self.unit
                program.row(served, upper=most)
                program.row([*served, (least, -wanted.weight * most)], lower=0.0)
            aims.append({least: 1.0})
            aims.append({c: self.wanted[n].weight for n in of_class for c, _, _ in flows[n]})
        value = self.model.value
        aims.append({c: float(value[i]) / self.unit for i, c in index.items()})
        constants = [0.0] * (len(aims) - 1) + [choice.value() / self.unit]
        return Built(
            program,
            index,
            aims,
            constants,
            unit=1.0 if self.classes else self.unit,
            blend=BLEND * self.unit / max(1.0, float(value.sum())) if self.classes else 0.0,
            price_aim=max(0, len(aims) - 2),
            link_rows=rows,
        )

    def _flows(self, program: LinearProgram) -> list[list[tuple[int, PathSet, int]]]:
        """For each wanted demand: (column, path set, bucket) of every flow."""
        return [
            [
                (program.column(), path, bucket)
                for path in wanted.sets
                for bucket in range(self.buckets.count)
            ]
            for wanted in self.wanted
        ]

    def _balances(
        self,
        program: LinearProgram,
        index: Mapping[int, int],
        flows: Sequence[Sequence[tuple[int, PathSet, int]]],
        choice: Choice,
    ) -> dict[str, int]:
        """Rows that keep every link's key from being used before, or more than, it is there."""
        drawn: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
        for of_demand in flows:
            for column, path, bucket in of_demand:
                for link, times in path.uses:
                    drawn[link, bucket].append((column, float(times)))
        first_rows: dict[str, int] = {}
        for link, key in self.keys.items():
            before: int | None = None
            for bucket in range(self.buckets.count):
                limit = key.supply.buffer_bits
                left = program.column(
                    lower=key.floor_bits[bucket] / self.unit,
                    upper=math.inf if limit is None else limit / self.unit,
                )
                terms = [(left, 1.0), *drawn[link, bucket]]
                if before is not None:
                    terms.append((before, -1.0))
                there = key.refill_bits + key.coming_bits[bucket]
                there += key.supply.stock_bits if before is None else 0.0
                there += self._add_options(terms, key.options[bucket], index, choice)
                row = program.row(terms, upper=there / self.unit)
                first_rows.setdefault(link, row)
                if key.expires:
                    self._age(program, key, bucket, left, index, choice)
                before = left
        return first_rows

    def _age(
        self, program: LinearProgram, key: LinkKey, bucket: int, left: int,
        index: Mapping[int, int], choice: Choice,
    ) -> None:  # fmt: skip
        """What is left at the end of a bucket cannot be more than what has not lapsed."""
        terms = [(left, 1.0)]
        lasting = list(lasting_options(key, self.model, self.buckets, bucket))
        held = self._add_options(terms, lasting, index, choice)
        program.row(terms, upper=(key.lasting_bits[bucket] + held) / self.unit)

    def _add_options(
        self, terms: list[tuple[int, float]], options: Sequence[int],
        index: Mapping[int, int], choice: Choice,
    ) -> float:  # fmt: skip
        """Take the options' bits to the left side; return those of what is booked already."""
        held = 0.0
        for option in options:
            if choice.chosen[option]:
                held += self.bits[option]
            elif option in index:
                terms.append((index[option], -self.bits[option] / self.unit))
        return held

    def measure(self, choice: Choice, engine: Engine, limits: Limits) -> tuple[float, ...]:
        """Best flows over what is booked, by the same program with every booking held."""
        stages = self._flow_stages(choice, engine, limits)
        found = [
            solution.objective * (self.unit if number % 2 else 1.0)
            for number, solution in enumerate(stages)
        ]
        return (*found, choice.value())

    def flows(self, choice: Choice, engine: Engine, limits: Limits) -> list[PlannedFlow]:
        """The best flows over what is booked, by the solver."""
        stages = self._flow_stages(choice, engine, limits)
        # Without columns of options, the program's first columns are the flows.
        return [
            PlannedFlow(
                demand_id=wanted.demand.demand_id,
                path_set=path,
                merged_at=self.buckets.end(bucket),
                bits=float(stages[-1].x[column]) * self.unit,
            )
            for wanted, of_demand in zip(self.wanted, self._flows(LinearProgram()), strict=True)
            for column, path, bucket in of_demand
            if stages[-1].x[column] * self.unit >= LEAST_BITS
        ]

    def rough_flows(self, choice: Choice) -> list[PlannedFlow]:
        """Flows in small steps, without a solver."""
        shares = [(w.demand.priority, w.weight, w.bits, w.sets) for w in self.wanted]
        found = greedy_flows(shares, self.keys, choice, self.bits, self.buckets)
        return [
            PlannedFlow(
                demand_id=self.wanted[number].demand.demand_id,
                path_set=self.wanted[number].sets[path],
                merged_at=self.buckets.end(bucket),
                bits=bits,
            )
            for (number, path, bucket), bits in found.items()
        ]

    def served(self, flows: Sequence[PlannedFlow]) -> dict[str, float]:
        """Bits of each demand that these flows serve."""
        found: dict[str, list[float]] = {d.demand_id: [] for d in self.model.problem.demands}
        for flow in flows:
            found[flow.demand_id].append(flow.bits)
        return {name: math.fsum(bits) for name, bits in found.items()}

    def _flow_stages(self, choice: Choice, engine: Engine, limits: Limits) -> list[Solution]:
        built = self.build([], choice, frozenset())
        built.aims = built.aims[:-1]
        return in_stages(built, engine, limits)

    def weak_options(
        self, choice: Choice, groups: int, engine: Engine, limits: Limits
    ) -> list[int]:
        """The options on the links of the demands with the least shares."""
        served = self.served(self.flows(choice, engine, limits))

        def share(wanted: Wanted) -> tuple[int, float, str]:
            demand = wanted.demand
            part = served[demand.demand_id] / wanted.bits / wanted.weight
            return -demand.priority, part, demand.demand_id

        weakest = sorted(self.wanted, key=share)[:groups]
        links = {link for w in weakest for path in w.sets for link, _ in path.uses}
        return sorted(i for link in links for of in self.keys[link].options for i in of)

    def greedy(self) -> Choice:
        """The best option of the link that has least for what demands ask of it."""
        need: dict[str, float] = defaultdict(float)
        for wanted in self.wanted:
            for path in wanted.sets:
                for link, times in path.uses:
                    need[link] += wanted.weight * wanted.bits * times / len(wanted.sets)
        options = {
            link: [i for of_bucket in self.keys[link].options for i in of_bucket] for link in need
        }
        held = {
            link: self.keys[link].supply.stock_bits
            + self.keys[link].refill_bits * self.buckets.count
            + sum(self.keys[link].coming_bits)
            for link in need
        }
        choice = Choice(self.model)
        worst_first(choice, options, need, self.bits, held)
        return choice

    def rough_measure(self, choice: Choice) -> tuple[float, ...]:
        """Measures of these flows, which the best flows can only exceed."""
        served = self.served(self.rough_flows(choice))
        found: list[float] = []
        for level in self.classes:
            of_class = [w for w in self.wanted if w.demand.priority == level]
            bits = [served[w.demand.demand_id] for w in of_class]
            found.append(min(b / w.bits / w.weight for b, w in zip(bits, of_class, strict=True)))
            found.append(sum(b * w.weight for b, w in zip(bits, of_class, strict=True)))
        return (*found, choice.value())

    def rough_bound(self) -> float:
        """No share exceeds all of it."""
        if not self.classes:
            return bound_by_resource(self.model)
        return min(1.0 / w.weight for w in self.wanted if w.demand.priority == self.classes[0])


def wanted_bits(demand: Demand, problem: PlanProblem, days: float) -> float:
    """The bits a demand asks for in so many days, as far as its high-water mark leaves room."""
    volume = demand.bits_per_day * days
    stock = problem.pair_stock.get(demand.demand_id, 0)
    return max(0.0, min(volume, demand.high_water_bits - stock + volume))


def raised_weight(demand: Demand, problem: PlanProblem) -> float:
    """The weight of a demand, up to twice as much as its stock sinks below the low-water mark."""
    stock = problem.pair_stock.get(demand.demand_id)
    if stock is None or stock >= demand.low_water_bits:
        return demand.weight
    return demand.weight * (2.0 - stock / demand.low_water_bits)


def _sets_by_demand(problem: PlanProblem) -> dict[str, list[PathSet]]:
    """The path sets of each demand. Raises PlanError for one that fits no demand."""
    demands = {demand.demand_id: demand for demand in problem.demands}
    found: dict[str, list[PathSet]] = {name: [] for name in demands}
    for path_set in problem.path_sets:
        demand = demands.get(path_set.demand_id)
        if demand is None:
            known = ", ".join(sorted(demands)) or "none"
            raise PlanError(
                f"a path set serves unknown demand {path_set.demand_id}; known: {known}"
            )
        for path in path_set.paths:
            if {path[0], path[-1]} != {demand.node_a, demand.node_b}:
                raise PlanError(
                    f"demand {demand.demand_id} joins {demand.node_a} and {demand.node_b},"
                    f" but a path set of it runs from {path[0]} to {path[-1]}"
                )
        found[path_set.demand_id].append(path_set)
    return found
