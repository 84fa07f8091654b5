"""Kills in rotations and shreddings of key at rest, and disks that are full in them."""

from __future__ import annotations

import multiprocessing
import os
import random
from pathlib import Path

import pytest

from scheduler.errors import LedgerUnavailable
from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.keys.epochs import begin_epoch, shred_epoch
from scheduler.ledger.vault.keystore import LocalKek, make_kek_file
from tests.faults.storage import fill, small_disk
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, spend
from tests.scheduler.ledger.postgres import Postgres

POOL_ID = NANSHAN_XINGLONG.pool_id
BITS = 400_000
KILLS = {"sqlite": 12, "postgresql": 6}


def turn_over(ledger: Ledger, name: str) -> None:
    """Begin the next epoch, and shred the one that ended in a transaction of its own."""
    with ledger.begin() as tx:
        handle = tx.command(f"begin {name}", kind="epoch", at=NOON, digest="")
        handle.finish({})
        epoch = begin_epoch(tx, handle, POOL_ID)
    with ledger.begin() as tx:
        handle = tx.command(f"shred {name}", kind="shred", at=NOON, digest="")
        handle.finish({})
        shred_epoch(tx, handle, POOL_ID, epoch - 1)


def _work(url: str, key_file: str, first: int) -> None:
    """Rotate and shred until somebody kills it."""
    os.environ["SKYTRUNK_KEK_FILE"] = key_file
    with open_ledger(url) as ledger:
        for number in range(first, first + 1_000):
            ledger.rotate_kek()
            turn_over(ledger, str(number))


@pytest.mark.faults
@pytest.mark.parametrize("store", KILLS)
def test_kills_in_rotation_and_shredding_lose_no_key(
    tmp_path: Path, request: pytest.FixtureRequest, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    if store == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.create(server.unused_name())
    key_file = tmp_path / "ledger.kek"
    make_kek_file(key_file)
    monkeypatch.setenv("SKYTRUNK_KEK_FILE", str(key_file))
    with open_ledger(url) as ledger, ledger.begin() as tx:
        key = deposit(tx, "one", BITS)
    spawner = multiprocessing.get_context("spawn")
    chance = random.Random(14)
    epochs = set()
    for number in range(KILLS[store]):
        process = spawner.Process(
            target=_work, args=(url, str(key_file), number * 1_000), daemon=True
        )
        process.start()
        old = key_file.read_bytes()
        while key_file.read_bytes() == old and process.is_alive():
            process.join(0.001)
        process.join(chance.uniform(0.0, 0.3))
        assert process.exitcode is None
        process.kill()
        process.join()
        with open_ledger(url) as ledger:
            report = ledger.view.verify()
            assert report.problems == ()
            assert report.figures["sealed_bytes_opened"] is True
            assert ledger.undestroyed_keys() == 0
            with ledger.view.read() as reader:
                epochs.add(reader.connection.exec_driver_sql("SELECT epoch FROM pool").scalar())
    assert len(epochs) > 2
    names = [path.name for path in tmp_path.iterdir() if "kek" in path.name]
    assert names == ["ledger.kek"]
    with open_ledger(url) as ledger:
        (chunk,) = spend(ledger, "all", BITS)
    assert chunk.material_a == key


def test_a_full_disk_of_keys_undoes_rotation_and_epoch(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    kek = LocalKek(os.urandom(32))
    with small_disk(folder) as disk:
        if "tmpfs" not in disk.how:
            pytest.skip("no disk can be made small here")
        with open_ledger(url, kek=kek, key_folder=folder) as ledger:
            with ledger.begin() as tx:
                key = deposit(tx, "one", BITS)
            ballast = fill(folder)
            with pytest.raises(LedgerUnavailable, match="No space left"):
                ledger.rotate_kek(LocalKek(os.urandom(32)))
            with pytest.raises(LedgerUnavailable, match="No space left"):
                turn_over(ledger, "full")
            assert ledger.view.verify().problems == ()
            ballast.unlink()
            ledger.rotate_kek(LocalKek(os.urandom(32)))
            turn_over(ledger, "room")
            (chunk,) = spend(ledger, "all", BITS)
            assert chunk.material_b == key
            assert ledger.view.verify().problems == ()
