"""Several processes say of a ledger exactly what one says, or nothing at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from scheduler.errors import InputError, LedgerError
from scheduler.ledger import Ledger, open_ledger, open_view
from scheduler.ledger.db.snapshot import Address, snapshot_of
from scheduler.ledger.log import merkle, trail
from scheduler.ledger.log.tables import FORMS
from scheduler.ledger.schema import Base
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify import log as verify_log
from scheduler.ledger.verify import parallel, seals
from scheduler.ledger.verify import run as verify
from scheduler.ledger.verify import shards as verify_shards
from scheduler.ledger.verify.context import Shard
from scheduler.ledger.verify.parallel import Helpers
from scheduler.process import worker_pool
from scheduler.services.audit import ROWS_PER_WORKER, workers_for
from tests.scheduler.ledger.builders import chain, deposit, spend
from tests.scheduler.ledger.filled import NODES, fill, fill_more
from tests.scheduler.ledger.verify.changes import CHANGES, change, tampered, verify_with

POOL = chain(NODES)[0]
"""A pool that has key left once a ledger is filled."""


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut every table into many shards, as a large ledger is cut."""
    monkeypatch.setattr(verify_shards, "ROWS_PER_SHARD", 2)
    monkeypatch.setattr(verify_shards, "SAMPLES_PER_SHARD", 1)
    monkeypatch.setattr(verify_log, "LEVEL", 1)


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[Helpers]:
    """The helpers of the audits that a test runs, to do them harm."""
    made: list[Helpers] = []

    class Watched(Helpers):
        def __init__(self, executor: Executor, address: Address, count: int) -> None:
            super().__init__(executor, address, count)
            made.append(self)

    monkeypatch.setattr(parallel, "Helpers", Watched)
    monkeypatch.setattr(verify, "PROGRESS_EVERY", 1)
    return made


