"""Spent key is gone once its epoch is shredded: from pages, logs and copies of the database."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scheduler.domain import Pool
from scheduler.errors import KeystoreError, LedgerUnavailable
from scheduler.ledger import Ledger, open_ledger, open_view
from scheduler.ledger.keys.epochs import begin_epoch, shred_epoch
from scheduler.ledger.vault import keyring
from scheduler.ledger.vault.keyring import Epoch, KeyFolder
from scheduler.ledger.vault.keystore import LocalKek, kek_from_file, next_file
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, spend
from tests.scheduler.ledger.postgres import Postgres

POOL_ID = NANSHAN_XINGLONG.pool_id
BITS = 80_000
OLD = Epoch(POOL_ID, 0)


def _data_keys(folder: Path) -> list[Path]:
    """The files of data keys; the counter is none."""
    keys = (folder / "ledger.db.keys").iterdir()
    return [path for path in keys if not path.name.startswith("counter.")]


def _turn_over(ledger: Ledger) -> None:
    """Begin the next epoch and shred the one that ended."""
    with ledger.begin() as tx:
        handle = tx.command("turn over", kind="test", at=NOON, digest="")
        handle.finish({})
        epoch = begin_epoch(tx, handle, POOL_ID)
        shred_epoch(tx, handle, POOL_ID, epoch - 1)


def _sealed(ledger: Ledger) -> list[bytes]:
    with ledger._engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT data FROM material ORDER BY start_byte, side")
        return [bytes(data) for (data,) in rows]


def _files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield str(path), path.read_bytes()


def _holding(secrets: list[bytes], *folders: Path) -> list[str]:
    return [name for name, held in _files(*folders) if any(one in held for one in secrets)]


def test_no_file_of_either_store_holds_what_opens_a_shredded_epoch(
    ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folders = [tmp_path]
    if ledger._engine.dialect.name == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        folders.append(server._folder)
    with ledger.begin() as tx:
        key = deposit(tx, "one", BITS)
    ring = ledger._ring
    wrapped = ring.files.get(ring.name(OLD))
    assert wrapped is not None
    openers = [wrapped, ring.open(OLD)]
    clear = [key[start : start + 24] for start in range(0, len(key) - 24, 512)]
    sealed = [data[:64] for data in _sealed(ledger)]
    assert _holding(openers, *folders) == [str(tmp_path / "ledger.db.keys" / ring.name(OLD))]
    spend(ledger, "s", 4096)

    _turn_over(ledger)

    assert _holding(openers, *folders) == []
    assert _holding(clear, *folders) == []
    left = _holding(sealed, *folders)
    # PostgreSQL keeps dead rows and its log, SQLite neither: what is left opens no more.
    assert bool(left) == (ledger._engine.dialect.name == "postgresql")
    (rest,) = spend(ledger, "rest", BITS - 4096)
    assert rest.material_a == key[512:]


def test_a_copy_of_the_database_from_before_opens_no_more(tmp_path: Path, kek: LocalKek) -> None:
    file, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    with open_ledger(f"sqlite:///{file}", kek=kek) as ledger:
        with ledger.begin() as tx:
            deposit(tx, "one", BITS)
            deposit(tx, "other", BITS, pool=Pool.link("a", "b"))
        with closing(sqlite3.connect(file)) as database:
            database.execute("VACUUM INTO ?", (str(copy),))
        _turn_over(ledger)

    folder = tmp_path / "ledger.db.keys"
    url = f"sqlite:///{copy}"
    with open_ledger(url, kek=kek, key_folder=folder, old_copy=True) as old:
        with pytest.raises(KeystoreError, match="what it sealed stays shut"):
            spend(old, "s", 256)
        assert any("stays shut" in problem for problem in old.view.verify().problems)


def test_a_folder_without_a_single_key_of_the_ledger_keeps_it_shut(
    tmp_path: Path, kek: LocalKek
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with open_ledger(url, kek=kek) as ledger, ledger.begin() as tx:
        deposit(tx, "one", 256)
    with pytest.raises(KeystoreError, match="holds none of the 1 data keys"):
        open_ledger(url, kek=kek, key_folder=tmp_path / "elsewhere")
    with pytest.raises(KeystoreError, match="holds none of the 1 data keys"):
        open_view(url, kek=kek, key_folder=tmp_path / "elsewhere")


def test_a_key_file_is_durable_before_the_row_that_names_it(ledger: Ledger, tmp_path: Path) -> None:
    transaction = ledger.begin()
    deposit(transaction.__enter__(), "one", 256)
    assert not transaction.__exit__(ValueError, ValueError("undone"), None)
    (made,) = _data_keys(tmp_path)
    with ledger.begin() as tx:  # it is taken up, for nothing is under it
        deposit(tx, "two", 256)
    assert _data_keys(tmp_path) == [made]
    assert ledger.view.verify().ok


def test_a_key_file_that_cannot_be_made_fails_the_deposit(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keyring, "add_file", full)
    with pytest.raises(LedgerUnavailable, match="No space left"), ledger.begin() as tx:
        deposit(tx, "one", 256)
    monkeypatch.undo()


def test_what_could_not_be_destroyed_is_destroyed_at_the_next_opening(
    tmp_path: Path, kek: LocalKek, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OSError(5, "Input/output error")

    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with open_ledger(url, kek=kek) as ledger:
        with ledger.begin() as tx:
            deposit(tx, "one", 256)
        monkeypatch.setattr(keyring, "destroy_file", away)
        _turn_over(ledger)
        assert ledger.undestroyed_keys() == 1
        monkeypatch.undo()
    with open_ledger(url, kek=kek) as ledger:
        assert ledger.undestroyed_keys() == 0
        names = [path.name for path in _data_keys(tmp_path)]
        assert names == [ledger._ring.name(Epoch(POOL_ID, 1))]


def test_the_key_folder_may_lie_on_another_file_system(tmp_path: Path, kek: LocalKek) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system at hand")
    folder = shared / f"skytrunk-{os.getpid()}"
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    try:
        with open_ledger(url, kek=kek, key_folder=folder) as one:
            with one.begin() as tx:
                key = deposit(tx, "one", BITS)
            # Another host that mounts the folder.
            with open_ledger(url, kek=kek, key_folder=folder) as other:
                _turn_over(other)
            (chunk,) = spend(one, "s", BITS)
            assert chunk.material_b == key
            assert one.view.verify().ok
    finally:
        shutil.rmtree(folder)


def test_two_that_make_one_key_at_once_have_the_same(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "keys")
    assert folder.put("name", b"one") == b"one"
    assert folder.put("name", b"other") == b"one"
    (tmp_path / "keys" / ".name.0123").write_bytes(b"a draft that a kill left behind")
    assert folder.names("") == ["name"]
    folder.destroy(["name", "never there"])
    assert folder.get("name") is None


def test_erased_pieces_leave_the_log_with_the_next_commit_though_a_reader_was_in_the_way(
    tmp_path: Path, kek: LocalKek
) -> None:
    file = tmp_path / "ledger.db"
    with open_ledger(f"sqlite:///{file}", kek=kek) as ledger:
        with ledger.begin() as tx:
            deposit(tx, "one", BITS)
        sealed = _sealed(ledger)
        with ledger.view.read() as reader:
            reader.connection.exec_driver_sql("SELECT count(*) FROM material").scalar()
            _turn_over(ledger)
            assert _holding(sealed, tmp_path)
        with ledger.begin() as tx:
            deposit(tx, "another", 64, pool=Pool.link("a", "b"))
        assert _holding(sealed, tmp_path) == []


def test_every_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
            with ledger.begin() as tx:
                deposit(tx, "one", 256)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    finally:
        os.umask(before)
    assert modes.pop("ledger.db.keys") == 0o700
    assert {"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.kek"} < modes.keys()
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("cut", ["before the commit", "behind the commit"])
def test_a_rotation_cut_short_is_undone_or_finished_at_the_next_opening(
    tmp_path: Path, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):
        """As a kill would."""

    def fail(*_: object, **__: object) -> None:
        raise Cut

    file = tmp_path / "ledger.db"
    key_file = tmp_path / "ledger.db.kek"
    where = "audit.add_leaves" if cut.startswith("before") else "tidy_keys"
    with open_ledger(f"sqlite:///{file}") as ledger:
        with ledger.begin() as tx:
            key = deposit(tx, "one", BITS)
        old = ledger.kek_id
        monkeypatch.setattr(f"scheduler.ledger.store.{where}", fail)
        with pytest.raises(Cut):
            ledger.rotate_kek()
        monkeypatch.undo()
    assert next_file(key_file).exists()
    assert len(_data_keys(tmp_path)) == 2
    with open_view(f"sqlite:///{file}") as view:
        assert view.verify().figures["sealed_bytes_opened"] is True

    with open_ledger(f"sqlite:///{file}") as ledger:
        assert (ledger.kek_id == old) == cut.startswith("before")
        assert kek_from_file(key_file).kek_id == ledger.kek_id
        assert not next_file(key_file).exists()
        assert len(_data_keys(tmp_path)) == 1
        assert ledger.view.verify().ok
        (chunk,) = spend(ledger, "s", BITS)
        assert chunk.material_a == key


def test_a_key_that_others_need_is_not_rotated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYTRUNK_KEK_FILE", str(tmp_path / "shared.kek"))
    from scheduler.ledger.vault.keystore import make_kek_file

    make_kek_file(tmp_path / "shared.kek")
    for name in ("one", "other"):
        with open_ledger(f"sqlite:///{tmp_path / name}.db") as ledger, ledger.begin() as tx:
            deposit(tx, "one", 256)
    with open_ledger(f"sqlite:///{tmp_path / 'one'}.db") as ledger:
        with pytest.raises(KeystoreError, match="give each a key file of its own"):
            ledger.rotate_kek()
        assert ledger.view.verify().ok


def test_a_key_that_came_from_no_file_is_not_put_in_its_place(ledger: Ledger) -> None:
    with pytest.raises(KeystoreError, match="came from no file"):
        ledger.rotate_kek()
