"""No column of any table can change, and no row come or go, without `verify` naming it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Table,
    text,
)
from sqlalchemy.exc import DataError, IntegrityError

from scheduler.domain import BookingState
from scheduler.ledger import KeyState, Ledger, ReservationState, open_ledger
from scheduler.ledger.schema import Base
from scheduler.ledger.schema.columns import UtcDateTime
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify import run as verify
from tests.scheduler.ledger.builders import NOON
from tests.scheduler.ledger.filled import fill_all
from tests.scheduler.ledger.postgres import Postgres
from tests.scheduler.ledger.verify.changes import change, verify_with

Values = dict[str, Any]

TABLES = {
    table.name: table for table in Base.metadata.sorted_tables if table.name != "audit_waiting"
}
"""Every table but the one that an audit finds empty; `test_sequencer` has what may not be there."""
COLUMNS = [(table.name, column.name) for table in TABLES.values() for column in table.c]

WORDS: dict[tuple[str, str], type[StrEnum]] = {
    ("block", "state"): KeyState,
    ("ledger_entry", "enters"): KeyState,
    ("reservation", "state"): ReservationState,
    ("booking", "state"): BookingState,
}
"""What the columns that hold a state could hold instead, all of it."""


@dataclass(frozen=True)
class Change:
    """One statement behind the ledger's back, and the row it is about, before or behind it."""

    table: str
    statement: str
    values: Values
    row: Values


def _updates(connection: Connection, table: Table, column: Column[Any]) -> Iterator[Change]:
    """Changes of one column, in rows where it is empty and in rows where it is not."""
    name = column.name
    statement = f'UPDATE "{table.name}" SET "{name}" = :new_ WHERE {_where(table)}'
    rows = _rows(connection, table)
    known = list(dict.fromkeys(row[name] for row in rows))
    for row in _sample(rows, name):
        for other in _others(column, row[name], known, connection.dialect.name == "sqlite"):
            if other != row[name]:
                yield Change(table.name, statement, {**row, "new_": other}, row)


def _sample(rows: list[Values], name: str) -> list[Values]:
    """One row of each state, both with and without a value in a column where there are such."""
    return list({(row.get("state"), row[name] is None): row for row in rows}.values())


def _others(column: Column[Any], value: Any, known: list[Any], sqlite: bool) -> Iterator[Any]:
    """Other values for a column: plausible ones, those of other rows, and of another kind."""
    if value is None:
        yield from _for_an_empty(column, sqlite)
    elif isinstance(column.type, UtcDateTime):
        yield _moved(value)
    elif isinstance(column.type, Boolean):
        yield not value
    elif isinstance(column.type, (Integer, Float)):
        yield from (value + 1, value + 8, -1 - value)
    elif isinstance(column.type, LargeBinary):
        yield from (bytes([value[0] ^ 1]) + value[1:], value[:-1] + bytes([value[-1] ^ 128]), b"")
    else:
        yield from (value + "x", value[1:])
    if column.nullable:
        yield None
    yield from (word.value for word in WORDS.get((column.table.name, column.name), ()))
    yield from [other for other in known if other not in (None, value)][:2]
    if sqlite:
        yield from _of_another_kind(column, value)


def _for_an_empty(column: Column[Any], sqlite: bool) -> Iterator[Any]:
    """Values for a column that was empty; as a number, one that is there and one that is not."""
    if isinstance(column.type, UtcDateTime):
        yield "2016-12-19 12:00:00.000000" if sqlite else NOON
    elif isinstance(column.type, (Integer, Float)):
        yield from (1, 9999)
    else:
        yield b"x" * 40 if isinstance(column.type, LargeBinary) else "x"


def _moved(instant: Any) -> Any:
    """An instant one second later, in the form that the store has it."""
    if isinstance(instant, datetime):
        return instant + timedelta(seconds=1)
    moved = datetime.fromisoformat(instant) + timedelta(seconds=1)
    return moved.isoformat(sep=" ", timespec="microseconds")


def _of_another_kind(column: Column[Any], value: Any) -> Iterator[Any]:
    """What SQLite keeps in a column though its type says otherwise."""
    if isinstance(column.type, LargeBinary):
        yield from ("text", 7)
    elif isinstance(value, str):
        yield value.encode()
        if isinstance(column.type, UtcDateTime):
            yield from ("noon", 7)
    else:
        yield from ("x", b"x", 0.5)
        if isinstance(column.type, Boolean):
            yield 2


def _deletions(connection: Connection, table: Table) -> Iterator[Change]:
    """The first row goes, or the last."""
    rows = _rows(connection, table)
    for row in (rows[0], rows[-1]):
        yield Change(table.name, f'DELETE FROM "{table.name}" WHERE {_where(table)}', row, row)