@contextmanager
def whole_tables() -> Iterator[None]:
    """Look at every table from end to end after all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify_shards, "ROWS_PER_SHARD", 1_000_000)
        patch.setattr(verify_log, "LEVEL", 13)
        yield


def test_many_parts_say_what_the_whole_says(ledger: Ledger, small_shards: None) -> None:
    fill(ledger)
    fill_more(ledger)
    # How an audit is cut does not depend on the store; a server takes a second for each.
    every = 1 if ledger._engine.dialect.name == "sqlite" else 6
    for statement, named in CHANGES[::every]:
        with tampered(ledger, statement) as connection:
            shards = verify_shards.shards_of(snapshot_of(connection), FORMS)
            cut = verify.verify(connection, ledger._ring)
            with whole_tables():
                whole = verify.verify(connection, ledger._ring)
        assert len(shards) > 30
        assert any(named in problem for problem in whole.problems)
        assert cut == whole, statement


def test_a_tree_in_parts_is_the_tree(sqlite_ledger: Ledger, small_shards: None) -> None:
    """Whatever is wrong with the log, cut or whole it is told in the same words."""
    ledger = sqlite_ledger
    fill(ledger)
    with ledger.view.read() as reader:
        size, _ = trail.head(reader.connection)
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
    context = seals.read_context(snapshot, FORMS, None)
    every = verify_shards.shards_of(snapshot, FORMS, context.base)
    shards = [one for one in every if one.check == "log"]
    outcomes = [verify_shards.check_shard(snapshot, context, shard) for shard in shards]
    problems = {place: outcome.problems for place, outcome in enumerate(outcomes)}
    facts = [outcome.facts for outcome in outcomes]
    return verify_log.join_log(shards, facts, problems, context.base)


def test_workers_say_what_one_process_says(ledger: Ledger, small_shards: None) -> None:
    """With every table tampered, the same problems in the same order."""
    fill(ledger)
    fill_more(ledger)
    changes = {}
    for statement, _ in CHANGES:
        if statement.startswith("UPDATE"):
            changes.setdefault(statement.split()[1], statement)
    changes["reservation_part"] = "DELETE FROM reservation_part"
    # What waits for its number an audit finds numbered: `test_sequencer`. No period is closed.
    others = {"audit_waiting", "carried", "opening", "segment"}
    assert set(changes) | others == {t.name for t in Base.metadata.sorted_tables}
    assert verify_with(ledger.view, 3) == ledger.view.verify()
    for number, statement in enumerate(changes.values(), start=1):
        change(ledger, statement)
        if number % 6 == 0:
            alone, together = ledger.view.verify(), verify_with(ledger.view, 3)
            assert together == alone
            assert len(alone.problems) >= number
    for table in ("command", "block", "material", "pool", "audit_leaf", "ledger_entry"):
        change(ledger, f"DELETE FROM {table}")
    assert verify_with(ledger.view, 2) == ledger.view.verify()


def test_workers_help_to_audit_without_the_key(
    store_url: str, kek: LocalKek, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKYTRUNK_KEK", raising=False)
    monkeypatch.delenv("SKYTRUNK_KEK_FILE", raising=False)
    with open_ledger(store_url, kek=kek) as ledger, open_view(store_url) as view:
        fill(ledger)
        report = verify_with(view, 2)
        assert report.ok
        assert report.figures["sealed_bytes_opened"] is False
        change(ledger, "UPDATE ledger_entry SET enters = 'combined' WHERE id = 3")
        assert verify_with(view, 2) == view.verify()


# Seconds in a file, half a minute on a server.
@pytest.mark.parametrize(
    "store_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.faults)], indirect=True
)
def test_writers_raise_no_false_alarm(ledger: Ledger, small_shards: None) -> None:
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
        reports = [verify_with(ledger.view, 3) for _ in range(3)]
    finally:
        done.set()
        writer.join()
    assert [report.problems for report in reports] == [()] * 3
    entries = [report.entries for report in reports]
    assert entries == sorted(set(entries))  # each saw more than the one before
    assert written > 3
    assert verify_with(ledger.view, 2) == ledger.view.verify()


def test_all_begin_anew_if_somebody_wrote_before_all_had_begun(sqlite_ledger: Ledger) -> None:
    ledger = sqlite_ledger
    fill(ledger)
    entries = ledger.view.verify().entries
    engine, alone = ledger._engine, ledger._queue.alone
    with (
        worker_pool(1) as executor,
        Helpers(executor, Address(), 0) as helpers,
        parallel._guard_of(engine) as guard,
    ):
        with engine.connect() as connection, connection.begin():
            together = parallel._Together(connection, helpers, guard, alone)
            together._joined = False
            together.join()  # nobody wrote
            spend(ledger, "meanwhile", 128, pool=POOL)
            with pytest.raises(parallel.Moved):
                together.join()
        with engine.connect() as connection, connection.begin():
            parallel._Together(connection, helpers, guard, alone).join()
            assert verify.verify(connection, ledger._ring).entries == entries + 1


def test_an_audit_begins_anew_and_ends(
    ledger: Ledger, small_shards: None, pools: list[Helpers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that comes while the helpers start: the report is of the ledger with it."""
    written = threading.Event()  # however quick the helpers are, they start until then
    ready = Helpers.are_ready
    monkeypatch.setattr(Helpers, "are_ready", lambda self: written.is_set() and ready(self))
    fill(ledger)
    before = ledger.view.verify()
    heard: list[int] = []

    def hear(entries: int) -> None:
        if not heard:
            ledger.run(lambda tx: deposit(tx, "meanwhile", 256, pool=POOL))
            written.set()
            _wait_until(pools[0].are_ready)
        heard.append(entries)

    report = verify_with(ledger.view, 2, hear)
    assert report.ok
    sees_it = ledger._engine.dialect.name == "sqlite"  # PostgreSQL hands its snapshot on
    assert report.entries == before.entries + sees_it
    assert verify_with(ledger.view, 2).entries == before.entries + 1


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _processes(executor: ProcessPoolExecutor) -> list[int]:
    return list(executor._processes)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_a_worker_that_is_killed_at_its_start_is_told(
    ledger: Ledger, small_shards: None, pools: list[Helpers]
) -> None:
    fill(ledger)

    def kill(_: int) -> None:
        (helper,) = pools[0]._helpers
        if not helper.future.done():
            _kill(*_processes(executor))
            _wait_until(helper.future.done)

    with (
        worker_pool(1) as executor,
        pytest.raises(LedgerError, match=r"ended before its time \(it was killed\)"),
    ):
        ledger.view.verify(kill, executor=executor)
    assert verify_with(ledger.view, 2).ok


