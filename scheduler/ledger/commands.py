"""A request being carried out, and the rows it holds back until they go out together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from scheduler.errors import LedgerError
from scheduler.ledger.canonical import canonical_json, sealed


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
    #: ranges (block row, start, end) that this command spent, by block
    spent: dict[UUID, list[tuple[int, int, int]]] = field(default_factory=dict)
    #: ranges (start, end) that a relay announced under this command, by block row and relay
    announced: dict[tuple[int, str], list[tuple[int, int]]] = field(default_factory=dict)

    def finish(self, answer: dict[str, Any]) -> None:
        """Record the answer that a retry will get: a JSON object without key bytes."""
        if self.answer is not None:
            raise LedgerError(f"request {self.request_id!r} was finished before")
        self.answer = canonical_json(answer)

    def row(self) -> dict[str, Any]:
        """The command's row as it stands."""
        row = {
            "id": self.command_id,
            "request_id": self.request_id,
            "kind": self.kind,
            "digest": self.digest,
            "at": self.at,
            "answer": self.answer or "",
        }
        return sealed("command", row)


@dataclass(slots=True)
class Pending:
    """Rows held back so that they go out in few round trips."""

    commands: list[CommandHandle] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    pieces: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    balances: dict[int, int] = field(default_factory=dict)
    announcements: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
