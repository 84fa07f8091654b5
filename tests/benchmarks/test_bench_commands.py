"""How long whole commands take, imports included."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
ROUNDS = 2 if SMOKE else 7
PASSES = ("passes", "micius", "--station", "xinglong", "--from", "2016-12-19", "--to", "2016-12-20")
REPLAY_END = "2016-12-23" if SMOKE else "2017-05-25"


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _timed(folder: Path, *arguments: str) -> tuple[float, float]:
    """CPU and wall seconds of one command."""
    cpu_s, start = _cpu_s(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments], cwd=folder, check=True, capture_output=True
    )
    return _cpu_s() - cpu_s, time.perf_counter() - start


@pytest.mark.parametrize("options", [("--json",), ("--json", "--forecast")], ids=["plain", "key"])
def test_a_question_about_passes(tmp_path: Path, options: tuple[str, ...]) -> None:
    taken = sorted(_timed(tmp_path, *PASSES, *options) for _ in range(ROUNDS))
    cpu_s, wall_s = taken[len(taken) // 2]
    print(f"skytrunk passes {' '.join(options)}: median CPU {cpu_s:.2f} s, wall {wall_s:.2f} s")


def test_the_replay_of_the_campaign(tmp_path: Path) -> None:
    cpu_s, wall_s = _timed(
        tmp_path, "replay", "--scenario", "micius-2016", "--from", "2016-12-19",
        "--to", REPLAY_END, "--seed", "1", "--json",
    )  # fmt: skip
    print(f"replay 2016-12-19 to {REPLAY_END}: CPU {cpu_s:.1f} s, wall {wall_s:.1f} s")