def _insertions(connection: Connection, table: Table) -> Iterator[Change]:
    """The last row comes again, with another value in one column of its key."""
    sqlite = connection.dialect.name == "sqlite"
    last = _rows(connection, table)[-1]
    columns = ", ".join(f'"{name}"' for name in last)
    marks = ", ".join(f":{name}" for name in last)
    statement = f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})'
    unique = {
        column.name: _another(column, last[column.name]) for column in table.c if column.unique
    }
    for key in table.primary_key:
        others = [_another(key, last[key.name]), *(["x"] if sqlite else [])]
        for other in others:
            row = {**last, **unique, key.name: other}
            yield Change(table.name, statement, row, row)


def _another(column: Column[Any], value: Any) -> Any:
    """A value that no row has."""
    if value is None:
        return None
    if isinstance(column.type, UtcDateTime):
        return _moved(value)
    return value + 1 if isinstance(column.type, Integer) else value + "x"


def _rows(connection: Connection, table: Table) -> list[Values]:
    """Rows as the store has them, by their key."""
    order = ", ".join(f'"{key.name}"' for key in table.primary_key)
    rows = connection.execute(text(f'SELECT * FROM "{table.name}" ORDER BY {order}')).mappings()
    return [dict(row) for row in rows]


def _where(table: Table) -> str:
    return " AND ".join(f'"{key.name}" = :{key.name}' for key in table.primary_key)


def _names(connection: Connection, table: Table, row: Values, depth: int = 2) -> set[str]:
    """How a report can name a row: by its number, its id, or those of rows that it belongs to."""
    number = row.get("id", row.get("seq", row.get("position")))
    names = {f"{table.name} {number}", f"{table.name.replace('_', ' ')} {number}"}
    names |= {value for value in row.values() if _is_id(value)}
    for column in table.c:
        for foreign in column.foreign_keys if depth and row[column.name] is not None else ():
            owner = foreign.column.table
            found = connection.execute(
                text(f'SELECT * FROM "{owner.name}" WHERE "{foreign.column.name}" = :value_'),
                {"value_": row[column.name]},
            ).mappings()
            names.add(f"{owner.name} {row[column.name]}")
            for one in found.all():
                names |= _names(connection, owner, dict(one), depth - 1)
    return names


def _is_id(value: Any) -> bool:
    """True for the text of a random id."""
    return (
        isinstance(value, str)
        and re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4,12}){4}", value) is not None
    )


@contextmanager
def _tampered(ledger: Ledger) -> Iterator[Connection]:
    """A connection that no foreign key and, on SQLite, no check of values is in the way of."""
    with ledger._engine.connect() as plain:
        driver = plain.connection.driver_connection
        if plain.dialect.name == "sqlite" and driver is not None:
            driver.execute("PRAGMA foreign_keys=OFF")
            driver.execute("PRAGMA ignore_check_constraints=ON")
        yield plain.execution_options(ledger_writes=True)


def _problems(connection: Connection, ledger: Ledger, change: Change) -> tuple[str, ...] | None:
    """What an audit says of a change, which is then undone; None if the database refused it."""
    with connection.begin() as transaction:
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        try:
            assert connection.execute(text(change.statement), change.values).rowcount == 1
        except (IntegrityError, DataError):
            transaction.rollback()
            return None
        problems = verify.verify(connection, ledger._ring).problems
        transaction.rollback()
    return problems


def _check(ledger: Ledger, changes: Callable[[Connection], Iterator[Change]]) -> int:
    """Every change is named, or refused by the database; return how many were named."""
    seen = 0
    with _tampered(ledger) as connection:
        with connection.begin():
            cases = [
                (change, _names(connection, TABLES[change.table], change.row))
                for change in changes(connection)
            ]
        for change, names in cases:
            problems = _problems(connection, ledger, change)
            if problems is None:
                continue
            seen += 1
            if TABLES[change.table].name.startswith("audit_"):
                names |= {"audit_leaf", "audit_node"}  # the log is one tree
            if "new_" in change.values:  # a row that it names now
                names |= {f"{owner} {change.values['new_']}" for owner in ("command", "pool")}
            words = "|".join(map(re.escape, sorted(names)))
            named = re.compile(rf"^{change.table}\b|(?<!\w)(?:{words})(?!\w)")
            assert any(named.search(problem) for problem in problems), (
                change.statement,
                change.values.get("new_"),
                problems,
            )
    return seen


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
    assert _check(filled, lambda connection: _updates(connection, owner, owner.c[column]))


@pytest.mark.parametrize("table", TABLES)
def test_no_row_goes_unseen(filled: Ledger, table: str) -> None:
    assert _check(filled, lambda connection: _deletions(connection, TABLES[table]))


@pytest.mark.parametrize("table", TABLES)
def test_no_row_comes_unseen(filled: Ledger, table: str) -> None:
    _check(filled, lambda connection: _insertions(connection, TABLES[table]))


@pytest.mark.parametrize("table", TABLES)
def test_a_server_hides_no_change_either(filled_server: Ledger, table: str) -> None:
    """PostgreSQL: one change of every column, and a row that goes."""

    def changes(connection: Connection) -> Iterator[Change]:
        for column in TABLES[table].c:
            yield from list(_updates(connection, TABLES[table], column))[:1]
        yield from list(_deletions(connection, TABLES[table]))[:1]

    assert _check(filled_server, changes)


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
