"""A full disk, a clock that steps back, a database server that dies under load."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.domain import Pool
from scheduler.errors import LedgerError, LedgerUnavailable
from scheduler.ledger import Ledger, Transaction, open_ledger
from scheduler.ledger.keys.expiry import let_expire
from scheduler.ledger.keys.spending import spend_pool
from scheduler.ledger.keys.stock import get_balances, get_stock
from scheduler.ledger.vault.keystore import LocalKek
from tests.faults.storage import small_disk
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, spend
from tests.scheduler.ledger.postgres import Postgres

POOL_ID = NANSHAN_XINGLONG.pool_id


def _fill_up(ledger: Ledger) -> int:
    """Deposit until the disk is full; return how many deposits were answered."""
    kept = 0
    try:
        for number in range(100):
            with ledger.begin() as tx:
                deposit(tx, f"b{number}", 400_000)
            kept += 1
    except LedgerUnavailable as error:
        assert "full" in str(error) or "I/O" in str(error)  # noqa: PT017 - the count matters too
        return kept
    raise AssertionError("the disk never was full")


def test_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    kek = LocalKek(os.urandom(32))
    url = f"sqlite:///{folder / 'ledger.db'}"
    with small_disk(folder) as disk, open_ledger(url, kek=kek) as ledger:
        kept = _fill_up(ledger)
        assert kept >= 1
        with ledger.view.read() as reader:
            assert get_balances(reader)[POOL_ID]["pool"] == kept * 400_000
        assert ledger.view.verify().problems == ()
        disk.make_room()
        spend(ledger, "after", 64)
        with ledger.begin() as tx:
            deposit(tx, "after", 1000)
        assert ledger.view.verify().problems == ()


def test_a_clock_that_steps_back_changes_no_balance(ledger: Ledger) -> None:
    for hours in (0, 5, -3, 1, -100):
        at = NOON + timedelta(hours=hours)
        with ledger.begin() as tx:
            deposit(tx, f"at {hours}", 512, at=at)
            handle = tx.command(f"expire {hours}", kind="expire", at=at, digest="")
            let_expire(tx, handle)
            handle.finish({})
        spend(ledger, f"s{hours}", 256, at=at)
    with ledger.view.read() as reader:
        assert get_balances(reader)[POOL_ID]["pool"] == 5 * 256
    assert ledger.view.verify().problems == ()


@pytest.mark.faults
def test_a_database_server_that_dies_under_load_loses_no_answered_request(tmp_path: Path) -> None:
    server = Postgres()
    try:
        url = server.create("under_load")
        kek = LocalKek(os.urandom(32))
        with open_ledger(url, kek=kek, key_folder=tmp_path) as ledger:
            with ledger.begin() as tx:
                deposit(tx, "one", 8 * 8 * 100_000)
            answered, refused = _load(ledger, server)
            assert refused, "the server was to die while somebody wrote"
            with ledger.view.read() as reader:
                for request in answered:
                    assert reader.answer(request, kind="spend", digest="") is not None
                # A request that failed may have been committed: its answer then is there.
                unknown = [
                    name
                    for name in refused
                    if reader.answer(name, kind="spend", digest="") is not None
                ]
                spent = get_balances(reader)[POOL_ID]["spent"]
            assert spent == 64 * (len(answered) + len(unknown))
            assert ledger.view.verify().problems == ()
    finally:
        server.stop()


def _load(ledger: Ledger, server: Postgres) -> tuple[set[str], set[str]]:
    """Spend from four threads while the server is killed and started again."""
    answered: set[str] = set()
    refused: set[str] = set()
    enough = threading.Event()

    def worker(name: int) -> None:
        for number in range(100_000):
            if enough.is_set():
                return
            request = f"spend/{name}/{number}"
            try:
                ledger.run(_spend(request))
            except LedgerError:
                refused.add(request)
            else:
                answered.add(request)

    threads = [threading.Thread(target=worker, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    try:
        _wait_for(answered, 40)
        server.kill()
        server.start()
        _wait_for(answered, len(answered) + 40)
    finally:
        enough.set()
        for thread in threads:
            thread.join(60)
    return answered, refused


def _spend(request: str) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        handle = tx.command(request, kind="spend", at=NOON, digest="")
        spend_pool(tx, handle, POOL_ID, 64)
        handle.finish({})

    return work


def _wait_for(answered: set[str], count: int) -> None:
    deadline = 60.0
    pause = threading.Event()
    while len(answered) < count and deadline > 0:
        pause.wait(0.05)
        deadline -= 0.05
    assert len(answered) >= count, f"{len(answered)} of {count} requests were answered"


def test_a_lost_connection_is_named_as_such(
    postgres: Postgres, kek: LocalKek, tmp_path: Path
) -> None:
    name = postgres.unused_name()
    ledger = open_ledger(postgres.create(name), kek=kek, key_folder=tmp_path)

    def cut_off() -> None:
        with ledger.begin() as tx:
            deposit(tx, "one", 512, pool=Pool.link("a", "b"))
            postgres.drop(name)
            get_stock(tx)

    with pytest.raises(LedgerUnavailable, match="terminating connection"):
        cut_off()
    ledger.close()
