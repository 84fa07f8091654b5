"""How long `skytrunk elements import` and `elements list --latest` take for 30,000 sets."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orbits import Elements, format_tles
from tests.benchmarks.passes import SMOKE, constellation, machine

pytestmark = pytest.mark.bench

DAYS = 10
J2, EARTH_RADIUS_KM = 1.08263e-3, 6378.137  # WGS84


def histories(count: int) -> Iterator[Elements]:
    """Yield a set a day of each satellite, which moves as an oblate Earth has it."""
    for one in constellation(count):
        inclination = math.radians(one.inclination_deg)
        turn_deg = 540.0 * one.mean_motion_rev_per_day * J2
        turn_deg *= (EARTH_RADIUS_KM / one.semi_major_axis_km) ** 2
        for day in range(DAYS):
            perigee_deg = turn_deg * (2.0 - 2.5 * math.sin(inclination) ** 2) * day
            yield replace(
                one,
                epoch=one.epoch + timedelta(days=day),
                raan_deg=(one.raan_deg - turn_deg * math.cos(inclination) * day) % 360.0,
                argument_of_perigee_deg=(one.argument_of_perigee_deg + perigee_deg) % 360.0,
                mean_anomaly_deg=(one.mean_anomaly_deg + 360.0 * one.mean_motion_rev_per_day * day)
                % 360.0,
            )


def test_import_and_list(tmp_path: Path) -> None:
    sets = list(histories(30 if SMOKE else 3000))
    file = tmp_path / "many.tle"
    file.write_text(format_tles(sets))
    command = [sys.executable, "-m", "api.cli", "--database", f"sqlite:///{tmp_path}/bench.db"]
    print(f"\n{len(sets)} element sets of {len(sets) // DAYS} satellites, {machine()}")
    for words in (["import", str(file)], ["list", "--latest"], ["list", "--latest", "--json"]):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [*command, "elements", *words], capture_output=True, text=True, check=True,
            env=os.environ,
        )  # fmt: skip
        wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        notes = len(done.stderr)
        shown = " ".join(["elements", words[0], *words[1:]]).replace(str(file), "FILE")
        print(f"  {shown:32} {wall_s:5.2f} s, {cpu_s:5.2f} s of CPU; {notes} characters of notes")
