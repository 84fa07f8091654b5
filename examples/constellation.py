"""Print element sets of synthetic satellites in a Walker pattern, as OMM in JSON.

    python examples/constellation.py --epoch 2026-12-01 > sats.json
    skytrunk elements import sats.json
    skytrunk passes sat-01 --scenario constellation-2030 --from 2026-12-01 --to 2026-12-02

Without options they are the 20 satellites of the scenario `constellation-2030`, today. The
orbits are circular; nothing of them has been measured.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from math import pi, sqrt

from orbits import format_omm, read_elements

EARTH_RADIUS_KM = 6378.137  # WGS84
MU_KM3_S2 = 398600.4418  # WGS84
DAY_S = 86_400.0


def walker(
    *,
    count: int,
    planes: int,
    phasing: int,
    altitude_km: float,
    inclination_deg: float,
    epoch: datetime,
    first: int,
) -> str:
    """Return the OMM text of a Walker pattern, `count`/`planes`/`phasing` over 360 degrees.

    Source: Walker, J. British Interplanetary Society 37, 559 (1984).
    """
    radius_km = EARTH_RADIUS_KM + altitude_km
    revolutions = DAY_S * sqrt(MU_KM3_S2 / radius_km**3) / (2.0 * pi)
    each = count // planes
    rows = [
        {
            "OBJECT_NAME": f"SYNTHETIC {number + 1}",
            "OBJECT_ID": "2026-000A",
            "EPOCH": f"{epoch:%Y-%m-%dT%H:%M:%S.%f}",
            "MEAN_MOTION": round(revolutions, 8),
            "ECCENTRICITY": 0.0001,
            "INCLINATION": inclination_deg,
            "RA_OF_ASC_NODE": round(360.0 * (number // each) / planes, 4),
            "ARG_OF_PERICENTER": 0.0,
            "MEAN_ANOMALY": round(
                (360.0 * (number % each) / each + 360.0 * phasing * (number // each) / count)
                % 360.0,
                4,
            ),
            "EPHEMERIS_TYPE": 0,
            "CLASSIFICATION_TYPE": "U",
            "NORAD_CAT_ID": first + number,
            "ELEMENT_SET_NO": 1,
            "REV_AT_EPOCH": 1,
            "BSTAR": 0.0,
            "MEAN_MOTION_DOT": 0.0,
            "MEAN_MOTION_DDOT": 0.0,
        }
        for number in range(count)
    ]
    return format_omm(list(read_elements(json.dumps(rows))))


def main() -> None:
    """Print the sets that the command line asks for."""
    parser = argparse.ArgumentParser(description="Element sets of a Walker pattern.")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--planes", type=int, default=5)
    parser.add_argument("--phasing", type=int, default=1)
    parser.add_argument("--altitude-km", type=float, default=500.0)
    parser.add_argument("--inclination-deg", type=float, default=97.4)
    parser.add_argument("--first", type=int, default=900_000_001, help="first catalogue number")
    parser.add_argument("--epoch", type=datetime.fromisoformat, default=None)
    asked = parser.parse_args()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    epoch = today if asked.epoch is None else asked.epoch
    if asked.planes < 1 or asked.count % asked.planes:
        parser.error(f"{asked.count} satellites in {asked.planes} planes; allowed: equal planes")
    print(
        walker(
            count=asked.count,
            planes=asked.planes,
            phasing=asked.phasing,
            altitude_km=asked.altitude_km,
            inclination_deg=asked.inclination_deg,
            epoch=epoch,
            first=asked.first,
        ),
        end="",
    )


if __name__ == "__main__":
    main()
