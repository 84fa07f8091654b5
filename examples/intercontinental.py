"""Beijing - Vienna by Micius, 7,600 km: key between the two by day (Liao et al., PRL 120, 2018).

    python examples/intercontinental.py --days 14

The satellite makes key with Xinglong and with Graz in turn, and announces the XOR of both at its
next contact: it knows every key that it relays.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta

from replaying import MBIT, replayed


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the key of each station, that of each pair, and what still waits."""
    parser = argparse.ArgumentParser(description="Beijing - Vienna, replayed.")
    parser.add_argument("--days", type=float, default=14.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    _, found = replayed("intercontinental", timedelta(days=asked.days), seed=asked.seed)
    for station in found.stations:
        print(
            f"{station.station}: {station.settled} sessions of {station.dark} dark passes,"
            f" {station.secret_bits / MBIT:.2f} Mbit"
        )
    for pair in found.pairs:
        a_day = pair.merged_bits / asked.days
        print(f"{pair.node_a} - {pair.node_b}: {a_day:,.0f} bits a day, {a_day / 256:,.0f} keys")
    waits = sum(one.bits for one in found.waiting)
    print(f"{waits:,} bits wait for an announcement")


if __name__ == "__main__":
    main()
