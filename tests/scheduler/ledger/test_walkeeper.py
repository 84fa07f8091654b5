"""The write-ahead log is copied back beside the writers, and nothing depends on it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scheduler.ledger import open_ledger
from scheduler.ledger.db.engine import make_engine
from scheduler.ledger.db.wal import BACKSTOP_PAGES, LOG_BYTES, WalCheckpointer
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.builders import deposit

KEK = LocalKek(b"k" * 32)
PASS_BITS = 8 * LOG_BYTES // 4


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "skytrunk-wal"]


def test_a_long_log_is_copied_back_and_reused(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with open_ledger(f"sqlite:///{file}", kek=KEK) as ledger:
        for number in range(12):
            with ledger.begin() as tx:
                deposit(tx, f"pass-{number}", PASS_BITS)
            # The thread is given its turn, as it has between the ticks of a running network.
            keeper = ledger._wal
            assert keeper is not None
            (running,) = threads() or [None]
            while running is not None and keeper._due.is_set():
                running.join(0.001)
        report = ledger.view.verify()
        log = file.with_name("ledger.db-wal").stat().st_size

    assert report.problems == ()
    assert file.stat().st_size > 12 * PASS_BITS // 8
    assert log < 4096 * BACKSTOP_PAGES
    assert threads() == []


def test_a_ledger_that_writes_little_starts_no_thread(tmp_path: Path) -> None:
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", kek=KEK) as ledger:
        with ledger.begin() as tx:
            deposit(tx, "small", 8_000)
        assert threads() == []


def test_a_log_that_is_not_there_is_no_matter(tmp_path: Path) -> None:
    keeper = WalCheckpointer(tmp_path / "nothing.db")

    keeper.nudge()
    keeper.close()
    keeper.close()

    assert list(tmp_path.iterdir()) == []


def test_a_log_that_others_use_is_not_tried_after_every_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "used.db-wal").write_bytes(b"of another process")
    keeper = WalCheckpointer(tmp_path / "used.db")
    tries: list[int] = []
    monkeypatch.setattr(keeper, "_empty", lambda *, timeout_ms: tries.append(timeout_ms))
    keeper._pause_s = 60.0
    for _ in range(20):
        keeper.nudge()
    assert len(tries) == 1
    keeper.empty()  # key was erased: the next commit tries again
    keeper.nudge()
    assert len(tries) == 3
    keeper.close()


def test_a_database_that_breaks_meanwhile_does_not_break_the_keeper(tmp_path: Path) -> None:
    file = tmp_path / "broken.db"
    file.write_bytes(b"no database at all" * 100)
    file.with_name("broken.db-wal").write_bytes(bytes(LOG_BYTES))
    keeper = WalCheckpointer(file)

    keeper.nudge()
    keeper.nudge()
    keeper.close()

    assert threads() == []


def test_commits_leave_the_copying_to_the_thread(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
    engine.dispose()

    assert (pages, synchronous) == (BACKSTOP_PAGES, 2)


def test_whoever_nudges_keeps_every_lock_of_the_process(tmp_path: Path) -> None:
    """Closing any file that SQLite locks would let another process write at the same time."""
    file = tmp_path / "ledger.db"
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE some (data)")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO some VALUES (zeroblob(?))", (2 * LOG_BYTES,))
    keeper = WalCheckpointer(file)
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0);"
        " c.execute('BEGIN IMMEDIATE')"
    )

    keeper.nudge()
    other = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=False
    )
    keeper.close()
    writer.close()

    assert other.returncode == 1
    assert "database is locked" in other.stderr
