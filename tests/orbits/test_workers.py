"""A pass search shared among processes: the same result, and every way it can end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from orbits import Elements, PassTable, SearchError, find_passes, iter_passes
from orbits.passes.assemble import Block
from tests.orbits.sets import EPOCH, MICIUS_2016_12_18, OFFICIAL, SYNTHETIC, TEN_PLACES
from tests.orbits.troubled import Troubled, end_meeting, wait_for_a_worker

END = EPOCH + timedelta(days=2)
DECAYED = replace(
    next(e for e in OFFICIAL if e.norad_id == 22312), epoch=EPOCH + timedelta(hours=20)
)
SETS = (*SYNTHETIC, MICIUS_2016_12_18, DECAYED)
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """One satellite a batch, so that there is something to share."""
    monkeypatch.setattr("orbits.passes.search._BATCH_NODES", 5_000)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No process, pipe or file of a search outlives it."""
    processes, pipes = _children(), _pipes()
    yield
    assert _children() == processes
    assert _pipes() == pipes


def _children(process: int | str = "self") -> set[str]:
    found: set[str] = set()
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found.update(task.read_text().split())
    return found


def _pipes() -> set[str]:
    # realpath, because the descriptor that lists them is closed by then.
    names = {os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()}
    return {name for name in names if "pipe:" in name or "(deleted)" in name}


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "meeting")
    os.mkfifo(path)
    yield path
    end_meeting(path)


def troubled(trouble: str, fifo: str, count: int = 40) -> list[Elements]:
    """Return low orbits of which each makes trouble in a worker."""
    sets = [replace(SYNTHETIC[9], raan_deg=9.0 * number) for number in range(count)]
    return [_with_trouble(one, trouble, fifo) for one in sets]


def _with_trouble(one: Elements, trouble: str, fifo: str) -> Elements:
    values = {field.name: getattr(one, field.name) for field in fields(Elements)}
    return Troubled(**{**values, "name": trouble, "source": f"{os.getpid()} {fifo}"})


def healed(sets: Sequence[Elements]) -> list[Elements]:
    """Return sets without their trouble."""
    return [Elements(**{f.name: getattr(e, f.name) for f in fields(Elements)}) for e in sets]


def assert_same_tables(one: Sequence[PassTable], other: Sequence[PassTable]) -> None:
    """Bit for bit, down to the order of the rows as found."""
    assert len(one) == len(other)
    for mine, theirs in zip(one, other, strict=True):
        for column in fields(Block):
            values = getattr(mine.block, column.name), getattr(theirs.block, column.name)
            assert values[0].dtype == values[1].dtype
            assert values[0].tobytes() == values[1].tobytes(), column.name
        assert mine.batch == theirs.batch
        assert mine.always_up == theirs.always_up
        assert mine.unusable == theirs.unusable


@pytest.mark.parametrize("workers", [2, 3])
def test_several_processes_give_the_same_bit_for_bit(workers: int, fifo: str) -> None:
    sets = [_with_trouble(one, "none", fifo) for one in SETS * 3]
    one = list(iter_passes(healed(sets), TEN_PLACES, EPOCH, END))
    several = list(iter_passes(sets, TEN_PLACES, EPOCH, END, workers=workers))
    assert_same_tables(one, several)
    assert any(table.always_up for table in one)
    assert any(table.unusable for table in one)


def test_the_whole_table_is_the_same_bit_for_bit() -> None:
    one = find_passes(SETS, TEN_PLACES, EPOCH, END)
    two = find_passes(SETS, TEN_PLACES, EPOCH, END, workers=2)
    assert_same_tables([one], [two])
    np.testing.assert_array_equal(one.rise_offset_s, two.rise_offset_s)
    assert one.visibilities() == two.visibilities()


def test_more_workers_than_batches_do_no_harm() -> None:
    one = find_passes(SETS[:3], TEN_PLACES, EPOCH, END)
    assert_same_tables([one], [find_passes(SETS[:3], TEN_PLACES, EPOCH, END, workers=9)])
    alone = find_passes(SETS[0], TEN_PLACES[0], EPOCH, END, workers=9)
    assert_same_tables([find_passes(SETS[0], TEN_PLACES[0], EPOCH, END)], [alone])


def test_threads_may_search_at_the_same_time() -> None:
    one = find_passes(SETS, TEN_PLACES, EPOCH, END)

    def search(workers: int) -> PassTable:
        return find_passes(SETS, TEN_PLACES, EPOCH, END, workers=workers)

    with ThreadPoolExecutor(3) as pool:
        assert_same_tables([one] * 3, list(pool.map(search, (2, 3, 2))))


def test_an_error_in_a_worker_reaches_the_caller(fifo: str) -> None:
    with pytest.raises(LookupError, match="no such orbit") as caught:
        find_passes(troubled("error", fifo), TEN_PLACES, EPOCH, END, workers=2)
    (note,) = caught.value.__notes__
    assert note.startswith("In a worker process:")
    assert "in _raise" in note


def test_an_error_is_raised_when_its_turn_has_come(fifo: str) -> None:
    healthy = healed(troubled("none", fifo, count=3))
    tables = iter_passes([*healthy, *troubled("error", fifo)], TEN_PLACES, EPOCH, END, workers=2)
    seen: list[int] = []
    with pytest.raises(LookupError, match="no such orbit"):
        seen.extend(index for table in tables for index in table.batch)
    assert seen == list(range(len(seen)))
    assert len(seen) >= len(healthy)


