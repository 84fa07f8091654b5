"""How fast the key runway of many pairs is worked out, and how fast one pass is taken away."""

import os
import time

import numpy as np
import pytest

from scheduler.runway import (
    Runway,
    RunwayLink,
    RunwayPair,
    RunwayPass,
    RunwayProblem,
    shares_of,
)

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
DAY_S = 86_400.0


def _problem(pairs: int, passes: int, days: float, draws: int) -> RunwayProblem:
    """Three satellites, ten stations, a trunk of sixty spans; each pair by two ways."""
    rng = np.random.default_rng(1)
    spans = [RunwayLink(pool_id=f"f{i}", stock_bits=1e5, refill_bps=500.0) for i in range(60)]
    links = [RunwayLink(pool_id=f"m{s}--s{g}") for s in range(3) for g in range(10)]
    sessions = [
        RunwayPass(
            name=f"p{k}",
            pool_id=links[rng.integers(30)].pool_id,
            usable_s=float(rng.random() * days * DAY_S),
            draws_bits=(rng.random(draws) < 0.6) * rng.lognormal(np.log(3e5), 0.3, draws),
        )
        for k in range(passes)
    ]
    flows = []
    for pair in range(pairs):
        for _ in range(2):
            two = rng.choice(30, 2, replace=False)
            hops = [links[i].pool_id for i in two]
            hops += [f"f{i}" for i in rng.choice(60, 6, replace=False)]
            flows.append((f"pair{pair}", [(hop, 1) for hop in hops], 1000.0))
    return RunwayProblem(
        horizon_s=days * DAY_S,
        links=(*links, *spans),
        passes=tuple(sessions),
        ways=shares_of(flows),
        pairs=tuple(
            RunwayPair(pair_id=f"pair{i}", stock_bits=5e4, draw_bps=0.5) for i in range(pairs)
        ),
    )


def test_the_runway_of_300_pairs_over_a_week() -> None:
    pairs = 30 if SMOKE else 300
    problem = _problem(pairs, passes=210, days=7.0, draws=100)
    start = time.process_time()
    runway = Runway(problem)
    whole_s = time.process_time() - start
    toggles = []
    for one in problem.passes[:50]:
        start = time.process_time()
        runway.changes(frozenset({one.name}))
        toggles.append(time.process_time() - start)
    print(
        f"\nrunway of {pairs} pairs, 210 passes, 7 days, 100 draws: {whole_s * 1e3:.0f} ms CPU"
        f" (wanted 300); a pass taken away: median {np.median(toggles) * 1e3:.0f} ms,"
        f" most {max(toggles) * 1e3:.0f} (wanted 100)"
    )
