"""The hash over a row, whoever takes it: the writer of a row, or an audit of all there are."""

from __future__ import annotations

import hashlib
from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from scheduler.ledger.log.canonical import instant_text

_named: Any = namedtuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the log knows of a table; plain words, so that any process can be sent it."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]  #: the columns of its primary key
    name: tuple[str, ...]  #: those by which people know a row
    hash: str  #: the column of its hash; empty if it has none
    hashed: tuple[str, ...]  #: the columns under the hash
    instants: frozenset[str]
    numbers: frozenset[str]  #: columns of whole numbers, truth values among them
    fractions: frozenset[str]  #: columns of numbers with a fraction
    optional: frozenset[str]  #: columns that may be empty
    leaf: tuple[str, ...]
    joint: str
    under: tuple[tuple[str, str], ...]  #: word in a command's hash, column that names the command
    references: tuple[tuple[str, str, str], ...]  #: column, the table it names, by which column

    @property
    def numbered(self) -> str:
        """The column by whose numbers the table can be cut into shards; empty if there is none."""
        return self.key[0] if self.key and self.key[0] in self.numbers else ""

    def select(self, behind: str) -> str:
        """SQL for whole rows, in the order of the columns."""
        columns = ", ".join(f'"{name}"' for name in self.columns)
        return f'SELECT {columns} FROM "{self.table}" {behind}'

    def order(self) -> str:
        """The rows in the order of their keys."""
        return "ORDER BY " + ", ".join(f'"{name}"' for name in self.key)

    def title(self, row: Sequence[Any]) -> str:
        """How a report names a row."""
        values = dict(zip(self.columns, row, strict=False))
        title = f"{self.table} {'/'.join(str(values[name]) for name in self.key)}"
        others = "/".join(str(values[name]) for name in self.name)
        return f"{title} ({others})" if others else title

    def subject(self, row: Any) -> str:
        """The name under which the log knows a row, given by column."""
        return self.joint.join(_plain_text(row[name]) for name in self.leaf)


@lru_cache
def named_row(form: Form) -> Callable[[Sequence[Any]], Any]:
    """What gives a row's columns their names."""
    make: Callable[[Sequence[Any]], Any] = _named(form.table, form.columns)._make
    return make


@lru_cache
def hasher(
    form: Form, columns: tuple[str, ...] | None = None, more: tuple[str, ...] = ()
) -> Callable[[Sequence[Any]], str]:
    """The hash of a table's rows: SHA-256, hex, over the canonical JSON of the hashed columns.

    Rows come with these columns first, by default all in their order; `more` names columns under
    the hash that are not the table's own. An empty column is left out. SQLite keeps an instant as
    text and a truth value as 0 or 1, PostgreSQL's driver gives both as what they are: one hash.
    Raises TypeError or ValueError for a value of another kind, which only SQLite holds.
    """
    places = {name: place for place, name in enumerate((*(columns or form.columns), *more))}
    names: dict[str, Any] = {"escape": encode_basestring_ascii, "instant": _instant}
    parts = []
    for name in sorted((*form.hashed, *more, "row")):
        value = f"row[{places.get(name, -1)}]"
        if name == "row":
            parts.append(f',"row":"{form.table}"')
        elif name in form.optional:
            names[f"write_{name}"] = _optional(name, is_instant=name in form.instants)
            parts.append(f"{{write_{name}({value})}}")
        elif name in form.numbers:
            parts.append(f',"{name}":{{{value}:d}}')
        elif name in form.fractions:
            parts.append(f',"{name}":"{{{value}!r}}"')
        else:
            write = "instant" if name in form.instants else "escape"
            parts.append(f',"{name}":{{{write}({value})}}')
    # Written out as one format string, as a named tuple's methods are: one call for each column
    # took half of an audit's time. It holds nothing but the names in our own tables.
    text_of = eval(f"lambda row: f'{''.join(parts)}'", names)

    def digest(row: Sequence[Any]) -> str:
        return hashlib.sha256(f"{{{text_of(row)[1:]}}}".encode()).hexdigest()

    return digest


@lru_cache
def checker(form: Form, more: tuple[str, ...] = ()) -> Callable[[Sequence[Any]], bool]:
    """What tells of a whole row whether it has the hash that its columns give."""
    digest, place = hasher(form, more=more), form.columns.index(form.hash)

    def is_sound(row: Sequence[Any]) -> bool:
        try:
            stored: object = row[place]
            return stored == digest(row)
        except (TypeError, ValueError):
            return False

    return is_sound


def _optional(name: str, *, is_instant: bool) -> Callable[[Any], str]:
    """What writes a column that may be empty, with a comma before it; nothing if it is."""

    def write(value: Any) -> str:
        if value is None:
            return ""
        if is_instant:
            return f',"{name}":{_instant(value)}'
        if isinstance(value, str):
            return f',"{name}":{encode_basestring_ascii(value)}'
        return f',"{name}":"{value!r}"' if isinstance(value, float) else f',"{name}":{value:d}'

    return write


@lru_cache(maxsize=1024)  # rows that were written together have their instants in common
def _instant(value: Any) -> str:
    """An instant in canonical JSON. Text that SQLAlchemy did not write fits no hash."""
    if isinstance(value, datetime):
        return f'"{instant_text(value.astimezone(UTC))}"'
    return encode_basestring_ascii(f"{value}Z".replace(" ", "T", 1))


def stored_instant(value: Any) -> datetime:
    """An instant as a driver gives it. Raises ValueError or TypeError for what is none."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def _plain_text(value: Any) -> str:
    return instant_text(value) if isinstance(value, datetime) else str(value)
