"""A database's own definitions are content: what differs from a fresh ledger's is named."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.context import Findings
from scheduler.ledger.verify.schema import check_schema
from tests.scheduler.ledger.filled import fill
from tests.scheduler.ledger.postgres import Postgres

BOTH = [
    ("DROP INDEX ix_block_open", "schema of block: "),
    ("CREATE INDEX ix_more ON block (source)", "ix_more"),
    ("CREATE TABLE loot (data TEXT)", "schema of loot: "),
    ("CREATE VIEW loot AS SELECT * FROM material", "loot"),
    ("ALTER TABLE pool ADD COLUMN loot TEXT", "schema of pool: "),
    ("ALTER TABLE pool RENAME COLUMN parallel TO other", "schema of pool: "),
    ("ALTER TABLE freed_range RENAME TO other", "schema of freed_range: "),
]
SQLITE = [
    (
        (
            "CREATE TRIGGER keep AFTER DELETE ON material BEGIN"
            " UPDATE plan SET details = hex(old.data); END"
        ),
        "CREATE TRIGGER keep",
    ),
    ("CREATE TABLE loot (id INTEGER) STRICT", "schema of loot: table 'STRICT'"),
    ("CREATE VIRTUAL TABLE loot USING fts5(data)", "CREATE VIRTUAL TABLE loot"),
]
REWRITTEN = [
    ("CHECK (amount_bits > 0)", "CHECK (amount_bits > -9)", "CHECK (amount_bits > 0)"),
    ("UNIQUE (natural_key)", "UNIQUE (natural_key) ON CONFLICT REPLACE", "ON CONFLICT REPLACE"),
    ("REFERENCES block (id)", "REFERENCES block (id) ON DELETE CASCADE", "ON DELETE CASCADE"),
    ("public_key VARCHAR(64)", "public_key VARCHAR(64) COLLATE NOCASE", "COLLATE NOCASE"),
]
POSTGRES = [
    ("ALTER TABLE ledger_entry DROP CONSTRAINT ex_ledger_entry_one_use", "EXCLUDE USING gist"),
    ("ALTER TABLE block DROP CONSTRAINT uq_block_natural_key", "UNIQUE (natural_key)"),
    ("ALTER TABLE block ALTER COLUMN source DROP NOT NULL", "schema of block: column 'source"),
    ("ALTER TABLE block ALTER COLUMN source TYPE text", "schema of block: column 'source text"),
    ("ALTER TABLE block ALTER COLUMN source SET DEFAULT 'x'", "schema of block: column 'source"),
    ("CREATE RULE keep AS ON DELETE TO material DO ALSO SELECT 1", "schema of material: rule"),
    ("ALTER TABLE material DISABLE TRIGGER ALL", "a foreign key is not enforced"),
    ("ALTER TABLE material ENABLE ROW LEVEL SECURITY", "schema of material: relation"),
    ("CREATE POLICY keep ON material", "schema of material: policy 'keep'"),
    ("CREATE TABLE loot () INHERITS (material)", "schema of material: child 'loot'"),
    ("CREATE FUNCTION keep() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function 'keep()'"),
    (
        (
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            " CREATE TRIGGER keep AFTER DELETE ON material FOR EACH ROW EXECUTE FUNCTION keep()"
        ),
        "schema of material: trigger",
    ),
]


def _after(ledger: Ledger, statement: str) -> list[str]:
    """What is said of the schema after a change of it, which is then undone."""
    found = Findings()
    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        transaction = connection.begin()
        connection.exec_driver_sql(statement)
        check_schema(connection, found)
        transaction.rollback()
    return found.problems


def test_no_definition_comes_goes_or_changes_unseen(ledger: Ledger) -> None:
    sqlite = ledger._engine.dialect.name == "sqlite"
    for statement, named in BOTH + (SQLITE if sqlite else POSTGRES):
        problems = _after(ledger, statement)
        assert any(named in problem for problem in problems), (statement, problems)
        assert all(problem.startswith("schema of ") for problem in problems)
    assert ledger.view.verify().problems == ()


@pytest.mark.parametrize(("clause", "rewritten", "named"), REWRITTEN)
def test_a_definition_rewritten_in_the_file_is_named(
    sqlite_template: Path, tmp_path: Path, kek: LocalKek, clause: str, rewritten: str, named: str
) -> None:
    """Without a statement that SQLite would check: its own table of definitions can be written."""
    file = tmp_path / "ledger.db"
    shutil.copy(sqlite_template, file)
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA writable_schema=ON")
        change = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table'"
        database.execute(f"{change} AND instr(sql, ?)", (clause, rewritten, clause))
        assert database.execute("SELECT changes()").fetchone()[0]
        database.commit()
    with open_ledger(f"sqlite:///{file}", kek=kek) as ledger:
        problems = ledger.view.verify().problems
    assert any(named in problem for problem in problems), problems


def test_statistics_of_the_database_are_nobodys_concern(sqlite_ledger: Ledger) -> None:
    fill(sqlite_ledger)
    with sqlite_ledger._engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    assert sqlite_ledger.view.verify().problems == ()


def test_a_ledger_that_was_dumped_and_restored_is_sound(
    tmp_path: Path, postgres: Postgres, kek: LocalKek
) -> None:
    """`pg_restore` has the server read its own words, and some come out otherwise."""
    name, copy = postgres.unused_name(), postgres.unused_name()
    with open_ledger(postgres.create(name), kek=kek, key_folder=tmp_path / "keys") as ledger:
        fill(ledger)
    url = postgres.restore(copy, name, tmp_path / "ledger.dump")

    with open_ledger(url, kek=kek, key_folder=tmp_path / "keys") as restored:
        assert restored.view.verify().problems == ()
        for statement, named in POSTGRES:
            problems = _after(restored, statement)
            assert any(named in problem for problem in problems), (statement, problems)
        problems = _after(
            restored,
            "DROP INDEX ix_reservation_open; CREATE INDEX ix_reservation_open ON reservation"
            " (expires_at) WHERE state IN ('open', 'lost')",
        )
        assert any("is of no fresh ledger" in problem for problem in problems)
    postgres.drop(name)
    postgres.drop(copy)
