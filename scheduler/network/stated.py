"""The tables of transmitters and receivers -> terminals, each number with its source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scheduler.network.kinds import SATELLITE_PRESETS
from scheduler.network.table import Table
from scheduler.network.terminals import StatedNumber, Terminal, mistakes_of, resolve

_NOT_NUMBERS = frozenset({"id", "like", "source", "sources", "air"})
_STAND_IN = resolve(SATELLITE_PRESETS[0], {})


def read_terminals(tables: Sequence[Table], named: Iterable[str]) -> dict[str, Terminal]:
    """Return the terminals of one end by id, each with all that it starts from.

    `named` are the names that satellites or stations ask for: a table that is asked for by none
    of them, nor started from, is a mistake. One that could not be read has a stand-in, for what
    is wrong with it is told once.
    """
    own: dict[str, Terminal] = {}
    sound: dict[str, Table] = {}
    for table in tables:
        name = table["id"]
        if name in own or name in SATELLITE_PRESETS:
            taken = "is there twice" if name in own else "is that of a published one"
            table.wrong(f"id {name!r} {taken}; allowed: a name of its own")
            continue
        own[name], sound[name] = _terminal(table), table
    resolved: dict[str, Terminal] = {}
    for name, table in sound.items():
        with table.checked():
            resolved[name] = resolve(name, own)
    _refuse_unused(sound, own, named)
    return {name: resolved.get(name, _STAND_IN) for name in own}


def _terminal(table: Table) -> Terminal:
    numbers = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in table.values.items()
        if key not in _NOT_NUMBERS and value is not None
    }
    sources: Mapping[str, str] = table["sources"]
    for key in sorted(sources.keys() - numbers.keys()):
        table.wrong(f"names {key!r}, which the table does not state", "sources")
    bare = sorted(key for key in numbers if not sources.get(key, table["source"]).strip())
    if bare:
        table.wrong(
            f'{", ".join(bare)} without a source; allowed: source = where it is from, or "assumed"'
        )
    air = table.values.get("air")
    for text in mistakes_of(numbers, air=air):
        table.wrong(text)
    return Terminal(
        name=table["id"],
        like=table["like"],
        numbers=tuple(
            StatedNumber(key=key, value=value, source=sources.get(key, table["source"]))
            for key, value in numbers.items()
        ),
        standard_air=air is not None,
    )


def _refuse_unused(
    tables: Mapping[str, Table], own: Mapping[str, Terminal], named: Iterable[str]
) -> None:
    used: set[str] = set()
    waiting = [name for name in named if name in own]
    while waiting:
        name = waiting.pop()
        if name in own and name not in used:
            used.add(name)
            waiting.append(own[name].like)
    for name, table in tables.items():
        if name not in used:
            table.wrong(f"{name!r} is the preset of nobody, so nothing would come of it")
