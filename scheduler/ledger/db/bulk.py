"""Running statements at the driver's price: for many rows, and of many rows at once.

SQLAlchemy goes through every value of every row to see whether its type has a say: 25 us for a
row of 15 columns, six times what SQLite takes to store it; and 90 us for any statement, be it as
short as it may. Here only instants and truth values are converted, of statements compiled once.
"""

from __future__ import annotations

import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Boolean, Connection, Dialect, TextClause, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from scheduler.ledger.db import wire
from scheduler.ledger.schema.columns import UtcDateTime

Row = Mapping[str, Any]
_Convert = Callable[[Any], Any]
_named: Any = namedtuple


NO_VALUES: Row = {}
_SYNC = "SELECT pg_logical_emit_message(true, 'skytrunk', '')"
"""A transaction of its own, on disk when it is over: all that was committed before is, too."""
_AT_ONCE = nullcontext()
_OWED, _TRIP = "ledger_owed", "ledger_trip"


@lru_cache(maxsize=2)
def _dialect(name: str) -> Dialect:
    """The dialect that takes its parameters by name, as the drivers understand them."""
    makers: dict[str, Any] = {"postgresql": psycopg.dialect, "sqlite": sqlite.dialect}
    made: Dialect = makers[name](**({"paramstyle": "named"} if name == "sqlite" else {}))
    return made


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as the driver takes it."""

    text: str
    converters: tuple[tuple[str, _Convert], ...]  #: names whose values are instants
    constants: dict[str, Any]  #: values that the statement itself brings
    readers: tuple[tuple[str, _Convert], ...]  #: names of columns whose values are converted


@lru_cache(maxsize=256)
def _compiled(statement: ClauseElement, names: tuple[str, ...], dialect_name: str) -> _Compiled:
    dialect = _dialect(dialect_name)
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)
    converters = []
    for name, bind in compiled.binds.items():
        if isinstance(bind.type, UtcDateTime):
            # Of this dialect: SQLite keeps an instant as text, with all its microseconds.
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                converters.append((name, convert))
    constants = {k: v for k, v in (compiled.params or {}).items() if k not in names}
    readers = []
    for column in compiled._result_columns:
        if isinstance(column.type, (UtcDateTime, Boolean)):
            read = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if read is not None:
                readers.append((column.name, read))
    return _Compiled(str(compiled), tuple(converters), constants, tuple(readers))


def execute_many(connection: Connection, statement: ClauseElement, rows: Sequence[Row]) -> Any:
    """Run an insert, update or delete for each row, all of the same names; return the cursor.

    Values go to the driver as they are, but for instants: only integers, floats, words, bytes,
    truth values, instants and nothing may be among them. The statement must outlive the call,
    for its text is kept.
    """
    compiled = _compiled(statement, tuple(rows[0]), connection.dialect.name)
    made: list[Any] = list(rows)
    if compiled.converters or compiled.constants:
        made = [{**row, **compiled.constants} for row in rows]
        for name, convert in compiled.converters:
            known: dict[Any, Any] = {}  # rows that go out together have their instants in common
            for row in made:
                value = row[name]
                if value not in known:
                    known[value] = convert(value)
                row[name] = known[value]
    return _run(connection, compiled.text, made if len(made) > 1 else made[0])


def query(connection: Connection, statement: ClauseElement, values: Row = NO_VALUES) -> list[Any]:
    """The rows of a question, as named tuples.

    The statement must outlive the call, and have no list among its values (see `wanted`).
    """
    return query_all(connection, [(statement, values)])[0]


def query_all(
    connection: Connection, questions: Sequence[tuple[ClauseElement, Row]]
) -> list[list[Any]]:
    """As `query`, of several at once: PostgreSQL is sent them together."""
    asked = []
    with one_trip(connection) if len(questions) > 1 else _AT_ONCE:
        for statement, values in questions:
            compiled = _compiled(statement, tuple(values), connection.dialect.name)
            given = {**compiled.constants, **values}
            for name, convert in compiled.converters:
                if name in values:
                    given[name] = convert(values[name])
            asked.append((_run(connection, compiled.text, given), compiled))
    return [_rows_of(cursor, compiled) for cursor, compiled in asked]


def _rows_of(cursor: Any, compiled: _Compiled) -> list[Any]:
    rows = cursor.fetchall()
    if not rows:
        return []
    if isinstance(cursor, wire.Answer):
        names = cursor.names
    else:
        names = tuple(column[0] for column in cursor.description)
    if compiled.readers:
        rows = list(map(list, rows))
        for name, read in compiled.readers:
            place = names.index(name)
            for row in rows:
                row[place] = read(row[place])
    return list(map(_row_type(names), rows))


@lru_cache(maxsize=256)
def _row_type(names: tuple[str, ...]) -> Callable[[Iterable[Any]], Any]:
    make: Callable[[Iterable[Any]], Any] = _named("Row", names, rename=True)._make
    return make


def _run(connection: Connection, statement: str, values: Any) -> Any:
    """The driver's cursor, or its like. Raises DBAPIError, as SQLAlchemy does."""
    if connection.dialect.name == "postgresql":
        answer = wire.Answer(statement, values if isinstance(values, list) else [values])
        trip = connection.info.get(_TRIP)
        if trip is None:
            _send(connection, [answer])
        else:
            trip.append(answer)
        return answer
    driver: Any = connection.connection.driver_connection
    errors: Any = connection.dialect.loaded_dbapi
    cursor = driver.cursor()
    try:
        if isinstance(values, list):
            cursor.executemany(statement, values)
        else:
            cursor.execute(statement, values)
    except errors.Error as error:
        raise driver_error(connection, error) from error
    return cursor


