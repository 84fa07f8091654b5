"""The shape of an export: its tables and columns, each row once, and whoever a row names there."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Integer, Table

from scheduler.ledger.db.snapshot import HIGHEST, LOWEST
from scheduler.ledger.log.export import EXPORTED
from scheduler.ledger.verify.context import Findings

_LONE = re.compile("[\ud800-\udfff]")
"""Halves of characters, which JSON can hold and no database."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a row of one table must look like."""

    columns: dict[str, type]
    optional: frozenset[str]
    key: tuple[str, ...]
    names: dict[str, str]  #: columns that name a row of a table by its number


def _shape_of(table: Table) -> _Shape:
    kinds: dict[str, type] = {
        column.name: int if isinstance(column.type, (Integer, Boolean)) else str
        for column in table.c
    }
    return _Shape(
        kinds,
        frozenset(column.name for column in table.c if column.nullable),
        tuple(column.name for column in table.primary_key),
        {
            column.name: foreign.column.table.name
            for column in table.c
            for foreign in column.foreign_keys
        },
    )


SHAPES: dict[str, _Shape] = {
    "header": _Shape({"format": str}, frozenset(), (), {}),
    "audit_root": _Shape({"size": int, "root": str}, frozenset(), (), {}),
    **{
        model.__tablename__: _shape_of(model.metadata.tables[model.__tablename__])
        for model in EXPORTED
    },
}


class Shapes:
    """The rows of an export seen so far, by their keys."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._seen: defaultdict[str, set[Any]] = defaultdict(set)
        self._named: defaultdict[tuple[str, str], set[Any]] = defaultdict(set)

    def take(self, number: int, table: object, row: dict[str, Any]) -> bool:
        """True if a line is a row of a known table with what its columns can hold, and new."""
        if not isinstance(table, str) or table not in SHAPES:
            self._found.add(f"line {number} is of no table of an export: {str(table)[:40]!r}")
            return False
        shape = SHAPES[table]
        if wrong := _misfit(shape, row):
            self._found.add(f"line {number} ({table}) {wrong}")
            return False
        key = tuple(row[name] for name in shape.key)
        key = key[0] if len(key) == 1 else key
        if key in self._seen[table]:
            self._found.add(f"line {number} ({table}) is there before: {key}")
            return False
        self._seen[table].add(key)
        for name, owner in shape.names.items():
            if row[name] is not None:
                self._named[table, owner].add(row[name])
        return True

    def finish(self) -> None:
        """Name the rows that others refer to and that are not there."""
        for (table, owner), named in self._named.items():
            for missing in sorted(named - self._seen[owner]):
                self._found.add(f"{table}: names {owner} {missing}, which is not there")


def _misfit(shape: _Shape, row: dict[str, Any]) -> str | None:
    """What is wrong with a row's columns, or None."""
    for name, kind in shape.columns.items():
        if name not in row:
            return f"lacks {name}"
        value = row[name]
        if type(value) is not kind and not (value is None and name in shape.optional):
            words = "a number" if kind is int else "text"
            return f"{name} is a {type(value).__name__}; allowed: {words}"
        if (type(value) is int and not LOWEST <= value <= HIGHEST) or (
            type(value) is str and _LONE.search(value)
        ):
            return f"{name} holds what no ledger can keep"
    extra = sorted(row.keys() - shape.columns.keys())
    return f"has {extra[0][:40]!r}, which is no column of it" if extra else None
