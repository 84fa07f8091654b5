"""Reading the tables of a scenario strictly; all that is wrong is gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from typing import Any

from scheduler.errors import FactError, ScenarioError
from scheduler.network.keys import REQUIRED, Key, Kind, TableSchema
from scheduler.network.lines import Line, Place
from scheduler.network.schema import table_names

MISTAKES_SHOWN = 50


@dataclass(slots=True)
class Mistakes:
    """What is wrong with a file, each with its line where it is known."""

    lines: Mapping[Place, Line]
    found: list[tuple[Line, str]] = field(default_factory=list)

    def add(self, text: str, *places: Place) -> None:
        """Note a mistake at the first of some places whose line is known."""
        line = next((self.lines[place] for place in places if place in self.lines), ("", 0))
        self.found.append((line, text))

    def refuse(self) -> None:
        """Raise ScenarioError with all of them, one a line, if there are any."""
        if not self.found:
            return
        ordered = sorted(dict.fromkeys(self.found))
        told = [_at(line) + text for line, text in ordered]
        if len(told) > MISTAKES_SHOWN:
            told = [*told[:MISTAKES_SHOWN], f"and {len(told) - MISTAKES_SHOWN} more"]
        head = [f"{len(ordered)} mistakes:"] if len(ordered) > 1 else []
        raise ScenarioError("\n".join((*head, *told)))


def _at(line: Line) -> str:
    extended, number = line
    named = f"{extended}, " if extended else ""
    return f"{named}line {number}: " if number else ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table that was read: its values by key, and how to say where it stands."""

    where: str  #: e.g. `stations[0]`
    place: Place
    values: Mapping[str, Any]
    mistakes: Mistakes

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def wrong(self, text: str, key: str = "") -> None:
        """Note a mistake at one of its keys, or at the table."""
        table, index, _ = self.place
        where = f"{self.where}.{key}" if key else f"{self.where}:"
        self.mistakes.add(f"{where} {text}", (table, index, key), self.place)

    def checked(self) -> _Checked:
        """Turn what a value type refuses within the block into a mistake of this table."""
        return _Checked(self)


class _Checked:
    def __init__(self, table: Table) -> None:
        self._table = table

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if isinstance(error, ScenarioError | FactError):
            self._table.wrong(str(error))
            return True
        return False


def read_table(
    schema: TableSchema, given: Mapping[str, Any], mistakes: Mistakes, index: int = 0
) -> Table | None:
    """Return a table by its schema, what is left out at its default; None if a key is wrong."""
    where = f"{schema.name}[{index}]" if schema.many else schema.name or "scenario"
    table = Table(where, (schema.name, index, ""), {}, mistakes)
    values: dict[str, Any] = {}
    before = len(mistakes.found)
    for key in schema.keys:
        if key.name in given:
            value = _value(key, given[key.name])
            if value is _WRONG:
                table.wrong(f"is {_shown(given[key.name])}; allowed: {key.allowed}", key.name)
            values[key.name] = value
        elif key.default is REQUIRED:
            mistakes.add(f"{where}: key {key.name!r} is missing", table.place)
        else:
            values[key.name] = key.default
    names = [*(key.name for key in schema.keys), *([] if schema.name else table_names())]
    for name in given:
        if name not in names:
            places = (schema.name, index, name), (name, 0, ""), table.place
            mistakes.add(_unknown(where, name, names), *places)
    if len(mistakes.found) > before:
        return None
    return Table(where, table.place, values, mistakes)


def read_tables(schema: TableSchema, given: object, mistakes: Mistakes) -> list[Table]:
    """Return every sound table of an array of them; an absent one is empty."""
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        mistakes.add(f"{schema.name} is {_shown(given)}; allowed: [[{schema.name}]] tables",
                     ("", 0, schema.name), (schema.name, 0, ""))  # fmt: skip
        return []
    read = [read_table(schema, one, mistakes, index) for index, one in enumerate(given)]
    return [table for table in read if table is not None]


def read_single(schema: TableSchema, given: object, mistakes: Mistakes) -> Table | None:
    """Return a table that stands once, or not at all: then at its defaults."""
    if not isinstance(given, dict):
        mistakes.add(f"{schema.name} is {_shown(given)}; allowed: a table", ("", 0, schema.name))
        return None
    return read_table(schema, given, mistakes)


def _unknown(where: str, name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1)
    meant = f" (perhaps {near[0]!r})" if near else ""
    return f"{where}: unknown key {name!r}{meant}; allowed: {', '.join(names)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


_WRONG: Any = object()


def _value(key: Key, given: object) -> Any:
    """Return the value as its kind has it, or _WRONG."""
    match key.kind:
        case Kind.TEXT:
            return given if isinstance(given, str) else _WRONG
        case Kind.FLAG:
            return given if isinstance(given, bool) else _WRONG
        case Kind.WHOLE:
            whole = isinstance(given, int) and not isinstance(given, bool)
            return given if whole and key.holds(given) else _WRONG  # type: ignore[arg-type]
        case Kind.NUMBER:
            number = _finite(given)
            return number if number is not None and key.holds(number) else _WRONG
        case Kind.NUMBERS:
            return _row(given)
        case Kind.TEXTS:
            sound = isinstance(given, list) and all(isinstance(one, str) for one in given)
            return list(given) if sound else _WRONG  # type: ignore[call-overload]
        case Kind.CHOICE:
            return given if given in key.words else _WRONG
        case Kind.CHOICE_OR_SECONDS:
            seconds = _finite(given)
            return seconds if seconds is not None else given if given in key.words else _WRONG
        case Kind.SOURCES:
            sound = isinstance(given, dict) and all(isinstance(one, str) for one in given.values())
            return dict(given) if sound else _WRONG  # type: ignore[call-overload]
        case Kind.HORIZON:
            return given if isinstance(given, str) and given else _pairs(given)


def _row(given: object) -> Any:
    if not isinstance(given, list):
        return _WRONG
    row = [_finite(one) for one in given]
    return _WRONG if None in row else row


def _pairs(given: object) -> Any:
    rows = [_row(one) for one in given] if isinstance(given, list) else []
    sound = bool(rows) and all(row is not _WRONG and len(row) == 2 for row in rows)
    return [tuple(row) for row in rows] if sound else _WRONG


def _finite(given: object) -> float | None:
    # A whole number too long for a float is no number of ours.
    if isinstance(given, bool) or not isinstance(given, int | float) or abs(given) > 1e300:
        return None
    return float(given) if isfinite(given) else None
