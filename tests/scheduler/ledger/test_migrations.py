"""A ledger of the first release, with data in it, comes up to this one on both stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import DateTime, MetaData, insert, select, text

from scheduler.domain import Pool
from scheduler.errors import LedgerMismatch
from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.db.engine import make_engine
from scheduler.ledger.schema import migrate
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.export import verify_lines
from tests.scheduler.ledger.builders import NOON, bytes_of, deposit, spend

DUMP = Path(__file__).parent / "fixtures" / "release_0001.sql"
MICIUS_XINGLONG = Pool.link("micius", "xinglong")


def _load_sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(DUMP.read_text())
    connection.close()


def _load_postgres(url: str, source: Path) -> None:
    """The same rows in the tables that the first migration makes in PostgreSQL."""
    engine, old = make_engine(url), make_engine(f"sqlite:///{source}")
    migrate.upgrade(engine, "0001")
    tables = MetaData()
    tables.reflect(engine)
    here = MetaData()
    here.reflect(old)
    with (
        old.connect() as reading,
        engine.connect().execution_options(ledger_migrates=True) as writing,
        writing.begin(),
    ):
        for table in tables.sorted_tables:
            if table.name == "alembic_version":
                continue
            rows = [dict(row._mapping) for row in reading.execute(select(here.tables[table.name]))]
            for row in rows:
                for column in table.columns:
                    if isinstance(column.type, DateTime) and row[column.name] is not None:
                        assert isinstance(row[column.name], datetime)
                        row[column.name] = row[column.name].replace(tzinfo=NOON.tzinfo)
            if rows:
                writing.execute(insert(table), rows)
    engine.dispose()
    old.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a ledger as the first release left it."""
    path = tmp_path / "old.db"
    _load_sqlite(path)
    if request.param == "sqlite":
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgres")
    name = server.unused_name()
    url = server.create(name)
    _load_postgres(url, path)
    yield url
    server.drop(name)


def test_a_ledger_of_the_first_release_comes_up_whole(old_url: str, kek: LocalKek) -> None:
    with open_ledger(old_url, kek=kek) as ledger:
        assert ledger.verify().problems == ()
        with ledger.read() as reader:
            assert reader.stock()["link:micius--xinglong"] == 80_000 + 256 + 30_720 - 50_008
            assert reader.run_facts() == {"seed": 1}
            assert len(reader.bookings()) == 1
            size, root = reader.audit_head()
            assert size > 10
        with ledger._engine.connect() as connection:
            in_clear = text("SELECT count(*) FROM material WHERE data_key_id IS NULL")
            assert connection.execute(in_clear).scalar() == 0
        chunks = spend(ledger, "after", 8000, pool=MICIUS_XINGLONG)
        got = b"".join(chunk.material_b for chunk in chunks)
        whole = bytes_of("session/micius/xinglong/0", 80_001)
        assert got == whole[50_008 // 8 :][: len(got)]
        with ledger.begin() as tx:
            deposit(tx, "new", 1000)
        assert ledger.verify().problems == ()
        assert verify_lines(ledger.export_lines()).problems == ()
    with open_ledger(old_url, kek=kek) as again, again.read() as reader:
        # Two commands and the pool that the second of them made.
        assert reader.audit_head()[0] == size + 3, "opening again logs nothing twice"
        assert reader.audit_head()[1] != root


def test_a_change_made_before_the_migration_is_still_found(old_url: str, kek: LocalKek) -> None:
    engine = make_engine(old_url)
    writing = engine.connect().execution_options(ledger_migrates=True, ledger_writes=True)
    with writing as connection, connection.begin():
        connection.execute(text("UPDATE ledger_entry SET line = line + 100 WHERE id = 2"))
    engine.dispose()
    with open_ledger(old_url, kek=kek) as ledger:
        assert any("ledger_entry 2" in problem for problem in ledger.verify().problems)


def test_migrating_can_be_forbidden(old_url: str, kek: LocalKek) -> None:
    with pytest.raises(LedgerMismatch, match="has schema 0001, this release needs"):
        open_ledger(old_url, migrate=False, kek=kek)


def test_both_stores_export_the_same_lines(tmp_path: Path, postgres: object, kek: LocalKek) -> None:
    def fill(ledger: Ledger) -> list[str]:
        with ledger.begin() as tx:
            deposit(tx, "one", 1003)
            deposit(tx, "two", 512, pool=MICIUS_XINGLONG)
        spend(ledger, "s", 256)
        return list(ledger.export_lines())

    name = postgres.unused_name()  # type: ignore[attr-defined]
    with (
        open_ledger(f"sqlite:///{tmp_path / 'one.db'}", kek=kek) as one,
        open_ledger(postgres.create(name), kek=kek) as other,  # type: ignore[attr-defined]
    ):
        assert fill(one) == fill(other)
    postgres.drop(name)  # type: ignore[attr-defined]
