"""An old copy put back is seen by the counter beside the data keys."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scheduler.errors import LedgerRolledBack, LedgerUnavailable
from scheduler.ledger import Ledger, counter, open_ledger, open_view
from scheduler.ledger.keys.restoring import withdraw_all
from scheduler.ledger.vault.keyring import KeyFolder
from tests.scheduler.ledger.builders import NOON, deposit
from tests.scheduler.ledger.filled import fill


def _file(folder: Path) -> Path:
    return folder / "ledger.db"


def _open(folder: Path, *, old_copy: bool = False) -> Ledger:
    return open_ledger(f"sqlite:///{_file(folder)}", old_copy=old_copy)


def _deposit(folder: Path, name: str) -> None:
    with _open(folder) as ledger, ledger.begin() as tx:
        deposit(tx, name, 1024)


def _copy(folder: Path) -> Path:
    copy = folder / "copy.db"
    with closing(sqlite3.connect(_file(folder))) as database:
        database.execute("VACUUM INTO ?", (str(copy),))
    return copy


def _put_back(folder: Path, copy: Path) -> None:
    for end in ("", "-wal", "-shm"):
        _file(folder).with_name(f"ledger.db{end}").unlink(missing_ok=True)
    shutil.copy(copy, _file(folder))


def _counts(folder: Path) -> list[int]:
    names = (path.name for path in (folder / "ledger.db.keys").iterdir())
    return sorted(int(name.rpartition(".")[2]) for name in names if name.startswith("counter."))


def test_a_ledger_is_counted_from_its_beginning_and_when_it_is_closed(tmp_path: Path) -> None:
    with _open(tmp_path) as ledger:
        assert _counts(tmp_path) == [0]
        with ledger.begin() as tx:
            deposit(tx, "one", 1024)
        with ledger.view.read() as reader:
            counter.count(reader.connection, ledger._ring)
            counter.count(reader.connection, ledger._ring)
        assert _counts(tmp_path) == [2]
        with ledger.begin() as tx:
            deposit(tx, "two", 1024)
    assert _counts(tmp_path) == [3]
    with _open(tmp_path) as ledger:
        assert ledger.view.verify().problems == ()


def test_a_checkpoint_counts_what_it_signs(tmp_path: Path) -> None:
    with _open(tmp_path) as ledger:
        ledger.checkpoint(NOON)
        assert _counts(tmp_path) == [1]


def test_an_old_copy_stays_shut_and_is_named_by_an_audit(tmp_path: Path) -> None:
    _deposit(tmp_path, "one")
    copy = _copy(tmp_path)
    _deposit(tmp_path, "two")
    _put_back(tmp_path, copy)
    with pytest.raises(LedgerRolledBack, match=r"has 2 leaves, had 3.*skytrunk ledger restore"):
        _open(tmp_path)
    with open_view(f"sqlite:///{_file(tmp_path)}") as view:
        assert view.verify().problems == (
            "counter: the log has 2 leaves, had 3 before: it is an old copy",
        )


def test_another_history_of_the_same_length_stays_shut(tmp_path: Path) -> None:
    _deposit(tmp_path, "one")
    copy = _copy(tmp_path)
    counted = _counts(tmp_path)
    _deposit(tmp_path, "two")
    # As if both had gone on in places of their own, and one were put in the place of the other.
    ours = next((tmp_path / "ledger.db.keys").glob("counter.*"))
    kept = ours.read_bytes()
    _put_back(tmp_path, copy)
    with _open(tmp_path, old_copy=True) as ledger:
        ledger.count_anew()
    assert _counts(tmp_path) == counted
    _deposit(tmp_path, "other")
    ours.write_bytes(kept)
    with pytest.raises(LedgerRolledBack, match="another than the one that had 3 leaves"):
        _open(tmp_path)


def test_a_counter_taken_away_is_missed(tmp_path: Path) -> None:
    _deposit(tmp_path, "one")
    for path in (tmp_path / "ledger.db.keys").glob("counter.*"):
        path.unlink()
    with pytest.raises(LedgerRolledBack, match="counter of the log of 2 leaves is missing"):
        _open(tmp_path)


def test_the_counter_never_goes_back_and_never_ahead(tmp_path: Path) -> None:
    with _open(tmp_path) as ledger:
        with ledger.begin() as tx:
            deposit(tx, "one", 1024)
        with ledger.view.read() as before:
            before.has_freed()  # its snapshot begins
            with ledger.begin() as tx:
                deposit(tx, "two", 1024)
            with ledger.view.read() as after:
                counter.count(after.connection, ledger._ring)
            counter.count(before.connection, ledger._ring)
        assert _counts(tmp_path) == [3]

        def undone() -> None:
            with ledger.begin() as tx:
                deposit(tx, "three", 1024)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            undone()
    assert _counts(tmp_path) == [3]


def test_a_folder_that_cannot_be_written_keeps_nobody_from_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deposit(tmp_path, "one")

    def refuse(*_: object) -> bytes:
        raise LedgerUnavailable("key folder: Read-only file system")

    monkeypatch.setattr(KeyFolder, "put", refuse)
    _deposit(tmp_path, "two")
    assert _counts(tmp_path) == [2]


def test_after_a_restore_no_key_of_the_copy_can_go_out(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.begin() as tx:
        command = tx.command("restored", kind="restored", at=NOON, digest="")
        done = withdraw_all(tx, command)
        command.finish({**done})
    assert done["bits_withdrawn"] > 0
    assert ledger.view.verify().problems == ()
    with ledger.begin() as tx:
        command = tx.command("restored again", kind="restored", at=NOON, digest="")
        assert not any(withdraw_all(tx, command).values())
        command.finish({})


def test_a_counter_without_the_key_encryption_key_is_none(tmp_path: Path) -> None:
    """Who rewrote the log and wrote a counter for it, in the form that ours has."""
    _deposit(tmp_path, "one")
    url = f"sqlite:///{_file(tmp_path)}"
    (path,) = (tmp_path / "ledger.db.keys").glob("counter.*")
    root, mac = path.read_text().split()
    for forged in (f"{'00' * 32} {mac}", f"{root} {'00' * 32}", root, ""):
        path.write_text(forged)
        with pytest.raises(LedgerRolledBack, match="was not written under the key-encryption key"):
            open_ledger(url)
        with open_view(url) as view:
            assert any("counter: " in problem for problem in view.verify().problems)
    path.write_text(f"{root} {mac}")
    open_ledger(url).close()


def test_the_counter_goes_over_to_another_key_encryption_key(tmp_path: Path) -> None:
    _deposit(tmp_path, "one")
    url = f"sqlite:///{_file(tmp_path)}"
    with open_ledger(url) as ledger:
        ledger.rotate_kek()
        kek_id = ledger.kek_id
    (path,) = (tmp_path / "ledger.db.keys").glob("counter.*")
    assert kek_id in path.name
    with open_ledger(url) as ledger:
        assert ledger.contradicted_by_counter() is None
