"""What an audit found, and streams to read side by side."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, select

from scheduler.ledger.models import Base
from scheduler.ledger.streams import ROWS_AT_ONCE, batched, stream, tuples

PROBLEMS_MAX = 1000
"""Problems that one report lists; a ruined ledger need not fill the memory."""


class Findings:
    """Problems found so far, the first PROBLEMS_MAX of them."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, problem: str) -> None:
        """Note one problem."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    @property
    def room(self) -> int:
        """How many more problems fit; at least one, so that a query asks for something."""
        return max(1, PROBLEMS_MAX - len(self.problems))


class Grouped:
    """A stream ordered by its first column, handed out group by group in that order.

    Of integers, words and bytes alone, as `tuples` gives them.
    """

    def __init__(
        self,
        connection: Connection,
        query: Select[*tuple[Any, ...]],
        at_once: int = ROWS_AT_ONCE,
    ) -> None:
        self._rows: Iterator[Any] = tuples(connection, query, at_once)
        self._head: Any = next(self._rows, None)
        self.strays: list[int] = []  #: groups nobody asked for

    def of(self, key: int) -> list[Any]:
        """The rows of one group; ask in ascending order."""
        rows: list[Any] = []
        head, stream = self._head, self._rows
        if head is None or head[0] > key:
            return rows
        while head is not None and head[0] <= key:
            if head[0] == key:
                rows.append(head)
            else:
                self._stray(head[0])
            head = next(stream, None)
        self._head = head
        return rows

    def finish(self) -> list[int]:
        """Groups that nobody asked for, to the end of the stream."""
        while self._head is not None:
            self._stray(self._head[0])
            self._head = next(self._rows, None)
        return self.strays

    def _stray(self, key: int) -> None:
        if key not in self.strays[-1:] and len(self.strays) < PROBLEMS_MAX:
            self.strays.append(key)


def all_rows(
    connection: Connection, table: type[Base], names: tuple[str, ...] | None = None
) -> Iterator[Any]:
    """Every row of a table, or some columns of it, as a mapping, in its key's order, streamed."""
    every, keys = table.__table__.c, table.__table__.primary_key
    columns = every if names is None else [every[name] for name in names]
    rows = batched(stream(connection, select(*columns).order_by(*keys)))
    return map(attrgetter("_mapping"), rows)
