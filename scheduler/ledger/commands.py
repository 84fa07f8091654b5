"""A request being carried out, and the rows it holds back until they go out together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from scheduler.errors import LedgerError
from scheduler.ledger.log.canonical import canonical_json, rows_digest
from scheduler.ledger.log.tables import WRITTEN, sealed
from scheduler.ledger.vault.pieces import BlockNames

Place = tuple[int, str]
"""Number of a row and, where that alone does not tell it apart, a name: by code points."""


@dataclass(slots=True)
class CommandHandle:
    """A request being carried out; its entries refer to it, `finish` writes the answer."""

    command_id: int
    request_id: str
    kind: str
    digest: str
    at: datetime
    lines: int = 0
    answer: str | None = None
    written: bool = False
    spent_simulated: bool = False
    #: hashes of the rows written under this command, by table, in their order
    digests: dict[str, list[str]] = field(default_factory=dict)
    #: the same of rows that were there before and that this command marked, with their places
    marks: dict[str, list[tuple[Place, str]]] = field(default_factory=dict)
    #: ranges (block row, start, end) that this command spent, by block
    spent: dict[UUID, list[tuple[int, int, int]]] = field(default_factory=dict)
    #: numbers of what relays announced under this command
    announced_here: set[int] = field(default_factory=set)
    #: ranges (start, end) that a relay announced under this command, by block row and relay
    announced: dict[tuple[int, str], list[tuple[int, int]]] = field(default_factory=dict)

    def finish(self, answer: dict[str, Any]) -> None:
        """Record the answer that a retry will get: a JSON object without key bytes."""
        if self.answer is not None:
            raise LedgerError(f"request {self.request_id!r} was finished before")
        self.answer = canonical_json(answer)

    def wrote(self, table: str, *digests: str) -> None:
        """Take new rows' hashes under the command's own; rows of a table come by number."""
        self.digests.setdefault(table, []).extend(digests)

    def marked(self, table: str, place: Place, digest: str) -> None:
        """Do so with a row that was there before; these come in any order."""
        self.marks.setdefault(table, []).append((place, digest))

    def _written(self) -> Iterator[str]:
        """The hashes in the one order in which every store can give them again."""
        for table in WRITTEN:
            if table in self.digests:
                yield from self.digests[table]
            if table in self.marks:
                yield from (digest for _, digest in sorted(self.marks[table]))

    def row(self) -> dict[str, Any]:
        """The command's row as it stands."""
        row = {
            "id": self.command_id,
            "request_id": self.request_id,
            "kind": self.kind,
            "digest": self.digest,
            "at": self.at,
            "answer": self.answer or "",
            "rows_sha256": rows_digest(self._written()),
        }
        return sealed("command", row)


@dataclass(slots=True)
class Pending:
    """Rows held back so that they go out in few round trips."""

    commands: list[CommandHandle] = field(default_factory=list)
    data_keys: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    #: bytes of key, still to be sealed: block, end, bytes, and where in the block they begin
    material: list[tuple[BlockNames, int, bytes, int]] = field(default_factory=list, repr=False)
    entries: list[dict[str, Any]] = field(default_factory=list)
    balances: dict[int, int] = field(default_factory=dict)
    odd: dict[int, int] = field(default_factory=dict)  #: of the balances, bits beside whole bytes
    announcements: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    reservations: list[dict[str, Any]] = field(default_factory=list)
    reserved: list[dict[str, Any]] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)
    recipients: list[dict[str, Any]] = field(default_factory=list)
