"""The integrated network of 4,600 km, without and with the fibre channel to Xinjiang.

    python examples/integrated.py --days 3

With the channel Nanshan has a second path, disjoint from the satellite's as far as Beijing: its
pair asks for combined key, which no single relay knows (Chen et al., Nature 589, 214, 2021; the
channel: State Grid, 2019, a secondary source).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta

from replaying import MBIT, replayed


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what the pairs of Nanshan and all others had, in both networks."""
    parser = argparse.ArgumentParser(description="A second path to Xinjiang, replayed.")
    parser.add_argument("--days", type=float, default=3.0)
    asked = parser.parse_args(arguments)
    for name in ("integrated-4600km", "integrated-4600km-xinjiang"):
        scenario, found = replayed(name, timedelta(days=asked.days))
        bits = {(one.node_a, one.node_b): one.merged_bits for one in found.pairs}
        west = sum(one for pair, one in bits.items() if "nanshan" in pair)
        combined = sum(
            bits.get((one.pool.node_a, one.pool.node_b), 0)
            for one in scenario.demands
            if one.min_disjoint_paths > 1
        )
        print(
            f"{name}: {len(bits)} of {len(scenario.demands)} pairs with key,"
            f" {sum(bits.values()) / MBIT:.2f} Mbit; Nanshan's {west / MBIT:.2f},"
            f" of pairs that ask for combined key {combined / MBIT:.2f}"
        )


if __name__ == "__main__":
    main()
