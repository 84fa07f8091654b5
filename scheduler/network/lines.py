"""Where each key of a TOML text stands, for messages; the text itself is read by `tomllib`."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[(\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))[^=]*=""")
_LONG_QUOTES = ('"""', "'''")
_SHORT = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'""")

Place = tuple[str, int, str]
"""A table, which of its kind, and a key: "" for the table itself. The top is the table ""."""

Line = tuple[str, int]
"""The scenario that a file extends, "" for the file itself, and a line of it, from 1."""


def key_lines(text: str) -> dict[Place, int]:
    """Return the line, from 1, of every key and table header.

    A table within a table counts as a key of the outer one. Of a text that is no TOML, whatever
    looks like a key.
    """
    found: dict[Place, int] = {}
    counts: dict[str, int] = {}
    table, inside, depth, quote = "", "", 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if quote or depth:
            depth, quote = _after(line, depth, quote)
            continue
        header = _HEADER.match(line)
        if header:
            table, _, inside = header[2].replace(" ", "").partition(".")
            if not inside and header[1]:
                counts[table] = counts.get(table, -1) + 1
            found.setdefault((table, counts.get(table, 0), inside), number)
            continue
        key = _KEY.match(line)
        if key:
            name = inside or next(part for part in key.groups() if part is not None)
            found.setdefault((table, counts.get(table, 0), name), number)
            depth, quote = _after(line[key.end() :], 0, "")
    return found


def _after(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Return how many brackets, and which long quote, are still open behind a line."""
    while True:
        if quote:
            _, closed, line = line.partition(quote)
            if not closed:
                return depth, quote
            quote = ""
        line = _without_short(line)
        opens = [(line.find(mark), mark) for mark in _LONG_QUOTES if mark in line]
        before, comment, _ = (line if not opens else line[: min(opens)[0]]).partition("#")
        depth += before.count("[") + before.count("{") - before.count("]") - before.count("}")
        if comment or not opens:
            return max(depth, 0), ""
        at, quote = min(opens)
        line = line[at + len(quote) :]


def _without_short(line: str) -> str:
    """Return a line without its one-line strings, whose brackets mean nothing; up to a long one."""
    first = min((line.find(mark) for mark in _LONG_QUOTES if mark in line), default=len(line))
    return _SHORT.sub("", line[:first]) + line[first:]
