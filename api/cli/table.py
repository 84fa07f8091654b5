"""Tables of plain text that fit the terminal: fewer columns, shorter ids, at last records."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from api.schemas.base import Column, Table

TEXT_WIDTH_MIN = 24
"""Columns that words need; where there are fewer, other columns go."""
SHORT_ID = 8
GAP, NARROW_GAP = 3, 2


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes; Chinese characters take two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines of that width; only a word that is longer by itself is cut.

    A line that begins with spaces goes on below its words.
    """
    if width_of(text) <= width:
        return [text]
    body = text.lstrip(" ")
    if indent := text[: min(len(text) - len(body), width // 2)]:
        return [indent + line for line in wrapped(body, width - len(indent))]
    lines = [""]
    for word in text.split(" "):
        start = f"{lines[-1]} {word}" if lines[-1] else word
        if width_of(start) <= width:
            lines[-1] = start
            continue
        lines += [word] if lines[-1] else []
        lines[-1] = word
        while width_of(lines[-1]) > width:
            head = _head(lines[-1], width)
            lines[-1:] = [head, lines[-1][len(head) :]]
    return lines


def _head(text: str, width: int) -> str:
    count = len(text)
    while count > 1 and width_of(text[:count]) > width:
        count -= 1
    return text[:count]


@dataclass(slots=True, eq=False)
class _Shown:
    """A column with its cells as they are to be printed."""

    column: Column
    title: str
    cells: list[str]
    natural: int = field(init=False)

    def __post_init__(self) -> None:
        self.natural = max(map(width_of, [self.title, *self.cells]))

    @property
    def least(self) -> int:
        return min(self.natural, TEXT_WIDTH_MIN) if self.column.text else self.natural


def lines_of(table: Table, width: int, spelled: Callable[[str], str]) -> Iterator[str]:
    """Yield the lines of a table that is at most so wide: a title, the rows, a caption.

    `spelled` makes of any text what may be shown.
    """
    shown = [
        _Shown(column, spelled(column.title), [spelled(column.cell(row)) for row in table.rows])
        for column in table.columns
    ]
    kept, gone = _fitting(shown, width)
    yield from wrapped(spelled(table.title), width)
    yield ""
    if kept:
        yield from _grid(kept, width, spelled("─"))
    else:
        yield from _records(shown, width)
    yield ""
    for line in table.caption.split("\n") if table.caption else ():
        yield from wrapped(spelled(line), width)
    if gone:
        names = ", ".join(one.title for one in gone)
        yield from wrapped(f"no room in {width} columns for: {names}", width)


def _fitting(shown: list[_Shown], width: int) -> tuple[list[_Shown], list[_Shown]]:
    """Return the columns that fit, none if a record a row is needed, and those that went."""
    if _least(shown) > width:
        shown = [_shortened(one) for one in shown]
    kept: list[_Shown] = []
    for one in sorted(shown, key=lambda one: one.column.rank):
        more = [*kept, one]
        if _least(more) <= width:
            kept = more
        elif not one.column.rank:
            return [], []
    return [one for one in shown if one in kept], [one for one in shown if one not in kept]


def _least(kept: Sequence[_Shown]) -> int:
    return sum(one.least for one in kept) + NARROW_GAP * (len(kept) - 1)


def _shortened(one: _Shown) -> _Shown:
    """Return a column of ids by their beginnings, long enough to tell them apart."""
    if not one.column.short:
        return one
    length = SHORT_ID
    while len({cell[:length] for cell in one.cells}) < len(set(one.cells)):
        length += 1
    return _Shown(one.column, one.title, [cell[:length] for cell in one.cells])


def _grid(kept: Sequence[_Shown], width: int, rule: str) -> Iterator[str]:
    natural = [one.natural for one in kept]
    gap, indent = (GAP, 2) if sum(natural) + GAP * (len(kept) - 1) + 4 <= width else (NARROW_GAP, 0)
    widths = _widths(kept, natural, width - gap * (len(kept) - 1) - 2 * indent)
    ruled = sum(widths) + gap * (len(kept) - 1) + indent
    margin = " " * indent
    right = [one.column.right for one in kept]
    yield margin + _line(right, widths, gap, [one.title for one in kept])
    yield " " * (indent // 2) + rule * ruled
    for row in zip(*(one.cells for one in kept), strict=True):
        if widths == natural:  # nothing has to be cut
            yield margin + _line(right, widths, gap, row)
            continue
        cells = [wrapped(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        for number in range(max(map(len, cells))):
            part = [lines[number] if number < len(lines) else "" for lines in cells]
            yield margin + _line(right, widths, gap, part)


def _widths(kept: Sequence[_Shown], natural: Sequence[int], room: int) -> list[int]:
    """Return the width of each column; words give way until all fit, the longest first."""
    widths = list(natural)
    texts = [number for number, one in enumerate(kept) if one.column.text]
    while texts and sum(widths) > room:
        longest = max(texts, key=lambda number: widths[number])
        others = sum(widths) - widths[longest]
        widths[longest] = max(kept[longest].least, room - others)
        texts.remove(longest)
    return widths


def _line(right: Sequence[bool], widths: Sequence[int], gap: int, cells: Sequence[str]) -> str:
    padded = [
        " " * (wide - width_of(cell)) + cell if is_number else cell + " " * (wide - width_of(cell))
        for is_number, wide, cell in zip(right, widths, cells, strict=True)
    ]
    return (" " * gap).join(padded).rstrip()


def _records(shown: Sequence[_Shown], width: int) -> Iterator[str]:
    """A block of lines a row, for what no table of this width can hold."""
    label = max(width_of(one.title) for one in shown) + NARROW_GAP
    for number in range(len(shown[0].cells)):
        if number:
            yield ""
        for one in (one for one in shown if one.cells[number]):
            head, *rest = wrapped(one.cells[number], max(width - label, SHORT_ID))
            title = one.title + " " * (label - width_of(one.title))
            yield title + head
            yield from (" " * label + line for line in rest)
