"""No column of any table can change, and no row come or go, without `verify` naming it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.filled import fill_all
from tests.scheduler.ledger.postgres import Postgres
from tests.scheduler.ledger.verify.changes import change, verify_with
from tests.tamper.changes import COLUMNS, TABLES, Change, check, deletions, insertions, updates


def _is_left_alone(ledger: Ledger) -> bool:
    return ledger.view.verify().ok


@pytest.fixture(scope="module")
def filled_file(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, kek: LocalKek
) -> Path:
    """An SQLite ledger with some of everything, closed, to be copied."""
    path = tmp_path_factory.mktemp("filled") / "ledger.db"
    shutil.copy(sqlite_template, path)
    with open_ledger(f"sqlite:///{path}", kek=kek) as ledger:
        fill_all(ledger)
    return path


@pytest.fixture(scope="module")
def filled(filled_file: Path, kek: LocalKek) -> Iterator[Ledger]:
    """The same, open."""
    with open_ledger(f"sqlite:///{filled_file}", kek=kek) as ledger:
        yield ledger
        assert _is_left_alone(ledger)


@pytest.fixture(scope="module")
def filled_server(
    postgres: Postgres,
    postgres_template: str,
    kek: LocalKek,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ledger]:
    """The same on PostgreSQL."""
    name = postgres.unused_name()
    url, folder = postgres.create(name, postgres_template), tmp_path_factory.mktemp("keys")
    with open_ledger(url, kek=kek, key_folder=folder) as ledger:
        fill_all(ledger)
        yield ledger
        assert _is_left_alone(ledger)
    postgres.drop(name)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_no_column_changes_unseen(filled: Ledger, table: str, column: str) -> None:
    owner = TABLES[table]
    assert check(filled, lambda connection: updates(connection, owner, owner.c[column]))


@pytest.mark.parametrize("table", TABLES)
def test_no_row_goes_unseen(filled: Ledger, table: str) -> None:
    assert check(filled, lambda connection: deletions(connection, TABLES[table]))


@pytest.mark.parametrize("table", TABLES)
def test_no_row_comes_unseen(filled: Ledger, table: str) -> None:
    check(filled, lambda connection: insertions(connection, TABLES[table]))


@pytest.mark.parametrize("table", TABLES)
def test_a_server_hides_no_change_either(filled_server: Ledger, table: str) -> None:
    """PostgreSQL: one change of every column, and a row that goes."""

    def changes(connection: Connection) -> Iterator[Change]:
        for column in TABLES[table].c:
            yield from list(updates(connection, TABLES[table], column))[:1]
        yield from list(deletions(connection, TABLES[table]))[:1]

    assert check(filled_server, changes)


SHARED = [
    "UPDATE reservation SET intended_by = 9999 WHERE id = 5",
    "UPDATE key SET closed_by = 9999 WHERE id = 1",
    "UPDATE key SET end_bit = 'x' WHERE id = 1",
    "UPDATE key_recipient SET delivered_by = 9999 WHERE key_ref = 1",
    "UPDATE key_recipient SET key_ref = 'x' WHERE key_ref = 1 AND recipient = 's'",
    "UPDATE data_key SET open_id = 'x' WHERE id = 1",
    "DELETE FROM data_key WHERE id = 4",
    "UPDATE data_key SET shredded_by = 'x' WHERE id = 1",
    "UPDATE pool SET simulated = 2 WHERE id = 1",
    "UPDATE block SET next_bit = 0 WHERE state = 'destroyed'",
    "UPDATE announcement_part SET end_bit = 'x'",
    "DELETE FROM material WHERE block_ref = 2",
]


@pytest.mark.parametrize("statement", SHARED)
def test_two_processes_see_what_one_sees(
    filled_file: Path, tmp_path: Path, kek: LocalKek, statement: str
) -> None:
    copy = tmp_path / "copy.db"
    shutil.copy(filled_file, copy)
    shutil.copytree(filled_file.with_name("ledger.db.keys"), copy.with_name("copy.db.keys"))
    with open_ledger(f"sqlite:///{copy}", kek=kek) as ledger:
        change(ledger, statement)
        alone = ledger.view.verify()
        assert not alone.ok
        assert verify_with(ledger.view, 2) == alone
