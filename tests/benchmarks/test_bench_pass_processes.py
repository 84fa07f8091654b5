"""What a second process gives the pass search, and how much memory it takes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from orbits import (
    find_passes,
    iter_passes,
)
from tests.benchmarks.passes import MASK_DEG, ROUNDS, SMOKE, constellation, ground, window_of

pytestmark = pytest.mark.bench

HALF = """
import sys
from tests.benchmarks.passes import MASK_DEG, constellation, ground, window_of
from orbits import find_passes, iter_passes
satellites, stations, days, half = (float(word) for word in sys.argv[1:])
sets, places = constellation(int(satellites)), ground(int(stations))
span = window_of(sets, days)
find_passes(sets[:2], places[:2], *span)
print("ready", flush=True)
sys.stdin.readline()
for table in iter_passes(sets[int(half)::2], places, *span, mask_deg=MASK_DEG):
    pass
print("done", flush=True)
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}


def halves_wall_s(satellites: int, stations: int, days: float) -> float:
    """Return how long two independent processes take for half of the satellites each."""
    sizes = [str(size) for size in (satellites, stations, days)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HALF, *sizes, half], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=environment(),
        )
        for half in "01"
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout.readline() == "done\n"
    wall = time.perf_counter() - began
    for process in processes:
        process.communicate()
    return wall


def wall_and_cpu_s(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall time, and the processor time of this process."""
    before, began = time.process_time(), time.perf_counter()
    work()
    return time.perf_counter() - began, time.process_time() - before


def helpers(processes: int) -> AbstractContextManager[Executor | None]:
    """Return an executor of all processes but this one, which works as well."""
    if processes == 1:
        return nullcontext()
    return ProcessPoolExecutor(processes - 1, mp_context=get_context("spawn"))


def test_two_processes() -> None:
    satellites, stations, days = (8, 4, 1.0) if SMOKE else (1000, 100, 7.0)
    sets, places = constellation(satellites), ground(stations)
    span = window_of(sets, days)

    def chunks(executor: Executor | None) -> None:
        for _ in iter_passes(sets, places, *span, mask_deg=MASK_DEG, executor=executor):
            pass

    def whole(executor: Executor | None) -> None:
        find_passes(sets, places, *span, mask_deg=MASK_DEG, executor=executor)

    find_passes(sets[:2], places[:2], *span)  # imports and tables
    # The executor is the caller's, who keeps it: its start is told apart.
    with helpers(2) as executor:
        began = time.perf_counter()
        executor.submit(find_passes, sets[:2], places[:2], *span).result()
        print(f"\nanother process, its start and first search: {time.perf_counter() - began:.2f} s")
        for name, work in (("iter_passes", chunks), ("find_passes", whole)):
            rows = []
            for _ in range(1 if SMOKE else ROUNDS):
                one, two = (wall_and_cpu_s(lambda: work(helper)) for helper in (None, executor))  # noqa: B023
                rows.append((*one, *two, halves_wall_s(len(sets), stations, days)))
            print(
                f"\n{name}, {len(sets)} x {stations} x {days:g} d, one and two processes in turn:"
            )
            for one, one_cpu, two, two_cpu, halves in rows:
                print(
                    f"  wall {one:5.2f} and {two:5.2f} s, {one / two:.2f} x; CPU of the caller "
                    f"{one_cpu:5.2f} and {two_cpu:5.2f} s; independent halves {halves:5.2f} s, "
                    f"{one / halves:.2f} x"
                )
            ratios = np.median([(row[0] / row[2], row[0] / row[4]) for row in rows], axis=0)
            print(f"  median {ratios[0]:.2f} x, of the {ratios[1]:.2f} x of independent halves")


MEMORY = """
import resource
from pathlib import Path
from tests.benchmarks.passes import MASK_DEG, constellation, ground, window_of
from tests.benchmarks.test_bench_pass_processes import helpers
from orbits import iter_passes
def most_mb():  # of this program; getrusage would count the one that started it as well
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
    return int(line.split()[1]) / 1024
sets, places = constellation({satellites}), ground({stations})
span = window_of(sets, {days})
count, before = 0, most_mb()
with helpers({processes}) as executor:
    for table in iter_passes(sets, places, *span, mask_deg=MASK_DEG, executor=executor):
        count += len(table)
worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"{{count}} passes, {{before:.0f}} MB before, at most {{most_mb():.0f}} MB; "
      f"largest other process {{worker:.0f}} MB")
"""


def test_memory_is_bounded_by_chunks() -> None:
    satellites, stations, days = (8, 4, 1.0) if SMOKE else (1000, 100, 7.0)
    for processes in (1, 2):
        code = MEMORY.format(
            satellites=satellites, stations=stations, days=days, processes=processes
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env=environment(),
        )  # fmt: skip
        print(
            f"\nchunk by chunk, {satellites} x {stations} x {days:g} d, {processes} process(es): "
            f"{done.stdout.strip()}"
        )
