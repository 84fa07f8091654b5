"""Opening a database, and what is refused."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from scheduler.domain import Pool
from scheduler.errors import LedgerError, LedgerMismatch, SettingsError
from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.db.engine import make_engine
from scheduler.ledger.db.migrate import config_of, has_tables, make_tables
from scheduler.ledger.db.revision import HEAD
from scheduler.ledger.schema import Base
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.builders import deposit, spend
from tests.scheduler.ledger.postgres import Postgres


def test_the_migrations_build_exactly_the_tables_of_the_models(ledger: Ledger) -> None:
    with ledger._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_newest_script_is_the_head() -> None:
    assert ScriptDirectory.from_config(config_of(None)).get_current_head() == HEAD


def test_the_name_of_the_schema_changes_with_the_tables() -> None:
    # Until a release is made, a ledger of any other state of the tables is refused. After it,
    # a change of the tables is a migration, and this test goes.
    made = [
        str(element.compile(dialect=sqlite.dialect()))
        for table in sorted(Base.metadata.tables.values(), key=lambda table: table.name)
        for element in (
            CreateTable(table),
            *(CreateIndex(one) for one in sorted(table.indexes, key=lambda one: str(one.name))),
        )
    ]

    assert f"first_{hashlib.sha256(''.join(made).encode()).hexdigest()[:8]}" == HEAD


def test_sqlite_runs_with_the_pragmas_that_keep_key_from_being_spent_twice(
    sqlite_ledger: Ledger,
) -> None:
    with sqlite_ledger._engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://somewhere/db", "mysql"),
        ("sqlite+foo:///ledger.db", r"'sqlite\+foo'; allowed: sqlite:///FILE"),
        ("sqlite+aiosqlite:///ledger.db", r"'sqlite\+aiosqlite'; allowed"),
        ("not a url", "not a url"),
    ],
)
def test_other_kinds_of_database_are_refused(url: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        open_ledger(url)


def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    connection.close()
    with pytest.raises(LedgerMismatch, match="recipes"):
        open_ledger(f"sqlite:///{path}")


@pytest.mark.parametrize("revision", ["0004", "9999"])
def test_a_ledger_of_another_build_is_refused_in_one_sentence(
    url: str, sqlite_ledger: Ledger, revision: str
) -> None:
    with sqlite_ledger._engine.connect() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
        connection.commit()

    with pytest.raises(LedgerMismatch) as refused:
        open_ledger(url)
    assert str(refused.value) == (
        f"ledger {url} was made by another build of Skytrunk, with schema '{revision}';"
        f" this one reads '{HEAD}' alone: use another database"
    )


def test_a_ledger_is_made_whole_or_not_at_all(url: str) -> None:
    def fail(_: Connection) -> None:
        raise RuntimeError("no signing key")

    engine = make_engine(url)
    with pytest.raises(RuntimeError, match="no signing key"):
        make_tables(engine, fail)
    with engine.connect() as connection:
        assert not has_tables(connection)
    engine.dispose()


def test_both_stores_export_the_same_lines(
    tmp_path: Path, postgres: Postgres, kek: LocalKek
) -> None:
    def fill(ledger: Ledger) -> list[str]:
        with ledger.begin() as tx:
            deposit(tx, "one", 1003)
            deposit(tx, "two", 512, pool=Pool.link("micius", "xinglong"))
        spend(ledger, "s", 256)
        return list(ledger.view.export_lines())

    name = postgres.unused_name()
    with (
        open_ledger(f"sqlite:///{tmp_path / 'one.db'}", kek=kek) as one,
        open_ledger(postgres.create(name), kek=kek, key_folder=tmp_path) as other,
    ):
        assert fill(one) == fill(other)
    postgres.drop(name)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are not the rows you are looking for" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        open_ledger(f"sqlite:///{path}")


def test_a_url_that_does_not_parse_is_shown_without_its_password() -> None:
    with pytest.raises(SettingsError, match=r"nobody:\*\*\*@host") as refused:
        open_ledger("postgresql://nobody:se:cr@et@host:port/name")
    assert "cr@et" not in str(refused.value)