def send_commit(connection: Connection) -> None:
    """Send PostgreSQL the commit together with what is under way; SQLite commits in its turn.

    The commit itself frees what is locked and waits for no disk; what follows it does. So its
    locks span no sync, those who commit at once share one, and when the trip is over all is on
    disk: what was read of others, too. Whoever commits afterwards finds nothing to do. What
    fails before it undoes everything.
    """
    if connection.dialect.name == "postgresql":
        with one_trip(connection):
            for statement in ("COMMIT", _SYNC):
                _run(connection, statement, NO_VALUES)


def owe(connection: Connection, statement: str) -> None:
    """Have a statement go out in front of the transaction's next one, in the same trip."""
    connection.info[_OWED] = statement


def pay(connection: Connection) -> str | None:
    """The statement that is owed, which is then owed no more."""
    owed: str | None = connection.info.pop(_OWED, None)
    return owed


def under_way(connection: Connection) -> bool:
    """Whether statements wait for the end of their trip."""
    return bool(connection.info.get(_TRIP))


def driver_error(connection: Connection, error: Exception) -> DBAPIError:
    """A driver's error as SQLAlchemy's, without any value."""
    errors: Any = connection.dialect.loaded_dbapi
    made = DBAPIError.instance(
        None, None, error, errors.Error, hide_parameters=True, dialect=connection.dialect
    )
    assert isinstance(made, DBAPIError)
    return made


@contextmanager
def one_trip(connection: Connection) -> Iterator[None]:
    """Send the statements inside to PostgreSQL together; none may ask what became of it.

    They go out at the end, those of one inside another with it. Raises DBAPIError for the first
    of them that failed.
    """
    if connection.dialect.name != "postgresql" or _TRIP in connection.info:
        yield
        return
    trip: list[wire.Answer] = []
    connection.info[_TRIP] = trip
    try:
        yield
    finally:
        del connection.info[_TRIP]
    if trip:
        _send(connection, trip)


def _send(connection: Connection, trip: list[wire.Answer]) -> None:
    info = connection.info
    if (owed := info.pop(_OWED, None)) is not None:
        trip.insert(0, wire.Answer(owed, [NO_VALUES]))
    errors: Any = connection.dialect.loaded_dbapi
    try:
        wire.send(connection.connection.driver_connection, info, trip)
    except errors.Error as error:
        raise driver_error(connection, error) from error


def wanted(dialect_name: str, names: Sequence[str]) -> str:
    """A subquery that gives the rows of integers in the parameter `rows_`, under these names.

    `place` is each row's number. Give the parameter as `rows_json` writes it.
    """
    if dialect_name == "postgresql":
        columns = "".join(f", (value->>{at})::bigint AS {name}" for at, name in enumerate(names))
        each = "json_array_elements(CAST(:rows_ AS json)) WITH ORDINALITY AS given(value, nth)"
        return f"(SELECT nth - 1 AS place{columns} FROM {each})"
    columns = "".join(
        f", json_extract(value, '$[{at}]') AS {name}" for at, name in enumerate(names)
    )
    return f"(SELECT key AS place{columns} FROM json_each(:rows_))"


def rows_json(rows: Iterable[Sequence[int]]) -> str:
    """Rows of integers as `wanted` reads them."""
    return json.dumps([list(row) for row in rows])


def wanted_words(dialect_name: str) -> str:
    """A subquery that gives the words in the parameter `names_`, as `words_json` writes them."""
    if dialect_name == "postgresql":
        return "(SELECT json_array_elements_text(CAST(:names_ AS json)) AS value)"
    return "(SELECT value FROM json_each(:names_))"


def words_json(words: Iterable[str]) -> str:
    """Words as `wanted_words` reads them."""
    return json.dumps(list(words))


@lru_cache(maxsize=16)
def _known_query(dialect_name: str, table: str, column: str) -> TextClause:
    return text(
        f"SELECT given.value FROM {wanted_words(dialect_name)} AS given WHERE EXISTS"
        f' (SELECT 1 FROM "{table}" WHERE {column} = given.value) LIMIT 1'
    )


def known_of(connection: Connection, table: str, column: str, names: Iterable[str]) -> str | None:
    """One of these names that a column of unique names has already, or None if it has none.

    In one statement whose text does not grow with them.
    """
    statement = _known_query(connection.dialect.name, table, column)
    found = query(connection, statement, {"names_": words_json(names)})
    return found[0].value if found else None
