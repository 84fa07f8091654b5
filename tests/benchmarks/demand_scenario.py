"""A small network with two ways for each pair and scarce weather, for the demand objective."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np

from scheduler.domain import Candidate, Demand, LinkSupply, PathSet, Pool
from scheduler.plan import PlanProblem, PlanRules
from tests.benchmarks.constellation import START, Constellation, candidates

NIGHTS = 3
SATELLITES = ("sat000", "sat001")
# Volumes unlike the passes on purpose: the pairs that want most see the satellites least.
DEMANDS = (
    ("bank", "gs00", "gs01", 60_000),
    ("grid", "gs02", "gs03", 120_000),
    ("port", "gs01", "gs04", 40_000),
    ("post", "gs03", "gs04", 90_000),
)
CLEAR = {"gs00": 0.6, "gs01": 0.25, "gs02": 0.5, "gs03": 0.15, "gs04": 0.3}


def passes(seed: int = 1) -> tuple[Candidate, ...]:
    """Night passes of two satellites over five stations, under mostly cloudy skies."""
    found = candidates(
        Constellation(satellites=2, stations=5, nights=NIGHTS, clusters=1, seed=seed)
    )
    return tuple(replace(c, clear_probability=CLEAR[c.station_id]) for c in found)


def problem(seed: int = 1) -> PlanProblem:
    """Each pair is served by either satellite as a relay, or over a thin fibre to gs00."""
    demands, path_sets = [], []
    for name, one, other, bits_per_day in DEMANDS:
        demands.append(Demand(demand_id=name, node_a=one, node_b=other, bits_per_day=bits_per_day))
        for satellite in SATELLITES:
            path_sets.append(_relay(name, one, satellite, other))
    path_sets.append(_relay("bank", "gs00", "gs02", "sat000", "gs01"))
    path_sets.append(_relay("grid", "gs02", "gs00", "sat001", "gs03"))
    return PlanProblem(
        candidates=passes(seed),
        rules=PlanRules(max_sessions_per_day=3, min_secret_bits=1.0),
        demands=tuple(demands),
        path_sets=tuple(path_sets),
        supplies=(LinkSupply(pool_id=Pool.link("gs00", "gs02").pool_id, refill_bits_per_day=9000),),
        starts_at=START,
        ends_at=START + timedelta(days=NIGHTS),
    )


def _relay(demand_id: str, *nodes: str) -> PathSet:
    uses = tuple((Pool.link(one, other).pool_id, 1) for one, other in pairwise(nodes))
    return PathSet(demand_id=demand_id, uses=uses, paths=(nodes,))


def large_problem(of: Constellation, demands: int = 12, seed: int = 3) -> PlanProblem:
    """Random pairs of stations, each served by any of eight satellites as a relay."""
    options = candidates(of)
    rng = np.random.default_rng(seed)
    stations = sorted({c.station_id for c in options})
    relays = sorted({c.satellite_id for c in options})[:8]
    wanted, path_sets = [], []
    for number in range(demands):
        one, other = rng.choice(stations, 2, replace=False).tolist()
        name = f"d{number:02d}"
        bits_per_day = int(rng.integers(1, 20)) * 200_000
        wanted.append(Demand(demand_id=name, node_a=one, node_b=other, bits_per_day=bits_per_day))
        path_sets += [_relay(name, one, satellite, other) for satellite in relays]
    return PlanProblem(candidates=options, demands=tuple(wanted), path_sets=tuple(path_sets))
