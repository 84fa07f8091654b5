"""Published against model in words: one table a case, assumptions marked in every row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from api.report.markdown import bullets, figure, table
from api.schemas.base import Column, Table
from scheduler.domain import instant_key

if TYPE_CHECKING:
    from qkd.validation import ValidationRow
    from scheduler.domain import Validation

REFERENCE = (
    "Secret bits of each preset's reference pass (500 km, 60 deg, a sky without light),"
    " by older bounds and by the sound ones"
)
REFERENCE_COLUMNS = [
    Column("preset", lambda one: one.preset, text=True),
    Column("Lim et al.'s phase error", lambda one: figure(one.parity_bits), ">"),
    Column("exact phase error", lambda one: figure(one.exact_bits), ">", rank=1),
    Column("and the signal's share", lambda one: figure(one.signal_bits), ">", rank=1),
    Column("and the leak: sound", lambda one: figure(one.sound_bits), ">"),
    Column("change, %", lambda one: f"{one.change_percent:+.2f}", ">"),
]


def validation_tables(validation: Validation) -> Iterator[Table]:
    """Yield a table a case; the last cell of a row refers to `assumptions` by number."""
    marks = {text: f"[{number}]" for number, text in enumerate(assumptions(validation), start=1)}
    columns = [
        Column("quantity", _quantity, text=True),
        Column("published", _published, ">"),
        Column("model, unfitted", lambda row: _figure(row.unfitted), ">"),
        Column("model, fitted", lambda row: _figure(row.fitted), ">"),
        Column("in the fit", lambda row: row.standing.value, rank=1),
        Column("assumes", lambda row: marks[row.assumption], ">", rank=2),
    ]
    for case, rows in groupby(validation.rows, key=lambda row: row.case):
        yield Table(case, columns, list(rows))
    if validation.reference:
        yield Table(REFERENCE, REFERENCE_COLUMNS, list(validation.reference))


def _quantity(row: ValidationRow) -> str:
    return row.quantity if row.unit == "1" else f"{row.quantity}, {row.unit}"


def _published(row: ValidationRow) -> str:
    """Return the figure, and where it was taken from if it is not printed."""
    found = _figure(row.published)
    return found if not found or row.origin.name == "PRINTED" else f"{found} ({row.origin.value})"


def _figure(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return figure(value)


def assumptions(validation: Validation) -> list[str]:
    """Return the assumptions of all rows, each once, in the order of the rows."""
    return list(dict.fromkeys(row.assumption for row in validation.rows))


def sources(validation: Validation) -> list[str]:
    """Return where the published figures of each case come from, and the element sets used."""
    published = dict.fromkeys(f"{row.case}: {row.source}" for row in validation.rows)
    epochs = ", ".join(
        f"{instant_key(used.epoch)} for {used.station_id} {used.pass_at:%Y-%m-%d}"
        for used in validation.elements
    )
    return [*published, f"element sets, each the nearest to its pass: {epochs}"]


def validation_section(validation: Validation) -> tuple[str, ...]:
    """Return the section of a replay's report."""
    parts = [f"## {validation.title}\n"]
    parts += [table(shown.columns, shown.rows) for shown in validation_tables(validation)]
    numbered = [f"[{n}] {text}" for n, text in enumerate(assumptions(validation), start=1)]
    parts += ["Assumptions, by the number in the row:\n", bullets(numbered)]
    for notes in validation.notes:
        parts += [f"{notes.title[:1].upper()}{notes.title[1:]}:\n", bullets(notes.lines)]
    return (*parts, "Published in, and computed from:\n", bullets(sources(validation)))
