"""Reading many rows with little memory."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Result, Select

ROWS_AT_ONCE = 1000


def stream(
    connection: Connection, query: Select[*tuple[Any, ...]], at_once: int = ROWS_AT_ONCE
) -> Result[*tuple[Any, ...]]:
    """Run a query whose rows are fetched a few thousand at a time.

    The option belongs to this one statement: set on the connection it would stay there.
    """
    return connection.execute(query, execution_options={"yield_per": at_once})


def batched(result: Result[*tuple[Any, ...]]) -> Iterator[Any]:
    """The rows of a stream, taken over batch by batch, which costs less than one by one."""
    return chain.from_iterable(result.partitions())


def tuples(
    connection: Connection, query: Select[*tuple[Any, ...]], at_once: int = ROWS_AT_ONCE
) -> Generator[Any, None, None]:
    """The rows of a query of integers, words and bytes alone, for which no column type has a say.

    SQLite's driver streams by itself and its own tuples cost a third of SQLAlchemy's rows.
    """
    if connection.dialect.name != "sqlite":
        with stream(connection, query, at_once) as result:
            yield from batched(result)
        return
    with connection.execute(query) as result:
        cursor = result.cursor
        assert cursor is not None  # a SELECT has one
        while rows := cursor.fetchmany(at_once):
            yield from rows
