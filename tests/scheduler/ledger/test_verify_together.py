"""Several processes say of a ledger exactly what one says, or nothing at all."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from scheduler.errors import InputError, LedgerError
from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.db.snapshot import Address, snapshot_of
from scheduler.ledger.log import merkle
from scheduler.ledger.schema import Base
from scheduler.ledger.vault.keystore import LocalKek, NoKek
from scheduler.ledger.verify import log as verify_log
from scheduler.ledger.verify import parallel as verify_together
from scheduler.ledger.verify import run as verify
from scheduler.ledger.verify import seals as verify_seals
from scheduler.ledger.verify import shards as verify_parts
from scheduler.ledger.verify.context import Findings, Part
from scheduler.ledger.verify.workers import WorkerPool
from tests.scheduler.ledger.builders import chain, deposit, spend
from tests.scheduler.ledger.test_verify import (
    CHANGES,
    NODES,
    change,
    fill,
    fill_more,
    tampered,
)

POOL = chain(NODES)[0]
"""A pool that has key left once a ledger is filled."""


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut every table into many parts, as a large ledger is cut."""
    monkeypatch.setattr(verify_parts, "ROWS_PER_PART", 2)
    monkeypatch.setattr(verify_parts, "SAMPLES_PER_PART", 1)
    monkeypatch.setattr(verify_log, "LEVEL", 1)


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> list[WorkerPool]:
    """The crews of the audits that a test runs, to do them harm."""
    made: list[WorkerPool] = []

    class Watched(WorkerPool):
        def __init__(self, address: Address, count: int) -> None:
            super().__init__(address, count)
            made.append(self)

    monkeypatch.setattr(verify_together, "WorkerPool", Watched)
    monkeypatch.setattr(verify, "PROGRESS_EVERY", 1)
    return made


