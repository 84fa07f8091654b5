"""Small pieces of Markdown: tables and lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from api.schemas.base import Column
from api.text import printable


def table(columns: Sequence[Column], rows: Iterable[Any]) -> str:
    """Return a Markdown table of these rows."""
    heads = [column.title for column in columns]
    rules = ["---:" if column.right else "---" for column in columns]
    cells = ([plain(column.cell(row)) for column in columns] for row in rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, rules, *cells))


def plain(text: str) -> str:
    """Return a text as Markdown shows it letter by letter, on one line."""
    line = " ".join(printable(text).split())
    return re.sub(r"([\\`*<|]|(?<=\])\()", r"\\\1", line)


def figure(value: float) -> str:
    """Return a measured or modelled number with the digits that mean something."""
    if abs(value) >= 10_000.0:
        return f"{value:,.0f}"
    if abs(value) >= 100.0:
        return f"{value:.1f}"
    return f"{value:.4g}"


def bullets(items: Iterable[str]) -> str:
    """Return a list, one item a line."""
    return "".join(f"- {item}\n" for item in items)
