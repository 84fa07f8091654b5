"""Campaigns: what differs, and replays by many hands, of which some are lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits import read_elements
from scheduler import services
from scheduler.campaign import LOSSES_MAX, Task, run_task, run_tasks, variants
from scheduler.cluster.campaign import hands_of
from scheduler.domain import ReplaySummary
from scheduler.errors import InputError
from scheduler.process import worker_pool
from scheduler.services.context import Context
from scheduler.services.set_copies import StoredSets
from scheduler.settings import Settings

NIGHT = datetime(2016, 12, 19, 12, tzinfo=UTC)
SPAN = (NIGHT, NIGHT + timedelta(hours=18))


def tasks(seeds: Sequence[int] = (1, 2)) -> list[Task]:
    return [
        Task(variant=one, settings=Settings(**one.varied), sets=StoredSets())
        for one in variants([SPAN], seeds, {"objective": ["total"]})
    ]


@given(
    seeds=st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True),
    objectives=st.lists(
        st.sampled_from(["demand", "max-min", "total"]), min_size=1, max_size=3, unique=True
    ),
    risks=st.lists(st.sampled_from(["0", "0.5", "1"]), min_size=1, max_size=3, unique=True),
)
def test_there_is_one_replay_for_each_combination(
    seeds: list[int], objectives: list[str], risks: list[str]
) -> None:
    found = variants([SPAN], seeds, {"objective": objectives, "risk_aversion": risks})

    assert len(found) == len(seeds) * len(objectives) * len(risks)
    assert len({one.name for one in found}) == len(found)
    assert {(one.seed, *one.varied.values()) for one in found} == {
        (seed, objective, risk) for seed in seeds for objective in objectives for risk in risks
    }
    assert [one.seed for one in found[: len(seeds)]] == seeds


@pytest.mark.parametrize(
    ("spans", "seeds", "varied", "says"),
    [
        ([SPAN], [1, 1], {}, "seeds 1, 1; allowed: one or more, each once"),
        ([SPAN], [], {}, "seeds ; allowed"),
        ([SPAN, SPAN], [1], {}, "times .* each once"),
        ([SPAN], [1], {"objective": ["total", "total"]}, "objective total, total"),
        ([SPAN], [1], {"scenario": ["a/x.toml", "b/x.toml"]}, "2 replays of 1 names"),
        ([SPAN], range(10_001), {}, "10001 replays"),
    ],
)
def test_what_is_there_twice_or_too_often_is_refused(
    spans: Any, seeds: Any, varied: Any, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        variants(spans, seeds, varied)


@pytest.fixture(scope="module")
def serial() -> dict[str, ReplaySummary]:
    return {task.variant.name: run_task(task) for task in tasks()}


def test_processes_come_to_the_same_as_one_after_the_other(
    serial: dict[str, ReplaySummary],
) -> None:
    found = {task.variant.name: one for task, one in run_tasks(tasks(), hands_of(None, 2))}

    assert found == serial
    assert len({one.settled for one in serial.values()}) == 2  # seeds differ


def test_a_replay_whose_worker_was_lost_is_done_by_another(
    serial: dict[str, ReplaySummary],
) -> None:
    opened = []

    @contextmanager
    def hands() -> Iterator[Executor]:
        with worker_pool(1) as pool:
            opened.append(pool)
            if len(opened) == 1:
                # SIGKILL, as for want of memory; whatever it was at is lost.
                for process in list(pool._processes.values()):
                    process.kill()
            yield pool

    found = {task.variant.name: one for task, one in run_tasks(tasks(), hands)}

    assert found == serial
    assert len(opened) == 2


def test_hands_that_are_lost_again_and_again_are_given_up() -> None:
    opened = []

    class Lost(Executor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor("lost"))
            return future

    @contextmanager
    def hands() -> Iterator[Executor]:
        opened.append(1)
        yield Lost()

    with pytest.raises(BrokenExecutor, match="lost"):
        list(run_tasks(tasks(), hands))
    assert len(opened) == LOSSES_MAX


def test_element_sets_of_a_ledger_go_with_its_replays(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'given.db'}"
    with Context(Settings(database_url=url)) as context:
        (last,) = (context.archive.known_at(NIGHT, norad_id=41731).raw,)
        name, one, two = last.splitlines()
        # The same orbit by another number: nothing that is packaged.
        text = "\n".join([name, *(_numbered(line, 91_731) for line in (one, two))])
        read_elements(text, source="here")
        services.import_elements(context, text, source="here")
        sets = services.stored_sets(context)
    assert len(sets.rows) == 1

    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    with Context(Settings(database_url=fresh)) as context:
        assert services.stored_sets(context) == StoredSets()
        services.copy_sets(context, sets)
        assert services.stored_sets(context) == sets
        assert context.archive.known_at(NIGHT + timedelta(days=1), norad_id=91_731)
        assert services.verify_ledger(context).ok


def _numbered(line: str, number: int) -> str:
    changed = line[:2] + f"{number:05d}" + line[7:68]
    digits = sum(int(c) if c.isdigit() else c == "-" for c in changed)
    return changed + str(digits % 10)


@pytest.mark.parametrize(
    ("cluster", "workers", "files", "says"),
    [
        (None, 0, {}, "workers 0; allowed: 1 to 256"),
        ("local:0", 2, {}, "cluster 'local:0'; allowed: local:N"),
        ("http://x:1", 2, {}, "allowed: local:N, tcp://HOST:PORT or tls://HOST:PORT"),
        ("tls://x:1", 2, {}, "allowed: all three for tls://, else none"),
        ("tcp://x:1", 2, {"ca": "ca.pem"}, "allowed: all three for tls://, else none"),
    ],
)
def test_hands_that_there_cannot_be_are_refused(
    cluster: str | None, workers: int, files: Any, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        hands_of(cluster, workers, **files)


@pytest.mark.faults
def test_a_cluster_comes_to_the_same_though_a_worker_is_killed(
    serial: dict[str, ReplaySummary],
) -> None:
    distributed = pytest.importorskip("distributed")
    killed = []

    @contextmanager
    def hands() -> Iterator[Executor]:
        with hands_of("local:2", 2)() as pool:
            client = distributed.default_client()
            pids = client.run(os.getpid)
            killed.append(pids.popitem()[1])
            pool.submit(time.sleep, 0.0).result()
            threading.Timer(1.0, os.kill, (killed[-1], signal.SIGKILL)).start()
            yield pool

    found = {task.variant.name: one for task, one in run_tasks(tasks(), hands)}

    assert found == serial
    assert len(killed) == 1
