"""The Micius campaign of 2016-2017: key of each station and pair, night by night.

    python examples/micius_campaign.py --days 14

The published pass over Xinglong is that of 2016-12-19: 300,939 bits of final key (Liao et al.,
Nature 549, 43, 2017). Counts are drawn around the model, so a session's key varies with the seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta

from replaying import MBIT, replayed


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every session, and what the pairs had of them."""
    parser = argparse.ArgumentParser(description="The Micius campaign, replayed.")
    parser.add_argument("--days", type=float, default=14.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    scenario, found = replayed("micius-2016", timedelta(days=asked.days), seed=asked.seed)
    for one in found.settled:
        print(
            f"{one.acquires_at:%Y-%m-%d %H:%M} {one.station:9} {one.max_elevation_deg:4.1f} deg:"
            f" {one.secret_bits:9,} of {one.expected_secret_bits:9,.0f} bits foretold"
        )
    for pair in found.pairs:
        print(f"{pair.node_a} - {pair.node_b}: {pair.merged_bits / MBIT:.2f} Mbit end to end")
    print(f"{len(scenario.demands)} demands, {len(found.unplanned)} spans without elements")


if __name__ == "__main__":
    main()
