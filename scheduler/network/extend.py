"""`extends`: a scenario file that adds to the tables of another one, or replaces some of them."""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.errors import ScenarioError, UnknownName
from scheduler.network.lines import Line, Place, key_lines
from scheduler.network.schema import TABLES

EXTENDS_MAX = 8
"""Files in one chain of `extends`; more is a mistake rather than a design."""
_OWN = ("name", "title", "extends")
_SCHEMAS = {schema.name: schema for schema in TABLES if schema.name}

Base = Callable[[str], str]
"""The text of a scenario by the name that `extends` gives it."""


@dataclass(frozen=True, slots=True)
class Document:
    """The tables of a scenario with all that it extends, and where each key stands."""

    values: dict[str, Any]
    lines: dict[Place, Line]


def read_document(text: str, base: Base) -> Document:
    """Return the tables of a scenario file with those that it extends below them.

    Tables of `[[name]]` replace the one of the same id in its place, others come behind; of
    `[name]` each key replaces its like; notes are added; name and title are each file's own.
    Raises ScenarioError for text that is no TOML, a base that cannot be read, and a circle.
    """
    return _read(text, "", base, ())


def _read(text: str, name: str, base: Base, chain: Sequence[str]) -> Document:
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ScenarioError(f"{name or 'scenario'} is not TOML: {error}") from error
    own = Document(values, {place: (name, line) for place, line in key_lines(text).items()})
    given = values.get("extends")
    if not isinstance(given, str):  # None, or the reader of the top refuses it
        return _from_folder(own, name)
    line = own.lines.get(("", 0, "extends"), (name, 0))[1]
    where = f"{name + ', ' if name else ''}line {line}: extends is {given!r}"
    wanted = _beside(name, given)
    if wanted in chain or len(chain) >= EXTENDS_MAX:
        names = " extends ".join((*chain, wanted))
        raise ScenarioError(f"{where}: {names}; allowed: a chain that ends, of {EXTENDS_MAX} files")
    try:
        below = base(wanted)
    except (ScenarioError, UnknownName) as error:
        raise ScenarioError(f"{where}: {error}") from None
    return _over(_read(below, wanted, base, (*chain, wanted)), _from_folder(own, name))


def _beside(name: str, given: str) -> str:
    """A file that another one names, as seen from the first; a shipped scenario by its name."""
    if not (given.endswith(".toml") and name.endswith(".toml")):
        return given
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), given))


def _from_folder(document: Document, name: str) -> Document:
    """Name the files that a base names as they are seen from the first file."""
    folder = posixpath.dirname(name)
    stations = document.values.get("stations")
    if folder and isinstance(stations, list):
        document.values["stations"] = [
            {**one, "horizon": posixpath.join(folder, one["horizon"])}
            if isinstance(one, dict) and isinstance(one.get("horizon"), str)
            else one
            for one in stations
        ]
    return document


def _over(base: Document, own: Document) -> Document:
    """The base's tables with a file's own above them."""
    values = {key: value for key, value in base.values.items() if key not in _OWN}
    lines = {place: at for place, at in base.lines.items() if place[0] or place[2] not in _OWN}
    moved: dict[str, list[int]] = {}
    for key, value in own.values.items():
        schema = _SCHEMAS.get(key)
        below = values.get(key)
        if schema is not None and schema.many and isinstance(value, list):
            values[key], moved[key] = _tables(key, below if isinstance(below, list) else [], value)
            replaced = set(moved[key])
            lines = {p: at for p, at in lines.items() if p[0] != key or p[1] not in replaced}
        elif schema is not None and isinstance(below, dict) and isinstance(value, dict):
            values[key] = {**below, **value}
        elif key == "notes" and isinstance(below, list) and isinstance(value, list):
            values[key] = [*below, *value]
        else:
            values[key] = value
    for (table, index, key), at in own.lines.items():
        places = moved.get(table)
        lines[table, places[index] if places and index < len(places) else index, key] = at
    return Document(values, lines)


def _tables(name: str, below: Sequence[Any], own: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """The tables of one name, and the place of each own one among them."""
    tables, free = list(below), {_identity(name, one): at for at, one in enumerate(below)}
    places: list[int] = []
    for one in own:
        at = free.pop(_identity(name, one), None)
        if at is None:
            at = len(tables)
            tables.append(one)
        tables[at] = one
        places.append(at)
    return tables, places


def _identity(name: str, table: object) -> str:
    """What a table is replaced by: its id, else its ends."""
    given: Mapping[str, Any] = table if isinstance(table, dict) else {}
    one, other = str(given.get("from")), str(given.get("to"))
    if name == "links":
        return "--".join(sorted((one, other)))
    named = given.get("prefix" if name == "legs" else "id")
    return str(named or f"{one}--{other}")