@contextmanager
def whole_tables() -> Iterator[None]:
    """Look at every table from end to end after all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify_parts, "ROWS_PER_PART", 1_000_000)
        patch.setattr(verify_log, "LEVEL", 13)
        yield


def test_many_parts_say_what_the_whole_says(ledger: Ledger, small_parts: None) -> None:
    fill(ledger)
    fill_more(ledger)
    for statement, named in CHANGES:
        with tampered(ledger, statement) as connection:
            parts = verify_parts.parts_of(snapshot_of(connection))
            cut = verify.verify(connection, ledger._kek)
            with whole_tables():
                whole = verify.verify(connection, ledger._kek)
        assert len(parts) > 30
        assert any(named in problem for problem in whole.problems)
        assert cut == whole, statement


def test_a_tree_in_parts_is_the_tree(sqlite_ledger: Ledger, small_parts: None) -> None:
    """Whatever is wrong with the log, cut or whole it is told in the same words."""
    ledger = sqlite_ledger
    fill(ledger)
    with ledger.read() as reader:
        size, _ = reader.audit_head()
    assert size >= 10
    nodes = merkle.position((0, size - 1)) + 1
    changes = [f"DELETE FROM audit_leaf WHERE seq = {seq}" for seq in range(size)]
    changes += [f"UPDATE audit_leaf SET kind = 'x' WHERE seq = {seq}" for seq in range(size)]
    changes += [f"DELETE FROM audit_leaf WHERE seq >= {seq}" for seq in range(size)]
    changes += [
        f'DELETE FROM audit_node WHERE "position" = {position}' for position in range(nodes)
    ]
    changes += [
        f'UPDATE audit_node SET hash = zeroblob(32) WHERE "position" = {position}'
        for position in range(nodes)
    ]
    changes += [
        "UPDATE audit_leaf SET seq = -5 WHERE seq = 0",
        f"UPDATE audit_leaf SET seq = {2**62} WHERE seq = 3",
        f"UPDATE audit_leaf SET seq = {2**62 + 1} WHERE seq = {size - 1}",
        f'UPDATE audit_node SET "position" = {2**62} WHERE "position" = {nodes - 1}',
    ]
    for statement in changes:
        with tampered(ledger, statement) as connection:
            cut = _log(connection)
            with whole_tables():
                whole = _log(connection)
        assert cut == whole, statement
        assert cut[2], statement


def _log(connection: Connection) -> tuple[int, str, list[str]]:
    """Size, root and problems of the log alone."""
    snapshot = snapshot_of(connection)
    context = verify_seals.read_context(connection, NoKek(), Findings())
    parts = [part for part in verify_parts.parts_of(snapshot) if part.check == "log"]
    outcomes = [verify_parts.check_part(snapshot, context, part) for part in parts]
    problems = {place: outcome.problems for place, outcome in enumerate(outcomes)}
    return verify_log.join_log(parts, [outcome.facts for outcome in outcomes], problems)


def test_workers_say_what_one_process_says(ledger: Ledger, small_parts: None) -> None:
    """With every table tampered, the same problems in the same order."""
    fill(ledger)
    fill_more(ledger)
    changes = {}
    for statement, _ in CHANGES:
        if statement.startswith("UPDATE"):
            changes.setdefault(statement.split()[1], statement)
    changes["reservation_part"] = "DELETE FROM reservation_part"
    assert set(changes) == {table.name for table in Base.metadata.sorted_tables}
    assert ledger.verify(workers=3) == ledger.verify(workers=1)
    for number, statement in enumerate(changes.values(), start=1):
        change(ledger, statement)
        if number % 6 == 0:
            alone, together = ledger.verify(workers=1), ledger.verify(workers=3)
            assert together == alone
            assert len(alone.problems) >= number
    for table in ("command", "block", "material", "pool", "audit_leaf", "ledger_entry"):
        change(ledger, f"DELETE FROM {table}")
    assert ledger.verify(workers=2) == ledger.verify(workers=1)


def test_workers_help_to_audit_without_the_key(
    store_url: str, kek: LocalKek, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKYTRUNK_KEK", raising=False)
    monkeypatch.delenv("SKYTRUNK_KEK_FILE", raising=False)
    with open_ledger(store_url, kek=kek) as ledger:
        fill(ledger)
    with open_ledger(store_url, audit=True) as audited:
        report = audited.verify(workers=2)
        assert report.ok
        assert report.figures["sealed_bytes_opened"] is False
        change(audited, "UPDATE ledger_entry SET enters = 'combined' WHERE id = 3")
        assert audited.verify(workers=2) == audited.verify(workers=1)


def test_writers_raise_no_false_alarm(ledger: Ledger, small_parts: None) -> None:
    """All processes see one state, whatever is committed while they start and work."""
    fill(ledger)
    done = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not done.is_set():
            name = f"meanwhile-{written}"
            ledger.run(lambda tx, name=name: deposit(tx, name, 256, pool=POOL))
            spend(ledger, name, 128, pool=POOL)
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reports = [ledger.verify(workers=3) for _ in range(3)]
    finally:
        done.set()
        writer.join()
    assert [report.problems for report in reports] == [()] * 3
    entries = [report.entries for report in reports]
    assert entries == sorted(set(entries))  # each saw more than the one before
    assert written > 3
    assert ledger.verify(workers=2) == ledger.verify(workers=1)


def test_all_begin_anew_if_somebody_wrote_before_all_had_begun(sqlite_ledger: Ledger) -> None:
    ledger = sqlite_ledger
    fill(ledger)
    engine, alone = ledger._engine, ledger._queue.alone
    with WorkerPool(Address(), 0) as workers, verify_together._moment_of(engine, alone) as moment:
        with engine.connect() as connection, connection.begin():
            moment.begin(connection, workers)
            moment.join(workers)
            moment.join(workers)  # nobody wrote
            spend(ledger, "meanwhile", 128, pool=POOL)
            with pytest.raises(verify_together.Moved):
                moment.join(workers)
        with engine.connect() as connection, connection.begin():
            moment.begin(connection, workers)
            moment.join(workers)
            assert verify.verify(connection, ledger._kek).entries == 7


def test_an_audit_begins_anew_and_ends(
    ledger: Ledger, small_parts: None, crews: list[WorkerPool]
) -> None:
    """A write that comes while the workers start: the report is of the ledger with it."""
    fill(ledger)
    before = ledger.verify(workers=1)
    heard: list[int] = []

    def hear(entries: int) -> None:
        if not heard:
            ledger.run(lambda tx: deposit(tx, "meanwhile", 256, pool=POOL))
            _wait_until(crews[0].is_ready)
        heard.append(entries)

    report = ledger.verify(hear, workers=2)
    assert report.ok
    sees_it = ledger._engine.dialect.name == "sqlite"  # PostgreSQL hands its snapshot on
    assert report.entries == before.entries + sees_it
    assert ledger.verify(workers=2).entries == before.entries + 1


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _kill(workers: WorkerPool) -> None:
    process = workers._workers[0].process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()  # until it is gone, and its end of the pipe with it


def test_a_worker_that_is_killed_at_its_start_is_told(
    ledger: Ledger, small_parts: None, crews: list[WorkerPool]
) -> None:
    fill(ledger)
    with pytest.raises(LedgerError, match=r"ended before its time \(signal SIGKILL\)"):
        ledger.verify(lambda _: _kill(crews[0]), workers=2)
    assert ledger.verify(workers=2).ok


def test_a_worker_that_is_killed_at_its_work_is_told(
    ledger: Ledger, small_parts: None, crews: list[WorkerPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does the audit hang, nor does it call the ledger sound."""
    fill(ledger)
    hand_out = WorkerPool.hand_out
    unanswered: list[int] = []

    def hand_out_and_kill(workers: WorkerPool, parts: list[Part], todo: deque[int]) -> None:
        (worker,) = workers._workers
        if not unanswered:
            # Stopped first: what it is given now it cannot have answered when it is killed.
            os.kill(worker.process.pid, signal.SIGSTOP)
        hand_out(workers, parts, todo)
        if not unanswered:
            _kill(workers)
            unanswered.extend(worker.in_hand)

    def hear(_: int) -> None:
        if not unanswered:
            _wait_until(crews[0].is_ready)

    with monkeypatch.context() as patch:
        patch.setattr(WorkerPool, "hand_out", hand_out_and_kill)
        with pytest.raises(LedgerError, match="not known whether the ledger is sound"):
            ledger.verify(hear, workers=2)
    assert unanswered
    assert ledger.verify(workers=2).ok


