"""Published against model in words: one table a case, assumptions marked in every row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from api.report.markdown import bullets, cell, table
from api.shape import iso_z

if TYPE_CHECKING:
    from qkd.validation import ValidationRow
    from scheduler.domain import Validation

COLUMNS = ["quantity", "published|", "model, unfitted|", "model, fitted|", "in the fit", "assumes"]


def validation_tables(validation: Validation) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield each case and its rows; the last cell refers to `assumptions` by number."""
    marks = {text: f"[{number}]" for number, text in enumerate(assumptions(validation), start=1)}
    for case, rows in groupby(validation.rows, key=lambda row: row.case):
        yield case, [_cells(row, marks[row.assumption]) for row in rows]


def _cells(row: ValidationRow, mark: str) -> list[str]:
    unit = "" if row.unit == "1" else f", {row.unit}"
    figures = (cell(value) for value in (row.published, row.unfitted, row.fitted))
    return [f"{row.quantity}{unit}", *figures, row.standing.value, mark]


def assumptions(validation: Validation) -> list[str]:
    """Return the assumptions of all rows, each once, in the order of the rows."""
    return list(dict.fromkeys(row.assumption for row in validation.rows))


def sources(validation: Validation) -> list[str]:
    """Return where the published figures of each case come from, and the element sets used."""
    published = dict.fromkeys(f"{row.case}: {row.source}" for row in validation.rows)
    epochs = ", ".join(
        f"{iso_z(used.epoch)} for {used.station_id} {used.pass_at:%Y-%m-%d}"
        for used in validation.elements
    )
    return [*published, f"element sets, each the nearest to its pass: {epochs}"]


def validation_section(validation: Validation) -> tuple[str, ...]:
    """Return the section of a replay's report."""
    parts = [f"## {validation.title}\n"]
    parts += [table(COLUMNS, rows) for _, rows in validation_tables(validation)]
    numbered = [f"[{n}] {text}" for n, text in enumerate(assumptions(validation), start=1)]
    parts += ["Assumptions, by the number in the row:\n", bullets(numbered)]
    for notes in validation.notes:
        parts += [f"{notes.title[:1].upper()}{notes.title[1:]}:\n", bullets(notes.lines)]
    return (*parts, "Published in, and computed from:\n", bullets(sources(validation)))