def test_an_error_in_the_callers_own_process_is_raised_as_it_is(fifo: str) -> None:
    Path(fifo).unlink()  # nowhere to wait for a worker
    with pytest.raises(FileNotFoundError, match="meeting") as caught:
        find_passes(troubled("none", fifo), TEN_PLACES, EPOCH, END, workers=2)
    assert not hasattr(caught.value, "__notes__")


def test_an_error_that_cannot_be_copied_keeps_its_words(fifo: str) -> None:
    with pytest.raises(SearchError, match="OddError: this and that"):
        find_passes(troubled("odd error", fifo), TEN_PLACES, EPOCH, END, workers=2)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("killed", "a worker process was ended by signal 9 before its part of the search was"),
        ("exit", "a worker process ended with exit code 3 before its part of the search was"),
        ("write", r"wrote b'hello, ' on its standard output, not b'orbits\\n'"),
    ],
)
@pytest.mark.parametrize("workers", [2, 3])
def test_a_worker_that_dies_or_babbles_is_an_error(
    trouble: str, message: str, workers: int, fifo: str
) -> None:
    with pytest.raises(SearchError, match=message):
        find_passes(troubled(trouble, fifo), TEN_PLACES, EPOCH, END, workers=workers)


def test_a_worker_killed_while_the_caller_waits_for_it_is_an_error(fifo: str) -> None:
    tables = iter_passes(troubled("hang", fifo), TEN_PLACES, EPOCH, END, workers=2)

    def kill() -> None:
        os.kill(wait_for_a_worker(fifo), signal.SIGKILL)

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        with pytest.raises(SearchError, match="ended by signal 9"):
            list(tables)
        killed.result()


def test_what_a_worker_prints_is_no_answer(fifo: str) -> None:
    sets = troubled("print", fifo, count=12)
    one = find_passes(healed(sets), TEN_PLACES, EPOCH, END)
    two = find_passes(sets, TEN_PLACES, EPOCH, END, workers=2)
    assert_same_tables([one], [two])


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("/nonexistent/python", "no worker process can be started: .*nonexistent"),
        ("", "no worker process can be started"),
        ("/bin/false", "ended with exit code 1"),
        ("talks.sh", r"wrote b'welcome' on its standard output, .* something else writes there"),
    ],
)
def test_an_interpreter_that_is_none_is_an_error(
    program: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    talks = tmp_path / "talks.sh"
    talks.write_text("#!/bin/sh\necho welcome\nexec cat > /dev/null\n")
    talks.chmod(0o700)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(talks) if program == talks.name else program)
        # So many that the caller is far from done when it comes out.
        with pytest.raises(SearchError, match=message):
            find_passes(SYNTHETIC[8:] * 1000, TEN_PLACES, EPOCH, END, workers=3)


def test_an_iterator_that_is_closed_half_way_ends_its_workers(fifo: str) -> None:
    # The first one is no trouble, whoever takes it.
    sets = [*troubled("none", fifo, count=1), *troubled("hang", fifo)]
    tables = iter_passes(sets, TEN_PLACES, EPOCH, END, workers=3)
    before = _children()
    next(tables)
    assert len(_children() - before) == 2
    tables.close()
    assert _children() == before


def test_nothing_is_started_before_the_first_table_is_asked_for() -> None:
    before = _children()
    tables = iter_passes(SETS, TEN_PLACES, EPOCH, END, workers=3)
    assert _children() == before
    tables.close()


PROGRAM = """
import sys
from datetime import timedelta
import orbits.passes.search
from orbits import find_passes, iter_passes
from tests.orbits.sets import EPOCH, SYNTHETIC, TEN_PLACES

orbits.passes.search._BATCH_NODES = 5_000
END = EPOCH + timedelta(days=2)
"""


@contextmanager
def running(program: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a program of its own, and end it."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM + program)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, path], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment
    ) as process:
        yield process
        process.kill()


def test_a_program_needs_no_main_guard(tmp_path: Path) -> None:
    program = "print(len(find_passes(SYNTHETIC, TEN_PLACES, EPOCH, END, workers=3)))"
    alone = find_passes(SYNTHETIC, TEN_PLACES, EPOCH, END)
    with running(program, tmp_path) as process:
        assert process.communicate(timeout=PATIENCE_S) == (f"{len(alone)}\n", "")
        assert process.returncode == 0


HALF = """
tables = iter_passes(SYNTHETIC * 20, TEN_PLACES, EPOCH, END, workers=3)
for number, table in zip(range(40), tables):
    pass
print("half", flush=True)
"""


def test_a_program_may_end_with_a_search_half_done(tmp_path: Path) -> None:
    with running(HALF, tmp_path) as process:
        assert process.communicate(timeout=PATIENCE_S) == ("half\n", "")
        assert process.returncode == 0


def test_workers_end_when_the_program_is_killed(tmp_path: Path) -> None:
    with running(HALF + "sys.stdin.read()", tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        workers = [os.pidfd_open(int(pid)) for pid in _children(process.pid)]
        process.kill()
        assert len(workers) == 2
        for worker in workers:
            assert select.select([worker], [], [], PATIENCE_S)[0]
            os.close(worker)
