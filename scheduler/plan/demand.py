"""End-to-end key demanded: bookings and flows in one program, the worst-served demand first."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from scheduler.domain import Demand, PathSet
from scheduler.errors import PlanError
from scheduler.network import Scenario
from scheduler.paths import DemandGraph, graphs_of, hold, path_count
from scheduler.plan.bounds import bound_by_resource
from scheduler.plan.demand_program import DemandProgram, Wanted, path_set_along
from scheduler.plan.greedy import Choice, worst_first
from scheduler.plan.greedy_flows import greedy_flows
from scheduler.plan.model import Model, flat_bonus
from scheduler.plan.problem import PlannedFlow, PlanProblem
from scheduler.plan.staged import (
    BLEND_FROM,
    BLEND_SCALE,
    SLACK,
    SMALL,
    Built,
    Relaxed,
    Step,
    bookable,
)
from scheduler.plan.supply import Buckets, LinkKey, bits_of, buckets_of, link_keys
from scheduler.solver import Engine, Floats, Limits, Solution, SolverFailed

SCALE = 1e3  # the largest demand in a program: the solver's tolerances are absolute
LEAST_BITS = 1e-3  # a flow below this is the solver's rounding
BLEND = 0.001
"""Part of a whole share that the total may weigh beside the least share, in a large program."""
FLOWS_MAX = 20_000  # flows of all demands up to which their ways are listed, not looked for
LEXIMIN_MAX = 16
"""Demands of one class up to which, in a small program, each next least share is an aim."""
CLEAN_UP_ITERATIONS = 20_000  # of simplex, for the level without the blend


class DemandAim:
    """Two measures a priority class, the highest first, and the value of everything booked.

    Of a class: the least share served, each divided by its weight; the weighed bits served. The
    first measure has a bonus for each booking that stays: what so much more key would add to the
    least share if all demands of the class had a part in it.
    Demands that nothing can serve are left out, and named in a note.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.bits = bits_of(model)
        problem = model.problem
        sets = _sets_by_demand(problem)
        self.buckets: Buckets = buckets_of(problem, model.options)
        graphs = {} if problem.scenario is None else _graphs(problem, problem.scenario)
        links = {link for found in sets.values() for path in found for link, _ in path.uses}
        links |= {hop for graph in graphs.values() for hop in graph.hops.values()}
        every = link_keys(model, self.buckets, links)
        self.keys: Mapping[str, LinkKey] = {n: k for n, k in every.items() if k.can_give()}
        self.dry = frozenset(every.keys() - self.keys.keys())  #: links without any key
        self.wanted: list[Wanted] = []
        for demand in sorted(problem.demands, key=lambda d: (-d.priority, d.demand_id)):
            self._add(demand, sets[demand.demand_id], graphs.get(demand.demand_id))
        self.classes = sorted({w.demand.priority for w in self.wanted}, reverse=True)
        self.unit = max([1.0, *(w.bits for w in self.wanted)]) / SCALE
        top = math.fsum(
            w.weight * w.bits for w in self.wanted if w.demand.priority == self.classes[0]
        )
        bonus = flat_bonus(self.bits, model.standing, problem.rules)
        self.bonus = bonus / top if self.wanted else 0.0
        self._flows: dict[bytes, list[PlannedFlow]] = {}  #: of every choice looked at

    @property
    def complete(self) -> bool:
        """True if no way is looked for: what a program proves holds for every way."""
        return all(wanted.graph is None for wanted in self.wanted)

    def _add(self, demand: Demand, sets: Sequence[PathSet], graph: DemandGraph | None) -> None:
        name = f"demand {demand.demand_id} ({demand.node_a} to {demand.node_b})"
        if not sets:
            why = self.model.problem.refusals.get(demand.demand_id)
            why_not = f"cannot be served: {why}" if why else "has no path"
            self.model.notes.append(f"{name} {why_not}; nothing is planned for it")
            return
        able = [path for path in sets if not any(link in self.dry for link, _ in path.uses)]
        if graph is not None:
            count = path_count(graph)
            flows = self.buckets.count * len(self.model.problem.demands)
            every = graph.all_sets(count, without=self.dry, limit=FLOWS_MAX // flows)
            if every is not None:  # Then there is nothing to look for.
                able = [path_set_along(demand, graph, paths) for paths in every]
                graph = None
            elif not able and (paths := graph.cheapest_paths(count, without=self.dry)):
                able = [path_set_along(demand, graph, paths)]
        if not able:
            dry = next(link for link, _ in sets[0].uses if link in self.dry)
            self.model.notes.append(
                f"{name} cannot be served: {dry} has no key to spare, no refill and no pass"
            )
            return
        bits = wanted_bits(demand, self.model.problem, self.buckets.days)
        if bits > 0.0:
            weight = raised_weight(demand, self.model.problem)
            self.wanted.append(Wanted(demand, bits, weight, able, graph))
        else:
            self.model.notes.append(f"{name} is above its high-water mark; nothing is planned")

    def build(self, columns: Sequence[int], choice: Choice, whole: frozenset[int]) -> Built:
        """Aims of each class: the least share, the next least, .., where there are many the first
        few of them and then what nears the relaxation; the bits served. Last, the value."""
        made = DemandProgram(self, columns, choice, whole)
        few = len(made.index) <= SMALL
        aims: list[Step] = []
        for priority in self.classes:
            members = [n for n, w in enumerate(self.wanted) if w.demand.priority == priority]
            aims.append(made.first if priority == self.classes[0] else made.level(priority))
            if few and len(members) <= LEXIMIN_MAX:
                aims += [made.least_sum(members, size) for size in range(2, len(members) + 1)]
            else:
                rising = list(members)
                levels = [partial(made.above, rising), partial(made.next_least, rising)]
                aims += levels * (len(members) - 1)
                if few or priority != self.classes[-1]:
                    aims.append(made.near(members))
            if few:
                aims.append(made.served(priority))
        if few or not self.classes:
            aims.append(made.worth)
        else:  # One program less: a stage of many options takes seconds.
            part = BLEND / max(1.0, math.fsum(made.worth.values()))
            worth = {column: part * value for column, value in made.worth.items()}
            aims.append(made.near(members) | worth)
        held = self.bonus * choice.kept() if self.classes else choice.value() / self.unit
        return Built(made.program, made.index, aims, held, 1.0 if self.classes else self.unit)

    def relax(self, engine: Engine, limits: Limits) -> Relaxed:
        """The leximin of the relaxation, what it books, and what more key would be worth.

        Raises SolverFailed if the first level has no answer; what comes after may fail.
        """
        columns = bookable(self.model)
        made = DemandProgram(self, columns, Choice(self.model), frozenset())
        program, options = made.program, len(self.model.options)
        if not self.classes:
            program.maximise(made.worth)
            only = made.solve(engine, limits)
            held = Choice(self.model).value()
            return Relaxed(_booked(made.index, only.x, options), only.bound * self.unit + held)
        first = self._first_level(made, engine, limits)
        bound = first.bound
        x = first.x
        prices: dict[str, float] = {}
        notes: list[str] = []
        try:
            floors = np.array(
                [claim.share * first.x[made.levels[self.classes[0]]]
                 if w.demand.priority == self.classes[0] else 0.0
                 for claim, w in zip(made.claims, self.wanted, strict=True)]
            )  # fmt: skip
            hold(program, made.claims, np.minimum(floors, made.caps), made.caps)
            if made.standing:
                reached = sum(float(first.x[column]) for column in made.standing)
                program.row(list(made.standing.items()), lower=reached - SLACK * max(1.0, reached))
            program.maximise({c: f for p in self.classes for c, f in made.served(p).items()})
            worth = made.solve(engine, limits)
            x = worth.x
            prices = {
                link: max(0.0, float(worth.row_duals[row]))
                for link, row in sorted(made.first_rows.items())
            }
            got = made.lift_all(engine, limits)
            for wanted, bits in zip(self.wanted, got, strict=True):
                wanted.target = float(bits) * self.unit
            program.maximise(made.worth)
            x = made.solve(engine, limits).x
        except SolverFailed as failure:
            notes.append(f"the relaxation stopped after its first level: {failure}")
        return Relaxed(_booked(made.index, x, options), bound, prices, tuple(notes))

    def _first_level(self, made: DemandProgram, engine: Engine, limits: Limits) -> Solution:
        """The least share of the first class, with a little of the total in a large program.

        Alone it leaves nearly every column free, and simplex walks for minutes where it then
        takes seconds; its bound is too high by no more than that little.
        """
        blend = 0.0
        if len(made.index) > BLEND_FROM:
            blend = BLEND * self.unit / max(1.0, float(self.model.value.sum()))
        made.program.maximise(made.worth, blend * BLEND_SCALE)
        for column, factor in made.first.items():
            made.program.cost[column] += BLEND_SCALE * factor
        solution = made.solve(engine, limits)
        if not blend:
            return replace(solution, bound=solution.bound / BLEND_SCALE)
        rough = solution.bound / BLEND_SCALE
        try:  # The same again for the level alone: from here it takes a few steps.
            made.program.maximise(made.first)
            few = replace(limits, iterations=CLEAN_UP_ITERATIONS)
            return made.solve(engine, few)
        except SolverFailed:
            return replace(solution, bound=rough)

    def measure(self, choice: Choice, engine: Engine, limits: Limits) -> tuple[float, ...]:
        """The least share and the weighed bits served of each class by leximin; the value."""
        return self.measures_of(self.flows(choice, engine, limits), choice)

    def first_measure(self, choice: Choice, engine: Engine, limits: Limits) -> float:
        """The least share of the highest class with its bonus; the value without any class."""
        if not self.classes:
            return choice.value()
        made = DemandProgram(self, [], choice, frozenset())
        made.program.maximise(made.first)
        return made.solve(engine, limits).objective + self.bonus * choice.kept()

    def flows(self, choice: Choice, engine: Engine, limits: Limits) -> list[PlannedFlow]:
        """The leximin flows over what is booked: what merges will do. Raises SolverFailed."""
        chosen = bytes(choice.chosen)
        if chosen not in self._flows:
            self._flows[chosen] = self._leximin_flows(choice, engine, limits)
        return self._flows[chosen]

    def _leximin_flows(self, choice: Choice, engine: Engine, limits: Limits) -> list[PlannedFlow]:
        if not self.classes:
            return []
        made = DemandProgram(self, [], choice, frozenset())
        made.lift_all(engine, limits)
        made.program.maximise({c: f for p in self.classes for c, f in made.served(p).items()})
        x = made.solve(engine, limits).x
        return [
            PlannedFlow(
                demand_id=self.wanted[number].demand.demand_id,
                path_set=path_set,
                merged_at=self.buckets.end(bucket),
                bits=float(x[column]) * self.unit,
            )
            for column, number, path_set, bucket in made.flows
            if x[column] * self.unit >= LEAST_BITS
        ]

    def rough_flows(self, choice: Choice) -> list[PlannedFlow]:
        """Flows in small steps, without a solver."""
        shares = [(w.demand.priority, w.weight, w.bits, tuple(w.sets)) for w in self.wanted]
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

    def pieces(self, options: Sequence[int], choice: Choice, x: Floats) -> Iterable[Sequence[int]]:
        """All at once: the demands tie them together."""
        return (options,)

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
        """Measures of the flows in small steps, which the best flows can only exceed."""
        return self.measures_of(self.rough_flows(choice), choice)

    def measures_of(self, flows: Sequence[PlannedFlow], choice: Choice) -> tuple[float, ...]:
        """The measures of these flows over these bookings."""
        served = self.served(flows)
        found: list[float] = []
        bonus = self.bonus * choice.kept()
        for level in self.classes:
            of_class = [w for w in self.wanted if w.demand.priority == level]
            bits = [served[w.demand.demand_id] for w in of_class]
            least = min(b / w.bits / w.weight for b, w in zip(bits, of_class, strict=True))
            found.append(least if found else least + bonus)
            found.append(sum(b * w.weight for b, w in zip(bits, of_class, strict=True)))
        return (*found, choice.value())

    def rough_bound(self) -> float:
        """No share exceeds all of it, and no more than all that stands is kept."""
        if not self.classes:
            return bound_by_resource(self.model)
        top = self.classes[0]
        least = min(1.0 / w.weight for w in self.wanted if w.demand.priority == top)
        return least + self.bonus * sum(self.model.standing)


def _booked(index: Mapping[int, int], x: Floats, options: int) -> Floats:
    """How much of each option a solution books."""
    booked = np.zeros(options)
    for option, column in index.items():
        booked[option] = x[column]
    return booked


def _graphs(problem: PlanProblem, scenario: Scenario) -> dict[str, DemandGraph]:
    graphs = graphs_of(scenario)
    found = {demand.demand_id: graphs.of(demand) for demand in problem.demands}
    return {
        demand.demand_id: found[demand.demand_id] for demand in problem.demands
        if found[demand.demand_id].most_disjoint_paths >= demand.min_disjoint_paths
    }  # fmt: skip


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
