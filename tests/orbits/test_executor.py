"""A pass search shared with an executor: the same result, and what happens when it fails."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from orbits import PassTable, find_passes, iter_passes
from orbits.passes.assemble import Block
from tests.orbits.sets import EPOCH, MICIUS_2016_12_18, OFFICIAL, SYNTHETIC, TEN_PLACES

END = EPOCH + timedelta(days=2)
DECAYED = replace(
    next(e for e in OFFICIAL if e.norad_id == 22312), epoch=EPOCH + timedelta(hours=20)
)
SETS = (*SYNTHETIC, MICIUS_2016_12_18, DECAYED)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """One satellite a batch, so that there is something to share."""
    monkeypatch.setattr("orbits.passes.search._BATCH_NODES", 5_000)


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


class Inert(Executor):
    """One that begins with nothing, or does all at once, or only what its test tells it to."""

    def __init__(self, do: Callable[[int], str] = lambda number: "wait") -> None:
        self.handed_in: list[Future[Any]] = []
        self._do = do

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.handed_in.append(future)
        what = self._do(len(self.handed_in))
        if what == "work":
            future.set_running_or_notify_cancel()
            future.set_result(work(*args, **kwargs))
        elif what == "fail":
            future.set_running_or_notify_cancel()
            future.set_exception(LookupError("no such orbit"))
        return future


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


def test_processes_give_the_same_bit_for_bit(processes: Executor) -> None:
    one = list(iter_passes(SETS * 3, TEN_PLACES, EPOCH, END))
    several = list(iter_passes(SETS * 3, TEN_PLACES, EPOCH, END, executor=processes))
    assert_same_tables(one, several)
    assert any(table.always_up for table in one)
    assert any(table.unusable for table in one)
    whole = find_passes(SETS * 3, TEN_PLACES, EPOCH, END, executor=processes)
    assert_same_tables([PassTable.merge(one)], [whole])


@pytest.mark.parametrize(
    "do",
    [
        lambda number: "wait",
        lambda number: "work",
        lambda number: "work" if number % 3 else "wait",
        lambda number: "wait" if number < 9 else "work",
    ],
    ids=["a lame one", "a busy one", "a moody one", "one that wakes up"],
)
def test_whatever_the_executor_does_nothing_is_left_out(
    do: Callable[[int], str],
) -> None:
    one = list(iter_passes(SETS, TEN_PLACES, EPOCH, END))
    assert_same_tables(one, list(iter_passes(SETS, TEN_PLACES, EPOCH, END, executor=Inert(do))))


def test_one_batch_is_searched_without_the_executor() -> None:
    idle = Inert(lambda number: "fail")
    alone = find_passes(SETS[0], TEN_PLACES[0], EPOCH, END, executor=idle)
    assert_same_tables([find_passes(SETS[0], TEN_PLACES[0], EPOCH, END)], [alone])
    assert not idle.handed_in


def test_threads_may_search_at_the_same_time() -> None:
    one = find_passes(SETS, TEN_PLACES, EPOCH, END)
    with ThreadPoolExecutor(2) as inner, ThreadPoolExecutor(3) as outer:
        asked = [
            outer.submit(find_passes, SETS, TEN_PLACES, EPOCH, END, executor=inner)
            for _ in range(3)
        ]
        assert_same_tables([one] * 3, [future.result() for future in asked])


def test_an_error_in_the_executor_reaches_the_caller() -> None:
    with pytest.raises(LookupError, match="no such orbit"):
        find_passes(SETS, TEN_PLACES, EPOCH, END, executor=Inert(lambda number: "fail"))


def test_a_process_that_dies_is_an_error() -> None:
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        started = threading.Event()
        pool.submit(int).add_done_callback(lambda _: started.set())
        assert started.wait(60.0)
        tables = iter_passes(SETS * 20, TEN_PLACES, EPOCH, END, executor=pool)
        next(tables)
        (process,) = set(multiprocessing.active_children()) - others
        process.kill()
        with pytest.raises(BrokenProcessPool):
            list(tables)


def test_few_tables_are_searched_ahead_and_none_before_the_first_is_asked_for() -> None:
    lame = Inert()
    tables = iter_passes(SETS * 20, TEN_PLACES, EPOCH, END, executor=lame)
    assert not lame.handed_in
    next(tables)
    assert len(lame.handed_in) == 2
    busy = Inert(lambda number: "work")
    tables = iter_passes(SETS * 20, TEN_PLACES, EPOCH, END, executor=busy)
    next(tables)
    assert len(busy.handed_in) <= 64


def test_an_executor_may_search_for_what_it_is_asked_itself() -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(find_passes, SETS, TEN_PLACES, EPOCH, END, executor=pool)
        assert_same_tables([find_passes(SETS, TEN_PLACES, EPOCH, END)], [asked.result(60.0)])
