"""What reads the ledger: one consistent snapshot, and the requests that were made of it."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, text
from sqlalchemy.sql.elements import ClauseElement

from orbits import as_utc
from scheduler.errors import RequestConflict
from scheduler.ledger.db.bulk import query
from scheduler.ledger.records import CommandRecord, record_of
from scheduler.ledger.schema import EXPIRING_BLOCK, Command

ROWS_MAX = 10_000
"""Rows that one call of `get_commands` or `get_entries` returns at most."""

_ANSWER = select(Command.kind, Command.digest, Command.answer).where(
    Command.request_id == bindparam("request_")
)
_LAST_COMMAND = select(func.max(Command.id))
_OUT_OF_THE_ORDINARY = text(
    "SELECT EXISTS (SELECT 1 FROM freed_range) AS freed,"
    f" EXISTS (SELECT 1 FROM block WHERE {EXPIRING_BLOCK}) AS expiring"
)


class Reader:
    """One snapshot; get one from `LedgerView.read()`. The rooms' functions read from it."""

    def __init__(self, connection: Connection) -> None:
        self.raw = connection  #: as it is; a transaction holds rows back from it
        self._freed: bool | None = None  #: whether any range ever came back; None: not yet read
        self._expiring: bool | None = None  #: whether any available block's time is limited

    @property
    def connection(self) -> Connection:
        """What to query. In a transaction everything that it holds back is written down first."""
        return self.raw

    def hold(self) -> None:
        """Fix what this snapshot sees: SQLite does so with the first read, PostgreSQL too."""
        self.raw.execute(_LAST_COMMAND).scalar()

    def has_freed(self) -> bool:
        """Whether any released range waits for its next use; mostly none does, read once."""
        if self._freed is None:
            self._read_flags()
        return bool(self._freed)

    def has_expiring(self) -> bool:
        """Whether the time of any available block is limited; mostly none is, read once."""
        if self._expiring is None:
            self._read_flags()
        return bool(self._expiring)

    def flags_question(self) -> list[tuple[ClauseElement, dict[str, Any]]]:
        """What to ask, together with other questions, for what is read once; nothing if it was."""
        return [(_OUT_OF_THE_ORDINARY, {})] if None in (self._freed, self._expiring) else []

    def take_flags(self, found: list[list[Any]]) -> None:
        """Take what came of `flags_question`."""
        for ((freed, expiring),) in found:
            self._note_flags(freed, expiring)

    def _read_flags(self) -> None:
        self.take_flags([query(self.raw, _OUT_OF_THE_ORDINARY)])

    def _note_flags(self, freed: Any, expiring: Any) -> None:
        # What this transaction did itself may not be written down yet.
        self._freed = self._freed or bool(freed)
        self._expiring = self._expiring or bool(expiring)

    def answer(self, request_id: str, *, kind: str, digest: str) -> dict[str, Any] | None:
        """The answer first given to a request, or None if it is new.

        Raises RequestConflict if the id came first with another kind, or digest of its content.
        """
        return known_answer(self.connection, request_id, kind=kind, digest=digest)


def known_answer(
    connection: Connection, request_id: str, *, kind: str, digest: str
) -> dict[str, Any] | None:
    """The answer that the table of commands has. Raises as `Reader.answer`."""
    return answer_of(
        query(connection, _ANSWER, {"request_": request_id}), request_id, kind=kind, digest=digest
    )


def answer_question(request_id: str) -> tuple[ClauseElement, dict[str, Any]]:
    """What to ask for the answer to a request, together with other questions."""
    return _ANSWER, {"request_": request_id}


def answer_of(rows: list[Any], request_id: str, *, kind: str, digest: str) -> dict[str, Any] | None:
    """The answer in what came of `answer_question`. Raises as `Reader.answer`."""
    if not rows:
        return None
    (row,) = rows
    check_same_request(request_id, (row.kind, row.digest), (kind, digest))
    answer: dict[str, Any] = json.loads(row.answer)
    return answer


def check_same_request(request_id: str, first: tuple[str, str], now: tuple[str, str]) -> None:
    """Raise RequestConflict unless kind and digest are those of the first time."""
    for word, was, seen in zip(("kind", "digest"), first, now, strict=True):
        if seen != was:
            raise RequestConflict(
                f"request {request_id!r} came first with {word} {was!r}, now with {seen!r}"
            )


def get_commands(
    reader: Reader,
    *,
    kind: str | None = None,
    since: datetime | None = None,
    after: int = 0,
    limit: int = ROWS_MAX,
) -> list[CommandRecord]:
    """Commands in the order they were given, those after command number `after`.

    Of one kind, and given at `since` or later, where these are named.
    """
    values: dict[str, Any] = {"after_": after, "limit_": min(limit, ROWS_MAX)}
    if since is not None:
        values["since_"] = as_utc(since)
    if kind is not None:
        values["kind_"] = kind
    return [
        command_record(row)
        for row in query(
            reader.connection, _commands("since_" in values, "kind_" in values), values
        )
    ]


@cache
def _commands(since: bool, kind: bool) -> Select[Any]:
    """The question of `get_commands`, with these limits or without."""
    asked = select(*Command.__table__.c).where(Command.id > bindparam("after_"))
    if since:
        asked = asked.where(Command.at >= bindparam("since_"))
    if kind:
        asked = asked.where(Command.kind == bindparam("kind_"))
    return asked.order_by(Command.id).limit(bindparam("limit_"))


def command_record(row: Any) -> CommandRecord:
    """A command, from its row."""
    return record_of(CommandRecord, row, command_id=row.id, answer=json.loads(row.answer))


def last_of_kind(reader: Reader, kind: str) -> CommandRecord | None:
    """The last command of a kind; None without any."""
    asked = select(*Command.__table__.c).where(Command.kind == kind)
    row = reader.connection.execute(asked.order_by(Command.id.desc()).limit(1)).one_or_none()
    return None if row is None else command_record(row)


def latest_instant(reader: Reader, kinds: Collection[str]) -> datetime | None:
    """The latest instant at which a command of these kinds was given; None without any."""
    asked = select(func.max(Command.at)).where(Command.kind.in_(kinds))
    return reader.connection.execute(asked).scalar()


def last_command(reader: Reader) -> int:
    """Number of the newest command, 0 without any: the same number, the same books."""
    ((newest,),) = query(reader.connection, _LAST_COMMAND)
    return newest or 0
