"""A view reads and verifies a ledger and leaves it as it is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from scheduler.errors import KeystoreError, LedgerError, LedgerMismatch, LedgerMissing
from scheduler.ledger import Ledger, LedgerView, open_ledger, open_view
from scheduler.ledger.db import files
from scheduler.ledger.db.engine import make_engine
from scheduler.ledger.keys.stock import get_stock
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, deposit
from tests.scheduler.ledger.postgres import Postgres

POOL_ID = NANSHAN_XINGLONG.pool_id
NOBODY = 65534


def _stock(view: LedgerView) -> int:
    with view.read() as reader:
        return get_stock(reader)[POOL_ID]


@contextmanager
def _unprivileged() -> Iterator[None]:
    """Work as somebody to whom the modes of files apply."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def medium(kek: LocalKek) -> Iterator[Path]:
    """A ledger in a folder in which nobody but its owner can write, and there not either."""
    folder = Path(tempfile.mkdtemp(prefix="skytrunk-view-"))
    with open_ledger(f"sqlite:///{folder / 'ledger.db'}", kek=kek) as ledger, ledger.begin() as tx:
        deposit(tx, "one", 1024)
    (folder / "ledger.db").chmod(0o444)
    for path in (folder / "ledger.db.keys").iterdir():
        path.chmod(0o444)
    (folder / "ledger.db.keys").chmod(0o555)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_view_reads_what_a_ledger_writes(ledger: Ledger, store_url: str, kek: LocalKek) -> None:
    with open_view(store_url, kek=kek) as view:
        with ledger.begin() as tx:
            deposit(tx, "one", 1024)
        assert _stock(view) == 1024
        with ledger.begin() as tx:
            deposit(tx, "two", 512)
        assert _stock(view) == _stock(ledger.view) == 1536
        ledger.number_leaves()  # on PostgreSQL they would be a moment later
        assert view.verify() == ledger.view.verify()
        assert list(view.export_lines()) == list(ledger.view.export_lines())


def test_nothing_can_be_written_through_a_view(ledger: Ledger, store_url: str) -> None:
    with (
        open_view(store_url) as view,
        pytest.raises(LedgerError, match=r"readonly|read-only"),
        view.read() as reader,
    ):
        reader.connection.execute(text("UPDATE pool SET simulated = true"))


def test_a_ledger_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for name in ("ledger.db", "empty.db", "no folder/ledger.db"):
        with pytest.raises(LedgerMissing, match=f"there is no ledger at sqlite:.*{name}"):
            open_view(f"sqlite:///{tmp_path / name}")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.db"]
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_an_empty_server_is_refused_and_stays_empty(postgres: Postgres) -> None:
    name = postgres.unused_name()
    url = postgres.create(name)
    with pytest.raises(LedgerMissing, match="there is no ledger at postgresql"):
        open_view(url)
    engine = make_engine(url)
    with engine.connect() as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(text(tables)).scalar() == 0
    engine.dispose()
    postgres.drop(name)


def test_a_ledger_of_another_build_is_not_brought_up_to_date(
    url: str, sqlite_ledger: Ledger
) -> None:
    with sqlite_ledger._engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0004'")
        connection.commit()
    with pytest.raises(LedgerMismatch, match="made by another build of Skytrunk"):
        open_view(url)


def test_a_key_of_another_ledger_is_refused_and_none_is_needed(
    url: str, sqlite_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LocalKek(os.urandom(32))
    with sqlite_ledger.begin() as tx:
        deposit(tx, "one", 1024)
    with pytest.raises(KeystoreError, match=other.kek_id):
        open_view(url, kek=other)
    with open_view(url) as view:
        assert view.verify().figures["sealed_bytes_opened"] is True  # the key beside the file
        monkeypatch.setenv("SKYTRUNK_KEK", "00" * 32)
        assert _stock(view) == 1024
        with pytest.raises(KeystoreError, match="is sealed under"):
            view.verify()
        monkeypatch.delenv("SKYTRUNK_KEK")
        (tmp_path / "ledger.db.kek").unlink()
        report = view.verify()
    assert report.ok
    assert report.figures["sealed_bytes_opened"] is False
    assert not (tmp_path / "ledger.db.kek").exists()


def test_a_view_opens_on_a_read_only_file_system(medium: Path, kek: LocalKek) -> None:
    before = sorted(path.name for path in medium.iterdir())
    with _unprivileged():
        assert files.reading_uri(medium / "ledger.db").endswith("?mode=ro&immutable=1")
        with open_view(f"sqlite:///{medium / 'ledger.db'}", kek=kek) as view:
            assert _stock(view) == 1024
            assert view.verify().ok
            assert len(list(view.export_lines())) > 5
    assert sorted(path.name for path in medium.iterdir()) == before


def test_a_view_without_leave_to_write_sees_what_a_writer_has_not_copied_back(
    medium: Path, kek: LocalKek
) -> None:
    medium.chmod(0o755)
    (medium / "ledger.db").chmod(0o644)
    url = f"sqlite:///{medium / 'ledger.db'}"
    with open_ledger(url, kek=kek) as ledger:
        with ledger.begin() as tx:
            deposit(tx, "two", 512)
        ledger.count()  # now, not in a second
        for path in medium.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        with _unprivileged():
            assert files.reading_uri(medium / "ledger.db").endswith("?mode=ro")
            with open_view(url, kek=kek) as view:
                assert _stock(view) == 1536
                assert view.verify() == ledger.view.verify()


def test_a_file_that_cannot_be_opened_is_named(medium: Path) -> None:
    (medium / "ledger.db").chmod(0o000)
    if os.geteuid() == 0:
        with _unprivileged(), pytest.raises(LedgerError, match="cannot open sqlite:") as refused:
            open_view(f"sqlite:///{medium / 'ledger.db'}")
        assert isinstance(refused.value.__cause__, DBAPIError)
