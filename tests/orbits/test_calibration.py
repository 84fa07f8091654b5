"""The calibration of error bars in `examples/`, run on the sets that ship."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.orbits.sets import MICIUS

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "time_error_calibration.py"
ROW = re.compile(r"  \d+ to \d+ d +\d+   ( *[\d.]+ % \( *[\d.]+ to +[\d.]+\) [ *] *){2}")


def test_it_prints_its_table_and_draws_its_curves(tmp_path: Path) -> None:
    sets, picture = ROOT / "tle" / "micius-2016-2025.tle", tmp_path / "calibration.png"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(sets), str(picture)],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    head, *rows = done.stdout.splitlines()
    assert head.startswith(f"QSS (MICIUS), {len(MICIUS)} sets: ")
    assert len(rows) == 5
    for row in rows:
        assert ROW.fullmatch(row + " "), row
    assert picture.read_bytes().startswith(b"\x89PNG")
