"""Portable stations of 280 mm, under Micius and under the microsatellite Jinan-1.

    python examples/portable.py --days 7

Jinan-1 gave 0.59 to 1.07 Mbit a pass (Li et al., Nature 640, 47, 2025). No element set of it ships:
its orbit here is made up, 500 km high, so its passes are of the right kind and not the ones flown.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta
from statistics import median

from replaying import replayed


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the sessions of both, and the key that one gives."""
    parser = argparse.ArgumentParser(description="Portable stations, replayed.")
    parser.add_argument("--days", type=float, default=7.0)
    asked = parser.parse_args(arguments)
    for name in ("portable-stations", "jinan-1"):
        _, found = replayed(name, timedelta(days=asked.days))
        bits = sorted(one.secret_bits for one in found.settled if one.secret_bits)
        key = f"{bits[0]:,} to {bits[-1]:,} bits, median {median(bits):,.0f}" if bits else "no key"
        print(f"{name}: {len(found.settled)} sessions, {len(bits)} with key: {key}")


if __name__ == "__main__":
    main()
