"""Small pieces of Markdown: tables and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; a column whose name ends in `|` is aligned to the right."""
    heads = [column.removesuffix("|") for column in columns]
    rules = ["---:" if column.endswith("|") else "---" for column in columns]
    lines = [_line(heads), _line(rules), *(_line([cell(value) for value in row]) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def cell(value: object) -> str:
    """Return a value as a table cell: thousands apart, nothing for None, no bar inside."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return figure(value)
    return str(value).replace("|", "\\|").replace("\n", " ")


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
