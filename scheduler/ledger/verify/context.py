"""What an audit knows, what it is cut into, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, Snapshot
from scheduler.ledger.log.carried import NOTHING_CLOSED, Base
from scheduler.ledger.log.rows import Form
from scheduler.ledger.states import AccountKind
from scheduler.ledger.vault.pieces import Ciphers

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

    def extend(self, problems: Iterable[str]) -> None:
        """Note several problems."""
        for problem in problems:
            self.add(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditContext:
    """What every shard of an audit needs of the ledger; little, and the same for all shards."""

    forms: Mapping[str, Form]  #: every table, by name
    accounts: dict[int, tuple[int, AccountKind]]  #: pool and kind, by number
    pools: dict[int, tuple[str, str, str]]  #: name and two ends, by number
    ciphers: Ciphers | None = field(repr=False)  #: None if no key-encryption key is at hand
    base: Base = NOTHING_CLOSED  #: what closed periods brought along
    has_bytes: bool = True  #: False for an export, which leaves sealed bytes and signatures out


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of an audit: a check, and the numbers of the rows it looks at, both included."""

    check: str
    first: int = LOWEST
    last: int = HIGHEST
    table: str = ""  #: for the checks that are the same for every table
    level: int = 0  #: of a part of the log: that of the subtrees it is cut into

    @property
    def is_whole(self) -> bool:
        """True if it looks at every row there is."""
        return (self.first, self.last) == (LOWEST, HIGHEST)

    @property
    def span(self) -> dict[str, int]:
        """Bounds for a query."""
        return {"first": self.first, "last": self.last}

    def among(self, column: str) -> str:
        """SQL for the rows of the shard: the last one has the words that SQLite puts behind."""
        bounds = [f"{column} >= {self.first}"] * (self.first != LOWEST)
        bounds += [f"{column} <= {self.last}"] * (self.last != HIGHEST)
        return " AND ".join(bounds) or "1 = 1"


@dataclass(slots=True)
class Outcome:
    """What one shard of an audit found, and what it counted for the report."""

    problems: list[str]
    facts: Any = None


Check = Callable[[Snapshot, AuditContext, Shard], Outcome]
