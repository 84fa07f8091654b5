"""What is answered is on disk, and whoever commits meanwhile shares the sync."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from mmap import mmap
from pathlib import Path

import pytest

from scheduler.errors import LedgerUnavailable
from scheduler.ledger import Ledger, Transaction
from scheduler.ledger.db import durable
from scheduler.ledger.db.durable import SharedSync
from scheduler.ledger.keys.spending import spend_pool
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit

POOL_ID = NANSHAN_XINGLONG.pool_id
THREADS, EACH = 4, 6


def spend(name: str) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        handle = tx.command(name, kind="spend", at=NOON, digest="")
        spend_pool(tx, handle, POOL_ID, 64)
        handle.finish({})

    return work


class Disk:
    """What a loss of power would leave: the files as they were when the last sync began."""

    def __init__(self, database: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database, self.kept = database, kept
        self.syncs = 0
        self._guard = threading.Lock()
        self._sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self.sync)

    def sync(self, handle: int) -> None:
        with self._guard:
            draft = self.kept / f"draft{self.syncs}"
            draft.mkdir()
            for name in (self.database.name, f"{self.database.name}-wal"):
                shutil.copy(self.database.with_name(name), draft / name)
            self.syncs += 1
        self._sync(handle)
        with self._guard:
            shutil.rmtree(self.kept / "disk", ignore_errors=True)
            draft.rename(self.kept / "disk")

    def has(self, request_id: str) -> bool:
        with self._guard, closing(sqlite3.connect(self.kept / "disk" / self.database.name)) as left:
            query = "SELECT count(*) FROM command WHERE request_id = ?"
            return bool(left.execute(query, [request_id]).fetchone()[0])


@pytest.fixture
def disk(
    sqlite_ledger: Ledger, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Disk:
    with sqlite_ledger.begin() as tx:
        deposit(tx, "one", 64 * 100)
    database = Path(sqlite_ledger._engine.url.database or "")
    return Disk(database, tmp_path_factory.mktemp("disk"), monkeypatch)


def test_nothing_is_answered_that_a_loss_of_power_would_take(
    sqlite_ledger: Ledger, disk: Disk
) -> None:
    def client(number: int) -> list[str]:
        missing = []
        for turn in range(EACH):
            name = f"spend/{number}/{turn}"
            sqlite_ledger.run(spend(name))
            if not disk.has(name):
                missing.append(name)
        return missing

    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(client, range(THREADS))) == [[]] * THREADS
    assert sqlite_ledger.view.verify().problems == ()


def test_whoever_commits_during_a_sync_shares_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ledger.db-wal").write_bytes(b"log")
    asked, over, synced, next_number = threading.Semaphore(0), threading.Event(), [], durable._next

    def counted(counts: mmap) -> int:
        number = next_number(counts)
        asked.release()
        return number

    def sync(handle: int) -> None:
        synced.append(handle)
        over.wait(20)

    monkeypatch.setattr(durable, "_next", counted)
    monkeypatch.setattr(os, "fdatasync", sync)
    processes = [SharedSync(tmp_path / "ledger.db") for _ in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        waiting = [threads.submit(lambda: processes[0].wait(processes[0].point()))]
        for _ in range(2):  # once to wait, once to sync
            assert asked.acquire(timeout=20)
        waiting += [
            threads.submit(lambda one=one: one.wait(one.point()))  # type: ignore[misc]
            for one in processes[1:]
        ]
        for _ in processes[1:]:
            assert asked.acquire(timeout=20)
        assert not any(one.done() for one in waiting)
        over.set()
        for one in waiting:
            one.result(timeout=20)
    assert len(synced) == 2
    for one in processes:
        one.close()


def test_a_disk_that_fails_once_is_not_believed_again(
    sqlite_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite_ledger.begin() as tx:
        deposit(tx, "one", 64 * 4)

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(LedgerUnavailable, match="Input/output error"):
            sqlite_ledger.run(spend("one"))
    with pytest.raises(LedgerUnavailable, match="start this anew"):
        sqlite_ledger.run(spend("two"))


def test_counts_that_a_machine_left_behind_hide_no_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ledger.db-wal").write_bytes(b"log")
    (tmp_path / "ledger.db-sync").write_bytes((3).to_bytes(8, "little") + (9).to_bytes(8, "little"))
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    one, other = SharedSync(tmp_path / "ledger.db"), SharedSync(tmp_path / "ledger.db")
    for which in (one, other, one):
        which.wait(which.point())
    assert len(synced) == 3
    for which in (one, other):
        which.close()
