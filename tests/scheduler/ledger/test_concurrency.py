"""Many at once: one wins, nobody is told `locked`, and a shared commit fails only for one."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scheduler.errors import LedgerError, LedgerUnavailable, NotEnoughKey, WrongState
from scheduler.ledger import Ledger, Transaction, open_ledger
from scheduler.ledger.keys.delivery import draw_keys
from scheduler.ledger.keys.reservations import resolve_reservation
from scheduler.ledger.keys.spending import spend_pool
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, uuid_of

POOL_ID = NANSHAN_XINGLONG.pool_id
PROCESSES = 16

CLAIM = """
import os, sys
from datetime import UTC, datetime
from uuid import UUID
from scheduler.errors import WrongState
from scheduler.ledger import open_ledger
from scheduler.ledger.keys.delivery import collect_keys

url, who, key = sys.argv[1:]
with open_ledger(url) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with ledger.begin() as tx:
            noon = datetime(2016, 12, 19, 12, tzinfo=UTC)
            handle = tx.command(f"collect/{who}", kind="collect", at=noon)
            collect_keys(tx, handle, [UUID(key)], "sae")
            handle.finish({})
        print("won")
    except WrongState:
        print("lost")
"""


@pytest.mark.faults
def test_one_of_sixteen_processes_gets_the_key(
    ledger: Ledger, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LocalKek(key := b"k" * 32)
    ledger.rotate_kek(other)
    monkeypatch.setenv("SKYTRUNK_KEK", key.hex())
    with ledger.begin() as tx:
        deposit(tx, "one", 256)
        handle = tx.command("draw", kind="draw", at=NOON, digest="")
        draw_keys(tx, handle, POOL_ID, key_ids=[uuid_of("k")], size_bits=256, recipients={"sae": 0})
        handle.finish({})
    claimants = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, store_url, str(number), str(uuid_of("k"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for claimant in claimants:
        assert claimant.stdout is not None
        assert claimant.stdout.readline() == "ready\n"
    answers = [claimant.communicate("go\n")[0].strip() for claimant in claimants]
    assert sorted(answers) == ["lost"] * (PROCESSES - 1) + ["won"]
    assert ledger.view.verify().problems == ()


def _spend(number: int, bits: int) -> Callable[[Transaction], bytes]:
    def work(tx: Transaction) -> bytes:
        handle = tx.command(f"spend/{number}", kind="spend", at=NOON, digest="")
        chunks = spend_pool(tx, handle, POOL_ID, bits)
        handle.finish({})
        return b"".join(chunk.material_a for chunk in chunks)

    return work


def test_threads_share_commits_and_never_a_bit(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "one", 64 * 40)
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda number: ledger.run(_spend(number, 64)), range(40)))
    assert sorted(got) == sorted(key[start : start + 8] for start in range(0, len(key), 8))
    assert ledger.view.verify().problems == ()


def test_whoever_fails_in_a_shared_commit_fails_alone(sqlite_ledger: Ledger) -> None:
    with sqlite_ledger.begin() as tx:
        deposit(tx, "one", 800)
    entered, release = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> str:
        entered.set()
        assert release.wait(20)
        return "slow"

    def lost(number: int) -> object:
        try:
            return sqlite_ledger.run(_spend(number, 8 if number % 2 else 8000))
        except NotEnoughKey:
            return "refused"

    with ThreadPoolExecutor(12) as threads:
        first = threads.submit(sqlite_ledger.run, slow)
        assert entered.wait(20)
        rest = [threads.submit(lost, number) for number in range(10)]
        while len(sqlite_ledger._queue._waiting) < 10:
            pass
        release.set()
        assert first.result() == "slow"
        answers = [future.result() for future in rest]
    assert [answer == "refused" for answer in answers] == [True, False] * 5
    assert sqlite_ledger.view.verify().problems == ()


def test_a_failure_of_the_commit_itself_reaches_everybody(
    sqlite_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite_ledger.begin() as tx:
        deposit(tx, "one", 800)

    def unfinished(tx: Transaction) -> None:
        tx.command("never finished", kind="spend", at=NOON, digest="")

    with pytest.raises(LedgerError, match="never finished"):
        sqlite_ledger.run(unfinished)
    with sqlite_ledger._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    def full(tx: Transaction) -> None:
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        deposit(tx, "huge", 8_000_000)

    with pytest.raises(LedgerUnavailable, match="full"):
        sqlite_ledger.run(full)
    assert sqlite_ledger.view.verify().problems == ()


def test_work_that_lost_against_a_foreign_session_is_done_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ledger._engine.dialect.name != "postgresql":
        assert ledger.run(lambda tx: get_balances(tx)) == {}
        return
    with ledger.begin() as tx:
        deposit(tx, "one", 800)
    attempts = []

    def work(tx: Transaction) -> int:
        attempts.append(1)
        before = get_balances(tx)[POOL_ID]["pool"]
        if len(attempts) == 1:
            # What the server says to one of two sessions that wait for each other.
            tx.raw.exec_driver_sql("DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''40P01''; END'")
        handle = tx.command("spend", kind="spend", at=NOON, digest="")
        spend_pool(tx, handle, POOL_ID, 8)
        handle.finish({})
        return before

    assert ledger.run(work) == 800
    assert len(attempts) == 2
    assert ledger.view.verify().problems == ()


def test_a_second_delivery_of_one_reservation_is_refused(ledger: Ledger) -> None:
    from scheduler.ledger import ReservationState
    from tests.scheduler.ledger.test_reservations import reserve

    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
        reserve(tx, "r", 256)

    def deliver(number: int) -> bool:
        def work(tx: Transaction) -> None:
            handle = tx.command(f"deliver/{number}", kind="deliver", at=NOON, digest="")
            resolve_reservation(tx, handle, uuid_of("r"), ReservationState.DELIVERED)
            handle.finish({})

        try:
            ledger.run(work)
        except WrongState:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(deliver, range(6))) == 1
    assert ledger.view.verify().problems == ()


OTHER_JOURNAL = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0)
print(connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0])
"""
"""Needs the file for itself: whoever thinks so while another works on it ruins it."""


def test_opening_a_file_again_keeps_the_locks_of_who_has_it_open(sqlite_ledger: Ledger) -> None:
    file = str(sqlite_ledger.view._engine.url.database)

    def alone() -> str:
        done = subprocess.run(
            [sys.executable, "-c", OTHER_JOURNAL, file], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

    with sqlite_ledger.view.read():
        assert alone() == "sqlite3.OperationalError: database is locked"
        with open_ledger(f"sqlite:///{file}"):
            pass
        # Closing any handle of a file drops every lock that this process has on it (POSIX).
        assert alone() == "sqlite3.OperationalError: database is locked"
