"""Row numbers: the next ones of a table, known before its rows are written.

SQLite has one writer at a time, so they follow the highest. PostgreSQL's identities give them to
several writers at once; what an undone transaction took is never given again, so there are gaps.
Whoever reads first and asks for numbers then has higher ones than all that it read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.sql.elements import ClauseElement

from scheduler.ledger.db.bulk import query, query_all

Question = tuple[ClauseElement, Mapping[str, Any]]
"""A statement and its values."""


class RowNumbers:
    """The numbers of the rows that one transaction adds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._last: dict[str, int] = {}  #: by table, in SQLite
        self._given: dict[str, list[int]] = {}  #: by table, in PostgreSQL, the lowest last

    def expect(
        self, counts: Mapping[str, int], besides: Sequence[Question] = ()
    ) -> list[list[Any]]:
        """Fetch the numbers of so many rows of each table in one round trip: exactly those.

        Returns the rows that come of other questions, asked `besides` and first.
        """
        if self._is_sqlite:
            self._look_up(tuple(table for table in counts if table not in self._last))
            return query_all(self._connection, besides)
        missing = {
            table: count - len(self._given.get(table, ()))
            for table, count in counts.items()
            if count > len(self._given.get(table, ()))
        }
        if not missing:
            return query_all(self._connection, besides)
        values = {f"count_{place}": count for place, count in enumerate(missing.values())}
        fresh: dict[str, list[int]] = {}
        *found, given = query_all(self._connection, [*besides, (_fetch(tuple(missing)), values)])
        for place, number in given:
            fresh.setdefault(tuple(missing)[place], []).append(number)
        for table, numbers in fresh.items():
            self._given[table] = [*sorted(numbers, reverse=True), *self._given.get(table, ())]
        return found

    def next(self, table: str) -> int:
        """The number of a table's next row."""
        if self._is_sqlite:
            self._look_up((table,) if table not in self._last else ())
            self._last[table] += 1
            return self._last[table]
        if not self._given.get(table):
            self.expect({table: 1})
        return self._given[table].pop()

    def _look_up(self, tables: tuple[str, ...]) -> None:
        """The highest numbers of tables, in one round trip."""
        if tables:
            for place, last in query(self._connection, _highest(tables)):
                self._last[tables[place]] = last or 0


# A statement costs more to build than to run, so each is built once.
@cache
def _highest(tables: tuple[str, ...]) -> TextClause:
    return text(
        " UNION ALL ".join(
            f'SELECT {place} AS place, max(id) AS last FROM "{table}"'
            for place, table in enumerate(tables)
        )
    )


@cache
def _fetch(tables: tuple[str, ...]) -> TextClause:
    return text(
        " UNION ALL ".join(
            f"SELECT {place} AS place, nextval('{table}_id_seq') AS number"
            f" FROM generate_series(1, :count_{place})"
            for place, table in enumerate(tables)
        )
    )
