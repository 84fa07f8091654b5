"""The fibre networks: who gets how much over how many relays, and how fair that is.

    python examples/trunk.py --scenario beijing-shanghai --hours 6
    python examples/trunk.py --scenario quantum-mesh --hours 0.01
    python examples/trunk.py --scenario cn-qcn-2025 --hours 6
    python examples/trunk.py --scenario ports --hours 6

Each relay on its path knows a relayed key (Chen et al., Nature 589, 214, 2021).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta

from replaying import replayed

from scheduler.paths import find_routes, jain_index


def main(arguments: Sequence[str] | None = None) -> None:
    """Print each pair's relays, and the key that it asked for and had."""
    parser = argparse.ArgumentParser(description="A network of fibre, replayed.")
    parser.add_argument("--scenario", default="beijing-shanghai")
    parser.add_argument("--hours", type=float, default=6.0)
    asked = parser.parse_args(arguments)
    span = timedelta(hours=asked.hours)
    scenario, found = replayed(asked.scenario, span)
    bits = {(one.node_a, one.node_b): one.merged_bits for one in found.pairs}
    shares = []
    for demand in scenario.demands:
        routes = find_routes(scenario, demand).routes
        relays = min((len(path) - 2 for route in routes for path in route.paths), default=0)
        had = bits.get((demand.pool.node_a, demand.pool.node_b), 0)
        wanted = demand.bits_per_day * (span / timedelta(days=1))
        shares.append(had / wanted)
        print(f"{demand.demand_id}: {relays} relays, {had:,} bits of {wanted:,.0f}")
    print(f"fairness (Jain's index): {jain_index(shares):.4f}")


if __name__ == "__main__":
    main()
