"""Opening a database, and what is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from scheduler.errors import LedgerError, LedgerMismatch, SettingsError
from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.schema import Base, migrate, revision


def test_the_migrations_build_exactly_the_tables_of_the_models(ledger: Ledger) -> None:
    with ledger._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_newest_script_is_the_head() -> None:
    assert max(migrate._known_revisions()) == revision.HEAD


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


def test_a_newer_schema_is_refused(url: str, sqlite_ledger: Ledger) -> None:
    with sqlite_ledger._engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(LedgerMismatch, match="9999"):
        open_ledger(url)


def test_an_older_schema_is_refused_where_migrating_is_off(url: str) -> None:
    with pytest.raises(LedgerMismatch, match="none"):
        open_ledger(url, migrate=False)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are not the rows you are looking for" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        open_ledger(f"sqlite:///{path}")


def test_a_url_that_does_not_parse_is_shown_without_its_password() -> None:
    with pytest.raises(SettingsError, match=r"nobody:\*\*\*@host") as refused:
        open_ledger("postgresql://nobody:se:cr@et@host:port/name")
    assert "cr@et" not in str(refused.value)
