"""Replay every network that ships, and print what runs and what came of it as a Markdown table.

    python examples/networks.py --days 2

Networks that make key for their pairs every second are replayed for two minutes. Satellites of
which no element set ships fly an orbit that is made up: 500 km, 97.4 degrees.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta

from replaying import replayed

from scheduler.sources.scenarios import load_scenario, scenario_names

KBIT = 1e3
MERGES = 120
"""No network is replayed for longer than so many of its merges take."""
COLUMNS = (
    "scenario", "satellites", "stations", "nodes", "links", "km", "users", "replayed", "sessions",
    "station key, kbit", "merges", "end-to-end key, kbit", "pairs with key", "processor, s",
)  # fmt: skip


def row(name: str, longest: timedelta) -> Iterator[str]:
    """Yield the cells of a network."""
    began = time.process_time()
    every = timedelta(seconds=load_scenario(name).schedule.merge_interval_s)
    span = min(longest, MERGES * every)
    scenario, found = replayed(name, span)
    assert not found.ledger_problems, found.ledger_problems
    yield f"`{name}`"
    yield f"{len(scenario.satellites)}"
    yield f"{len(scenario.stations)}"
    yield f"{len(scenario.nodes):,}"
    yield f"{len(scenario.links):,}"
    yield f"{scenario.fibre_km:,.0f}"
    yield f"{scenario.user_count}"
    yield f"{span / timedelta(days=1):g} d" if span >= timedelta(days=1) else f"{span.seconds} s"
    yield f"{len(found.settled):,}"
    yield f"{sum(one.secret_bits for one in found.stations) / KBIT:,.0f}"
    yield f"{sum(one.merges for one in found.pairs):,}"
    yield f"{sum(one.merged_bits for one in found.pairs) / KBIT:,.0f}"
    pairs = {demand.pool.pool_id for demand in scenario.demands}
    yield f"{len(found.pairs)} of {len(pairs)}"
    yield f"{time.process_time() - began:.0f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of the networks that the command line names, all by default."""
    parser = argparse.ArgumentParser(description="A table of what runs in each network.")
    parser.add_argument("names", nargs="*", default=scenario_names(), help="of scenarios")
    parser.add_argument("--days", type=float, default=2.0, help="to replay (2)")
    asked = parser.parse_args(arguments)
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
    for name in asked.names:
        print("| " + " | ".join(row(name, timedelta(days=asked.days))) + " |", flush=True)


if __name__ == "__main__":
    main()
