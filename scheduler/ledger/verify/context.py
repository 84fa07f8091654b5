"""What an audit knows, what it finds, and streams to read side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, Row, Snapshot
from scheduler.ledger.log.stored import stored_hasher
from scheduler.ledger.states import AccountKind
from scheduler.ledger.vault.pieces import Ciphers

PROBLEMS_MAX = 1000
"""Problems that one report lists; a ruined ledger need not fill the memory."""

NO_ROWS: Sequence[Row] = ()
END = float("inf")
"""Behind the number of every row."""
END_ROW: Row = (END,)


class Findings:
    """Problems found so far, the first PROBLEMS_MAX of them."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, problem: str) -> None:
        """Note one problem."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def extend(self, problems: Iterable[str]) -> None:
        """Note several problems."""
        for problem in problems:
            self.add(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditContext:
    """What every part of an audit needs of the ledger; little, and the same for all parts."""

    accounts: dict[int, tuple[int, AccountKind]]  #: pool and kind, by number
    pools: dict[int, tuple[str, str, str]]  #: name and two ends, by number
    ciphers: Ciphers | None = field(repr=False)  #: None if no key-encryption key is at hand
    has_bytes: bool = True  #: False for an export, which leaves sealed bytes out


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an audit: a check, and the numbers of the rows it looks at, both included."""

    check: str
    first: int = LOWEST
    last: int = HIGHEST

    @property
    def is_whole(self) -> bool:
        """True if it looks at every row there is."""
        return (self.first, self.last) == (LOWEST, HIGHEST)


@dataclass(slots=True)
class Outcome:
    """What one part of an audit found, and what it counted for the report."""

    problems: list[str]
    facts: Any = None
    #: rows that others name and that are not there, by the words to report them in
    dangling: dict[str, list[int]] = field(default_factory=dict)


Check = Callable[[Snapshot, AuditContext, Part], Outcome]


class Grouped:
    """Rows ordered by their first column, handed out group by group in that order."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._head = next(rows, END_ROW)
        self.key: float = self._head[0]  #: of the group that comes next
        self.dangling: list[int] = []  #: groups nobody asked for

    def of(self, key: int) -> Sequence[Row]:
        """The rows of one group; ask in ascending order."""
        while self.key < key:
            self._skip()
        if self.key != key:
            return NO_ROWS
        rows = [self._head]
        for head in self._rows:
            if head[0] != key:
                self._head, self.key = head, head[0]
                return rows
            rows.append(head)
        self._head, self.key = END_ROW, END
        return rows

    def finish(self) -> list[int]:
        """Groups that nobody asked for, to the end of the stream."""
        while self.key != END:
            self._skip()
        return self.dangling

    def _skip(self) -> None:
        if len(self.dangling) < PROBLEMS_MAX:
            self.dangling.append(self._head[0])
        stray = self.key
        while self.key == stray:
            self._head = next(self._rows, END_ROW)
            self.key = self._head[0]


def check_hashes(
    snapshot: Snapshot,
    found: Findings,
    table: str,
    columns: Sequence[str],
    query: str,
    named_by: Sequence[str],
    part: Part,
) -> None:
    """Compare every row's hash, its last column, with what its others give."""
    digest = stored_hasher(table, columns)
    places = [columns.index(name) for name in named_by]
    for row in snapshot.rows(query, first=part.first, last=part.last):
        if row[-1] != digest(row):
            name = "/".join(str(row[place]) for place in places)
            found.add(f"{table} {name}: its row was changed")
