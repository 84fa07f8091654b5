"""An exact model of small problems, written apart from the planner: for tests and `make oracle`.

Sessions exclude each other pair by pair, ways are all simple paths of the network, and every
batch of key is followed from its arrival to its use. Solved by SciPy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from uuid import UUID

import networkx as nx
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from scheduler.domain import Booking, BookingState, Candidate, Demand, LinkSupply, Pool
from scheduler.paths import find_routes
from scheduler.plan import PlanProblem, PlanRules
from tests.scheduler.paths.networks import network, want
from tests.scheduler.plan.small import START, _groups, allowed, candidate

MIDNIGHT = START.replace(hour=0)
DAY_S = 86_400.0
TIME_LIMIT_S = 60.0
SHARE_MAX = 2.5  # of a demand with the least weight, all of it
HELD = 2e-6  # by which one level is held less than it reached: twice SciPy's tolerance
FINE = 1e4
"""How much finer levels are held once it is known what is booked: a millionth of a large demand's
share may be worth a hundred times as much to a small one."""


def instance(seed: int, pairs: int = 3) -> PlanProblem:
    """A few satellites over a few stations for one to three days; rules and key of any kind."""
    rng = np.random.default_rng(seed)
    days = int(rng.integers(1, 4))
    satellites = [f"s{n}" for n in range(int(rng.integers(2, 8)))]
    stations = "abcd"[: int(rng.integers(2, 5))]
    links = [(station, satellite) for satellite in satellites for station in stations]
    links += [pair for pair in combinations(stations, 2) if rng.random() < 0.25]
    scenario = network(*links)
    passes = tuple(
        candidate(
            str(rng.choice(satellites)),
            str(rng.choice(list(stations))),
            float(rng.integers(0, 6000)) + DAY_S * int(rng.integers(0, days)),
            float(rng.integers(60, 700)),
            float(rng.integers(1, 60)) * 1000.0,
            clear=float(rng.choice([1.0, 0.5, 0.25])),
            pass_id=str(rng.choice(["", "", "", "one", "two"])),
            name=f"c{number}",
        )
        for number in range(int(rng.integers(4, 22)))
    )
    rules = PlanRules(
        setup_s=float(rng.choice([0.0, 30.0])),
        slew_s=float(rng.choice([0.0, 60.0])),
        max_sessions_per_day=_limit(rng, 2),
        max_sessions_per_orbit=_limit(rng, 1),
    )
    ends = [tuple(pair) for pair in combinations(stations, 2)]
    rng.shuffle(ends)
    demands = tuple(
        want(
            *pair, int(rng.integers(1, 60)) * 1000,
            weight=float(rng.choice([0.5, 1.0, 2.0])),
            min_disjoint_paths=int(rng.choice([1, 1, 2])),
        )
        for pair in ends[: int(rng.integers(1, pairs + 1))]
    )  # fmt: skip
    found = [find_routes(scenario, demand) for demand in demands]
    problem = PlanProblem(
        candidates=passes,
        rules=rules,
        demands=demands,
        path_sets=tuple(path for routes in found for path in routes.path_sets),
        refusals={routes.demand_id: routes.refusal for routes in found if routes.refusal},
        supplies=tuple(_supply(rng, link.pool.pool_id, days) for link in scenario.links),
        scenario=scenario,
        starts_at=MIDNIGHT,
        ends_at=MIDNIGHT + timedelta(days=days),
    )
    return replace(problem, bookings=_locks(rng, problem))


def _limit(rng: np.random.Generator, usual: int) -> int | None:
    return usual if rng.random() < 0.3 else None


def _supply(rng: np.random.Generator, pool_id: str, days: int) -> LinkSupply:
    ground = ":s" not in pool_id and "--s" not in pool_id
    stock = int(rng.integers(0, 20)) * 1000 if rng.random() < 0.4 else 0
    dies = MIDNIGHT + timedelta(hours=float(rng.integers(1, 24 * days)))
    return LinkSupply(
        pool_id=pool_id,
        stock_bits=stock,
        refill_bits_per_day=float(rng.integers(0, 30)) * 1000.0 if ground else 0.0,
        reserve_bits=int(rng.choice([0, 0, 1500])),
        buffer_bits=int(rng.integers(5, 40)) * 1000 if rng.random() < 0.2 else None,
        lifetime_s=float(rng.choice([40_000.0, 100_000.0])) if rng.random() < 0.2 else None,
        expiring=((dies, stock // 2),) if stock and rng.random() < 0.3 else (),
        coming=((dies, 3000),) if rng.random() < 0.1 else (),
    )


def _locks(rng: np.random.Generator, problem: PlanProblem) -> tuple[Booking, ...]:
    """Up to two sessions that stand and are locked; they fit each other."""
    locked: list[Candidate] = []
    for index in rng.permutation(len(problem.candidates))[:2].tolist():
        one = problem.candidates[index]
        if rng.random() < 0.3 and allowed(problem, (*locked, one)):
            locked.append(one)
    return tuple(
        Booking(
            booking_id=UUID(int=number + 1), candidate=one, state=BookingState.BOOKED,
            reason="booked before", booked_at=MIDNIGHT, changed_at=MIDNIGHT, locked=True,
        )
        for number, one in enumerate(locked)
    )  # fmt: skip


def ways_of(problem: PlanProblem, demand: Demand) -> list[list[str]]:
    """Every way to serve a demand, as its links: all sets of disjoint simple paths."""
    assert problem.scenario is not None
    graph = nx.Graph([(link.pool.node_a, link.pool.node_b) for link in problem.scenario.links])
    paths = list(nx.all_simple_paths(graph, demand.node_a, demand.node_b))
    if demand.min_disjoint_paths == 1:
        sets = [(path,) for path in paths]
    else:
        sets = [
            pair for pair in combinations(paths, demand.min_disjoint_paths)
            if not set(pair[0][1:-1]) & set(pair[1][1:-1]) and pair[0] != pair[1]
        ]  # fmt: skip
    return [[Pool.link(*hop).pool_id for path in one for hop in pairwise(path)] for one in sets]


@dataclass
class Program:
    """Rows and columns for SciPy: maximise `cost @ x`."""

    cost: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    rows: list[dict[int, float]] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    held: list[int] = field(default_factory=list)  #: rows that ask for HELD less than they mean

    def column(self, cost: float = 0.0, upper: float = np.inf, *, whole: bool = False) -> int:
        self.cost.append(cost)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.cost) - 1

    def row(self, terms: dict[int, float], least: float = -np.inf, most: float = np.inf) -> None:
        self.rows.append(terms)
        self.least.append(least)
        self.most.append(most)

    def best(self) -> float | None:
        """The optimum; None if it was not proven in time."""
        entries = [(r, c, f) for r, row in enumerate(self.rows) for c, f in row.items()]
        row, column, factor = zip(*entries, strict=True) if entries else ((), (), ())
        matrix = coo_array((factor, (row, column)), shape=(len(self.rows), len(self.cost)))
        found = milp(
            -np.array(self.cost),
            constraints=[LinearConstraint(matrix.tocsr(), self.least, self.most)],
            bounds=Bounds(0.0, self.upper),
            integrality=self.whole,
            options={"mip_rel_gap": 1e-7, "time_limit": TIME_LIMIT_S},
        )
        if found.status or not self.held:
            return None if found.status else -float(found.fun)
        least, whole = np.array(self.least), np.array(self.whole)
        least[self.held] += HELD * (1.0 - 1.0 / FINE)
        fixed = np.rint(found.x)
        exact = milp(
            -np.array(self.cost),
            constraints=[
                LinearConstraint(FINE * matrix.tocsr(), FINE * least, FINE * np.array(self.most))
            ],
            bounds=Bounds(np.where(whole, fixed, 0.0), np.where(whole, fixed, self.upper)),
        )
        return -float(found.fun if exact.status else exact.fun)


def _bookings(problem: PlanProblem, program: Program) -> dict[str, int]:
    """A column for each session, and a row for each pair and each limit that it breaks."""
    free = replace(
        problem, rules=replace(
            problem.rules, max_sessions_per_day=None, max_sessions_per_orbit=None
        ),
    )  # fmt: skip
    locked = {booking.candidate.candidate_id for booking in problem.locked()}
    columns = {}
    for one in problem.candidates:
        column = columns[one.candidate_id] = program.column(upper=1.0, whole=True)
        if one.candidate_id in locked:
            program.row({column: 1.0}, least=1.0)
        if one.expected_bits < problem.rules.min_secret_bits:
            program.row({column: 1.0}, most=0.0)
    for pair in combinations(problem.candidates, 2):
        if not allowed(free, pair):
            program.row({columns[one.candidate_id]: 1.0 for one in pair}, most=1.0)
    for group, limit in _groups(problem.rules, problem.candidates):
        if limit is not None:
            program.row({columns[one.candidate_id]: 1.0 for one in group}, most=limit)
    return columns


def best_total(problem: PlanProblem) -> float | None:
    """The most expected bits."""
    program = Program()
    columns = _bookings(problem, program)
    for one in problem.candidates:
        program.cost[columns[one.candidate_id]] = one.expected_bits
    return program.best()


def best_least(problem: PlanProblem, stations: set[str]) -> float | None:
    """The most that the worst of these stations can have."""
    program = Program()
    columns = _bookings(problem, program)
    least = program.column(1.0)
    for station in stations:
        terms = {
            columns[one.candidate_id]: one.expected_bits
            for one in problem.candidates if one.station_id == station
        }  # fmt: skip
        program.row({**terms, least: -1.0}, least=0.0)
    return program.best()


def best_share(problem: PlanProblem, demands: set[str]) -> float | None:
    """The largest least share of these demands, by weight."""
    program, shares = _flows(problem, demands)
    least = program.column(1.0)
    for share in shares:
        program.row({**share, least: -1.0}, least=0.0)
    return program.best()


def most_above(problem: PlanProblem, demands: set[str], least: float, step: float) -> float | None:
    """How many of these demands can have a step more than the least share, which all have."""
    program, shares = _flows(problem, demands)
    for share in shares:
        above = program.column(1.0, 1.0, whole=True)
        program.row({**share, above: -step}, least=least)
    return program.best()


def best_leximin(problem: PlanProblem, demands: set[str]) -> list[float] | None:
    """The shares of these demands in rising order, each as large as those before it allow.

    The k-th least share is t if all but k - 1 of them are at least t.
    """
    found: list[float] = []
    for place in range(len(demands)):
        program, shares = _flows(problem, demands)
        for count, held in enumerate([*found, None]):
            level = program.column(0.0 if held is not None else 1.0)
            if held is not None:
                program.held.append(len(program.rows))
                program.row({level: 1.0}, least=held - HELD)
            apart = [program.column(upper=1.0, whole=True) for _ in shares]
            for share, below in zip(shares, apart, strict=True):
                program.row({**share, below: SHARE_MAX, level: -1.0}, least=0.0)
            program.row(dict.fromkeys(apart, 1.0), most=float(count))
        best = program.best()
        if best is None:
            return None
        found.append(best)
        assert len(found) == place + 1
    return found


def _flows(problem: PlanProblem, demands: set[str]) -> tuple[Program, list[dict[int, float]]]:
    """The program of bookings and flows, and the share of each of these demands, by weight."""
    program = Program()
    columns = _bookings(problem, program)
    shares = []
    assert problem.starts_at is not None
    assert problem.ends_at is not None
    days = round((problem.ends_at - problem.starts_at) / timedelta(days=1))
    drawn: dict[tuple[str, int], dict[int, float]] = {}
    for demand in problem.demands:
        if demand.demand_id not in demands:
            continue
        flows = {}
        for links in ways_of(problem, demand):
            for day in range(days):
                flow = program.column()
                flows[flow] = 1.0
                for link in links:
                    drawn.setdefault((link, day), {})[flow] = 1.0
        wanted = float(demand.bits_per_day * days)
        program.row(flows, most=wanted)
        shares.append(dict.fromkeys(flows, 1.0 / (demand.weight * wanted)))
    for supply in problem.supplies:
        _store(problem, program, columns, supply, days, drawn)
    return program, shares


def _store(
    problem: PlanProblem,
    program: Program,
    columns: dict[str, int],
    supply: LinkSupply,
    days: int,
    drawn: dict[tuple[str, int], dict[int, float]],
) -> None:
    """Every batch of a link by itself: what is used of it each day, and what is kept of it."""
    kept: list[dict[int, float]] = [{} for _ in range(days)]
    used: list[dict[int, float]] = [{} for _ in range(days)]
    for first, bits, session, ends in _batches(problem, supply, days):
        before: int | None = None
        for day in range(first, days):
            use, keep = program.column(), program.column()
            used[day][use] = 1.0
            if ends is None or ends > MIDNIGHT + timedelta(days=day + 1):
                kept[day][keep] = 1.0
            else:
                program.upper[keep] = 0.0
            terms = {use: 1.0, keep: 1.0}
            if before is not None:
                program.row({**terms, before: -1.0}, most=0.0)
            elif session is None:
                program.row(terms, most=bits)
            else:
                program.row({**terms, columns[session]: -bits}, most=0.0)
            before = keep
    floors = _reserve(problem, supply, days)
    for day in range(days):
        program.row(
            {**drawn.get((supply.pool_id, day), {}), **dict.fromkeys(used[day], -1.0)}, most=0.0
        )
        limit = np.inf if supply.buffer_bits is None else float(supply.buffer_bits)
        program.row(kept[day], least=floors[day], most=limit)


def _batches(
    problem: PlanProblem, supply: LinkSupply, days: int
) -> Iterator[tuple[int, float, str | None, datetime | None]]:
    """(first day, bits, session that brings them, when they expire)."""

    def ends(made: datetime) -> datetime | None:
        life = supply.lifetime_s
        return None if life is None else made + timedelta(seconds=life)

    yield 0, supply.stock_bits - sum(b for _, b in supply.expiring), None, None
    for when, bits in supply.expiring:
        yield 0, bits, None, when
    for when, bits in supply.coming:
        day = max(0, (when - MIDNIGHT) // timedelta(days=1))
        if day < days:
            yield day, bits, None, None
    for day in range(days):
        yield day, supply.refill_bits_per_day, None, ends(MIDNIGHT + timedelta(days=day))
    for one in problem.candidates:
        day = (one.loses_at - MIDNIGHT) // timedelta(days=1)
        if Pool.link(one.satellite_id, one.station_id).pool_id == supply.pool_id and day < days:
            yield day, one.expected_bits, one.candidate_id, ends(one.loses_at)


def _reserve(problem: PlanProblem, supply: LinkSupply, days: int) -> list[float]:
    """What must be left each day: the reserve, as far as it is there without sessions and use."""
    alone = [b for b in _batches(problem, supply, days) if b[2] is None]
    limit = np.inf if supply.buffer_bits is None else float(supply.buffer_bits)
    floors, have = [], 0.0
    for day in range(days):
        end = MIDNIGHT + timedelta(days=day + 1)
        alive = sum(b[1] for b in alone if b[0] <= day and (b[3] is None or b[3] > end))
        have = min(have + sum(b[1] for b in alone if b[0] == day), alive, limit)
        floors.append(min(float(supply.reserve_bits), have))
    return floors
