"""How fast merges are planned and carried out on bytes."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files

import numpy as np
import pytest

from scheduler.domain import Demand, MergeStep
from scheduler.merge import plan_merges, prove_equality, relay_step
from scheduler.network import parse_scenario
from scheduler.paths import routes_of

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
NOW = datetime(2017, 1, 1, tzinfo=UTC)


def timed(rounds: int, work: Callable[[], object]) -> list[float]:
    """Milliseconds of each round, in order of size."""
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) * 1e3)
    return sorted(spent)


def report(what: str, spent: list[float]) -> None:
    p99 = spent[min(len(spent) - 1, int(len(spent) * 0.99))]
    print(f"{what}: median {spent[len(spent) // 2]:.2f} ms, p99 {p99:.2f} ms, n = {len(spent)}")


@pytest.mark.parametrize("pairs", [24, 300])
def test_planning_the_merges_of_one_tick(pairs: int) -> None:
    text = files("scheduler").joinpath("scenarios", "beijing-shanghai.toml").read_text("utf-8")
    scenario = parse_scenario(text)
    demands: list[Demand] = [
        replace(demand, demand_id=f"{demand.demand_id}-{copy}")
        for copy in range(-(-pairs // len(scenario.demands)))
        for demand in scenario.demands
    ][: 24 if SMOKE else pairs]
    stock = {link.pool.pool_id: link.buffer_bits for link in scenario.links}
    start = time.perf_counter()
    routes = routes_of(scenario, demands)
    print(f"\nroutes of {len(demands)} pairs: {time.perf_counter() - start:.2f} s, once")

    spent = timed(
        2 if SMOKE else 30,
        lambda: plan_merges(
            scenario=scenario, demands=demands, stock=stock, served={}, now=NOW, routes=routes
        ),
    )

    report(f"plan of {len(demands)} pairs over 135 links", spent)


@pytest.mark.parametrize("bits", [256, 200_192])
def test_relaying_over_33_hops(bits: int) -> None:
    keys = [np.random.default_rng(hop).bytes(bits // 8) for hop in range(33)]
    copies = [[(key, key) for key in keys]]
    step = MergeStep(
        demand_id="a--z",
        path=("a", *(f"r{i}" for i in range(32)), "z"),
        links=tuple(f"link:a--b#{i + 2}" for i in range(33)),
        bits=bits,
    )

    report(
        f"\nrelay of {bits} bits over 33 hops, bytes only",
        timed(5 if SMOKE else 200, lambda: relay_step(step, copies)),
    )


@pytest.mark.parametrize("bits", [512, 200_192])
def test_proving_both_ends_equal(bits: int) -> None:
    run = np.random.default_rng(1).bytes(bits // 8)

    report(
        f"\nequality proof over {bits} bits, one end",
        timed(5 if SMOKE else 200, lambda: prove_equality(run)),
    )