def test_no_worker_outlives_its_audit(
    ledger: Ledger, small_parts: None, crews: list[WorkerPool]
) -> None:
    fill(ledger)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.verify(interrupt, workers=3)
    assert ledger.verify(workers=2).ok
    processes = [worker.process for workers in crews for worker in workers._workers]
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 3


def test_a_worker_ends_when_its_audit_is_killed(tmp_path: Path) -> None:
    """A worker whose other end is gone does not stay behind."""
    workers = WorkerPool(Address(file=tmp_path / "none.db"), 1)
    (worker,) = workers._workers
    worker.pipe.close()
    assert worker.process.wait(timeout=60) == 0


def test_a_database_that_is_not_there_is_told_by_the_worker(tmp_path: Path) -> None:
    unable = pytest.raises(LedgerError, match="the database could not: unable to open")
    with WorkerPool(Address(file=tmp_path / "none.db"), 1) as workers, unable:
        _wait_until(workers.is_ready)


def test_nothing_secret_is_where_other_processes_can_see_it(
    store_url: str,
    kek: LocalKek,
    small_parts: None,
    crews: list[WorkerPool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []

    def look(_: int) -> None:
        _wait_until(crews[0].is_ready)
        for worker in crews[0]._workers:
            folder = Path(f"/proc/{worker.process.pid}")
            seen.append((folder / "cmdline").read_bytes() + (folder / "environ").read_bytes())

    key = os.urandom(32)
    with open_ledger(store_url, kek=kek) as ledger:
        fill(ledger)
        ledger.rotate_kek(LocalKek(key))
    monkeypatch.setenv("SKYTRUNK_KEK", key.hex())
    with open_ledger(store_url) as ledger:
        assert ledger.verify(look, workers=2).ok
    assert seen
    assert all(b"verify.worker" in text and key.hex().encode() not in text for text in seen)


def test_small_ledgers_are_not_worth_a_worker() -> None:
    most = verify_together.workers_for(None, 10**9)
    assert most == len(os.sched_getaffinity(0))
    assert verify_together.workers_for(None, 0) == 1
    assert verify_together.workers_for(None, verify_together.ROWS_PER_WORKER) == 1
    assert verify_together.workers_for(5, 0) == 5
    for wrong in (0, -1, 65):
        with pytest.raises(InputError, match=f"{wrong} workers; allowed: 1 to 64"):
            verify_together.workers_for(wrong, 0)
