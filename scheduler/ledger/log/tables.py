"""The log's view of every table, taken from the tables' own definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, Float, Integer, Table, UniqueConstraint

from scheduler.ledger.log.rows import Form, hasher
from scheduler.ledger.schema import Base
from scheduler.ledger.schema.base import Audited
from scheduler.ledger.schema.columns import UtcDateTime

if TYPE_CHECKING:
    from sqlalchemy import RowMapping


def is_number(column: Column[Any]) -> bool:
    """True for a column of whole numbers, truth values among them."""
    return isinstance(column.type, (Integer, Boolean))


def _name_of(table: Table) -> tuple[str, ...]:
    """The columns of its first unique constraint."""
    for column in table.c:
        if column.unique and not is_number(column):
            return (column.name,)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            return tuple(constraint.columns.keys())
    return ()


def _form_of(table: Table, audited: Audited | None) -> Form:
    marks = audited or Audited(hash="")
    return Form(
        table=str(table.name),  # SQLAlchemy's names are a kind of text of their own
        columns=tuple(table.c.keys()),
        key=tuple(table.primary_key.columns.keys()),
        name=_name_of(table),
        hash=marks.hash,
        hashed=tuple(c.name for c in table.c if c.name not in {marks.hash, *marks.later}),
        instants=frozenset(c.name for c in table.c if isinstance(c.type, UtcDateTime)),
        numbers=frozenset(c.name for c in table.c if is_number(c)),
        fractions=frozenset(c.name for c in table.c if isinstance(c.type, Float)),
        optional=frozenset(c.name for c in table.c if c.nullable),
        leaf=marks.leaf,
        joint=marks.joint,
        under=tuple((word, column) for column, word in marks.under.items()),
        references=tuple(
            (column.name, str(foreign.column.table.name), foreign.column.name)
            for column in table.c
            for foreign in column.foreign_keys
        ),
    )


_AUDITED = {mapper.class_.__tablename__: mapper.class_.audited for mapper in Base.registry.mappers}

FORMS: dict[str, Form] = {
    str(table.name): _form_of(table, _AUDITED[table.name]) for table in Base.metadata.sorted_tables
}
"""Every table by name, owners before those that name them."""

WRITTEN: tuple[str, ...] = tuple(sorted(word for form in FORMS.values() for word, _ in form.under))
"""The words of `Audited.under`, in the order in which a command's hash takes its rows."""


def row_digest(table: str, row: Mapping[str, Any] | RowMapping, **more: str) -> str:
    """Hash one row, given by its columns, and what `more` is under its hash."""
    values, digest = _digester(table, tuple(more))
    return digest((*values(row), *more.values()))


def seal_all(table: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Put the hash of each row into it; return the hashes in their order."""
    values, digest = _digester(table, ())
    hashes = [digest(values(row)) for row in rows]
    for row, sha256 in zip(rows, hashes, strict=True):
        row[FORMS[table].hash] = sha256
    return hashes


@lru_cache
def _digester(
    table: str, more: tuple[str, ...]
) -> tuple[Callable[[Any], tuple[Any, ...]], Callable[[Sequence[Any]], str]]:
    """What takes the hashed columns of a row, and what hashes them; to hash a form takes longer."""
    form = FORMS[table]
    return itemgetter(*form.hashed), hasher(form, form.hashed, more)


def sealed(table: str, row: dict[str, Any], **more: str) -> dict[str, Any]:
    """The row together with its hash."""
    return row | {FORMS[table].hash: row_digest(table, row, **more)}
