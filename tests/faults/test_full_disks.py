"""Disks full while the KEK is rotated, an epoch shredded, a period closed, leaves numbered."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.errors import LedgerUnavailable
from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.log import sequencer
from scheduler.ledger.vault.keystore import LocalKek
from tests.faults.storage import fill, small_disk
from tests.faults.test_segments import END
from tests.faults.test_vault import BITS, turn_over
from tests.scheduler.ledger.builders import NOON, deposit, spend
from tests.scheduler.ledger.conftest import STORES
from tests.scheduler.ledger.postgres import Postgres
from tests.scheduler.ledger.segments.periods import close, live_through

SERVER_BYTES = 60_000_000
LEAVES = 1_000


def _many(ledger: Ledger, name: str) -> None:
    """Leave more leaves than the pages that are there can take; SQLite numbers them at once."""
    with ledger.begin() as tx:
        for number in range(LEAVES):
            handle = tx.command(f"{name}/{number}", kind="none", at=NOON, digest="")
            handle.finish({})


def _rotate(ledger: Ledger, _folder: Path, _turn: str) -> None:
    ledger.rotate_kek(LocalKek(os.urandom(32)))


def _shred(ledger: Ledger, _folder: Path, turn: str) -> None:
    turn_over(ledger, turn)


def _close(ledger: Ledger, folder: Path, _turn: str) -> None:
    assert close(ledger, folder / "archive", END)["segment"] == 1


def _number(ledger: Ledger, _folder: Path, turn: str) -> None:
    if ledger._engine.dialect.name == "sqlite":
        _many(ledger, turn)
    ledger.number_leaves()


@pytest.fixture(params=STORES)
def small_store(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """URL of a ledger that is to be made, and the small disk that its database is on."""
    disk = Path(tempfile.mkdtemp(prefix="skytrunk-disk-"))
    is_sqlite = request.param == "sqlite"
    try:
        with small_disk(disk, *(() if is_sqlite else (SERVER_BYTES,))) as small:
            if "tmpfs" not in small.how:
                pytest.skip("no disk can be made small here")
            small.make_room()
            if is_sqlite:
                yield f"sqlite:///{disk / 'ledger.db'}", disk
            else:
                server: Postgres = request.getfixturevalue("postgres")
                with server.placed_in(disk) as url:
                    yield url, disk
    finally:
        disk.rmdir()


@pytest.mark.faults
@pytest.mark.parametrize("do", [_rotate, _shred, _close, _number])
def test_a_full_disk_of_the_database_undoes_it(
    small_store: tuple[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    do: Callable[[Ledger, Path, str], None],
) -> None:
    url, disk = small_store
    monkeypatch.setattr(sequencer.Sequencer, "nudge", lambda _: None)
    with open_ledger(url, kek=LocalKek(os.urandom(32)), key_folder=tmp_path / "keys") as ledger:
        live_through(ledger, 0)
        with ledger.begin() as tx:
            key = deposit(tx, "one", BITS)
        if "sqlite" not in url:
            _many(ledger, "wait")
        ballast = fill(disk)
        with pytest.raises(LedgerUnavailable):
            do(ledger, tmp_path, "full")
        ballast.unlink()
        assert ledger.view.verify().problems == ()
        do(ledger, tmp_path, "room")
        (chunk,) = spend(ledger, "all", BITS)
        assert chunk.material_a == key
        assert ledger.view.verify().problems == ()
