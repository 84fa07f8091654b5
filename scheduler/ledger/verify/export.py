"""Checking an exported ledger on another machine: its rows in a fresh SQLite, the same checks."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Float

from scheduler.ledger.db.snapshot import HIGHEST, LOWEST, Snapshot
from scheduler.ledger.log import merkle
from scheduler.ledger.log.canonical import read_json
from scheduler.ledger.log.carried import LEAVES, NOTHING_CLOSED, read_base
from scheduler.ledger.log.export import EXPORTED, FORMAT
from scheduler.ledger.log.tables import FORMS, is_number
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.schema.columns import UtcDateTime
from scheduler.ledger.verify.context import Findings
from scheduler.ledger.verify.log import data_of
from scheduler.ledger.verify.run import audit
from scheduler.ledger.verify.schema import definitions
from scheduler.ledger.verify.seals import read_context
from scheduler.ledger.verify.segments import SEGMENTS
from scheduler.ledger.verify.signed import check_signed

_LONE = re.compile("[\ud800-\udfff]")
"""Halves of characters, which JSON can hold and no database."""

ENDS: dict[str, dict[str, type]] = {
    "header": {"format": str},
    "audit_root": {"size": int, "root": str},
}
"""What stands before the rows of an export, and behind them."""

COLUMNS: dict[str, dict[str, Column[Any]]] = {
    table.name: {column.name: column for column in table.c} for table in EXPORTED
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an exported ledger holds and what is wrong with it."""

    rows: int
    size: int
    root: str
    problems: tuple[str, ...]
    segment: int = 0  #: the newest segment that it names, which holds what was before
    first_leaf: int = 0
    previous_sha256: str = ""

    @property
    def ok(self) -> bool:
        """True when nothing was found wrong."""
        return not self.problems


def verify_lines(
    lines: Iterable[str],
    *,
    checkpoint: Checkpoint | None = None,
    public_key: str | None = None,
) -> ExportReport:
    """Check an export by itself and, if given, against a checkpoint signed by a trusted key.

    By itself it shows every change of a row that left the hashes as they were. Whoever
    rewrote the hashes as well is found against a checkpoint that was kept elsewhere.
    """
    # A temporary file, which SQLite removes by itself.
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        loading = _Loading(database)
        for number, line in enumerate(lines, start=1):
            loading.take(number, line)
        found = loading.finish()
        snapshot = Snapshot(database)
        context = read_context(snapshot, FORMS, None, has_bytes=False)
        tally = audit(snapshot, context, found)
        if (loading.root.get("size"), loading.root.get("root")) != (tally.size, tally.root):
            found.add(f"audit_root: the leaves give size {tally.size} and root {tally.root}")
        if checkpoint is not None:
            found.extend(check_signed(snapshot, checkpoint, public_key, whose="the export's"))
        *_, newest = [(0, 0, 0, ""), *(row[:4] for row in snapshot.rows(SEGMENTS))]
    return ExportReport(
        rows=loading.rows,
        size=tally.size,
        root=tally.root,
        problems=tuple(found.problems),
        segment=newest[0],
        first_leaf=newest[2],
        previous_sha256=newest[3],
    )


class _Loading:
    """The lines of an export on their way into the tables of a ledger."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._found = Findings()
        self.rows = 0
        self.root: dict[str, Any] = {}
        database.execute("PRAGMA journal_mode=OFF")
        # What a row must not hold is for the audit to say.
        database.execute("PRAGMA ignore_check_constraints=ON")
        for definition in definitions("sqlite"):
            database.execute(definition)
        database.execute("BEGIN")
        self._inserts = {
            table: f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(columns))})'
            for table, columns in COLUMNS.items()
        }

    def take(self, number: int, line: str) -> None:
        """Take in one line."""
        try:
            row = read_json(line)
            table = row.pop("table")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            self._found.add(f"line {number} is no row of an export")
            return
        self.rows += 1
        if number == 1 and (table, row.get("format")) != ("header", FORMAT):
            self._found.add(f"line 1 does not begin an export of {FORMAT}")
        if not isinstance(table, str) or table not in {*COLUMNS, *ENDS}:
            self._found.add(f"line {number} is of no table of an export: {str(table)[:40]!r}")
        elif wrong := self._put(table, row):
            self._found.add(f"line {number} ({table}) {wrong}")

    def _put(self, table: str, row: dict[str, Any]) -> str | None:
        """Put a row into its table; return what is wrong with it, or None."""
        columns: Iterable[str] = COLUMNS.get(table) or ENDS[table]
        if missing := [name for name in columns if name not in row]:
            return f"lacks {missing[0]}"
        if extra := sorted(row.keys() - set(columns)):
            return f"has {extra[0][:40]!r}, which is no column of it"
        try:
            if table in ENDS:
                for name, kind in ENDS[table].items():
                    _check_kind(name, row[name], kind)
                self.root = row if table == "audit_root" else self.root
            else:
                values = [_stored(column, row[name]) for name, column in COLUMNS[table].items()]
                self._database.execute(self._inserts[table], values)
        except ValueError as error:
            return str(error)
        except sqlite3.IntegrityError:
            key = "/".join(str(row[name]) for name in FORMS[table].key)
            return f"is there before: {key}, or what only one row can have"
        return None

    def finish(self) -> Findings:
        """What was wrong with the lines; the nodes of the log, which an export leaves out, made."""
        if not self.rows:
            self._found.add("the export is empty")
        try:
            base = read_base(Snapshot(self._database))
        except (ValueError, TypeError):
            base = NOTHING_CLOSED  # which the checks of the segments say
        frontier = list(base.frontier)
        place = merkle.position((0, base.size))
        leaves = self._database.cursor()
        leaves.execute(LEAVES, {"first": base.size or LOWEST, "last": HIGHEST})
        for size, (seq, kind, subject, digest) in enumerate(leaves, start=base.size):
            hashed = merkle.leaf_hash(data_of(seq, kind, subject, digest))
            for _, done in merkle.grow(frontier, size, hashed):
                self._database.execute("INSERT INTO audit_node VALUES (?, ?)", (place, done))
                place += 1
        self._database.execute("COMMIT")
        return self._found


def _stored(column: Column[Any], value: Any) -> Any:
    """A value as SQLite keeps it. Raises ValueError for one that no ledger would export."""
    if value is None and column.nullable:
        return None
    _check_kind(column.name, value, int if is_number(column) else str)
    if not isinstance(column.type, (UtcDateTime, Float)):
        return value
    stored, written = (_float if isinstance(column.type, Float) else _instant)(value)
    if written != value:
        raise ValueError(f"{column.name} is {value[:40]!r}, which no export writes")
    return stored


def _check_kind(name: str, value: Any, kind: type) -> None:
    """Raise ValueError for a value that is none of its column's kind."""
    seen = type(value)
    if seen is not kind:
        words = "a number" if kind is int else "text"
        raise ValueError(f"{name} is a {seen.__name__}; allowed: {words}")
    if not (LOWEST <= value <= HIGHEST if kind is int else not _LONE.search(value)):
        raise ValueError(f"{name} holds what no ledger can keep")


def _instant(text: str) -> tuple[str, str]:
    """An instant as SQLite keeps it, and as an export writes that."""
    stored = text.removesuffix("Z").replace("T", " ", 1)
    return stored, stored.replace(" ", "T", 1) + "Z"


def _float(text: str) -> tuple[float, str]:
    """The same for a number with a fraction."""
    number = float(text)
    return number, repr(number)