def test_a_worker_that_is_killed_at_its_work_is_told(
    ledger: Ledger, small_shards: None, pools: list[Helpers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does the audit hang, nor does it call the ledger sound."""
    fill(ledger)
    hand_out = Helpers.hand_out
    unanswered: list[int] = []

    with worker_pool(1) as executor:
        (pid,) = _processes(executor)

        def hand_out_and_kill(helpers: Helpers, shards: list[Shard], todo: deque[int]) -> None:
            (helper,) = helpers._helpers
            if not unanswered:
                # Stopped first: what it is given now it cannot have answered when it is killed.
                os.kill(pid, signal.SIGSTOP)
            hand_out(helpers, shards, todo)
            if not unanswered:
                _kill(pid)
                unanswered.extend(helper.in_hand)

        def hear(_: int) -> None:
            if not unanswered:
                _wait_until(pools[0].are_ready)

        monkeypatch.setattr(Helpers, "hand_out", hand_out_and_kill)
        with pytest.raises(LedgerError, match="not known whether the ledger is sound"):
            ledger.view.verify(hear, executor=executor)
    assert unanswered
    monkeypatch.undo()
    assert verify_with(ledger.view, 2).ok


def test_no_worker_outlives_its_audit(
    ledger: Ledger, small_shards: None, pools: list[Helpers]
) -> None:
    fill(ledger)
    seen: list[int] = []

    def interrupt(_: int) -> None:
        _wait_until(pools[0].are_ready)
        seen.extend(_processes(executor))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), worker_pool(2) as executor:
        ledger.view.verify(interrupt, executor=executor, helpers=2)
    assert len(seen) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in seen)
    assert verify_with(ledger.view, 2).ok


def test_one_pool_serves_one_audit_after_another(ledger: Ledger, small_shards: None) -> None:
    fill(ledger)
    with worker_pool(2) as executor:
        first = ledger.view.verify(executor=executor, helpers=2)
        spend(ledger, "meanwhile", 128, pool=POOL)
        assert ledger.view.verify(executor=executor, helpers=2).entries == first.entries + 1


def test_a_worker_ends_when_its_parent_is_killed() -> None:
    """Nobody is there to tell it, and it does not stay behind."""
    script = (
        "import os, signal; from scheduler.process import worker_pool; pool = worker_pool(1);"
        " pool.submit(int).result(); print(*pool._processes, flush=True);"
        " os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    worker = Path(f"/proc/{int(done.stdout)}/stat")
    _wait_until(lambda: not worker.exists() or ") Z " in worker.read_text())


def test_a_database_that_is_not_there_is_told_by_the_worker(tmp_path: Path) -> None:
    unable = pytest.raises(LedgerError, match="the database could not: unable to open")
    address = Address(file=tmp_path / "none.db")
    with worker_pool(1) as executor, Helpers(executor, address, 1) as helpers, unable:
        _wait_until(helpers.are_ready)


def test_nothing_secret_is_where_other_processes_can_see_it(
    store_url: str,
    kek: LocalKek,
    small_shards: None,
    pools: list[Helpers],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []
    key = os.urandom(32)
    with open_ledger(store_url, kek=kek) as ledger:
        fill(ledger)
        ledger.rotate_kek(LocalKek(key))
    monkeypatch.setenv("SKYTRUNK_KEK", key.hex())

    def look(_: int) -> None:
        _wait_until(pools[0].are_ready)
        for pid in _processes(executor):
            folder = Path(f"/proc/{pid}")
            seen.append((folder / "cmdline").read_bytes() + (folder / "environ").read_bytes())

    with open_ledger(store_url) as ledger, worker_pool(1) as executor:
        assert ledger.view.verify(look, executor=executor).ok
    assert seen
    assert all(b"multiprocessing" in text and key.hex().encode() not in text for text in seen)
    assert os.environ["SKYTRUNK_KEK"] == key.hex()


def test_small_ledgers_are_not_worth_a_worker() -> None:
    most = workers_for(None, 10**9)
    assert most == len(os.sched_getaffinity(0))
    assert workers_for(None, 0) == 1
    assert workers_for(None, ROWS_PER_WORKER) == 1
    assert workers_for(5, 0) == 5
    for wrong in (0, -1, 65):
        with pytest.raises(InputError, match=f"{wrong} workers; allowed: 1 to 64"):
            workers_for(wrong, 0)
