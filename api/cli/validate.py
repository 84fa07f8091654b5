"""`skytrunk validate`: every published figure next to the model, unfitted and fitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import ConfigOption, DatabaseOption, JsonOption, context_of
from api.cli.output import emit, note, show, table_of
from scheduler import services

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scheduler.domain import Validation


def validate(
    ctx: typer.Context,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the sifted rate of 2016-12-19 to this PNG."),
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Print every published figure beside the model's, unfitted and fitted."""
    from api.export import to_json
    from api.shape import validation_document

    with context_of(ctx, database, config) as context:
        validation = services.validate_all(context)
    if picture is not None:
        from api.report import draw_validation

        draw_validation(picture, validation)
        note(f"picture written to {picture}")
    if as_json:
        emit(to_json(validation_document(validation)))
    else:
        show(*_lines(validation))


def _lines(validation: Validation) -> Iterator[RenderableType]:
    from api.report.validation import assumptions, sources, validation_tables

    columns = ["quantity", "published|", "unfitted|", "fitted|", "in the fit", "assumes|"]
    for case, rows in validation_tables(validation):
        yield table_of(case, columns, rows)
    yield "assumed, by the number in the row:"
    for number, text in enumerate(assumptions(validation), start=1):
        yield f"  [{number}] {text}"
    for notes in validation.notes:
        yield f"{notes.title}:"
        yield from (f"  {line}" for line in notes.lines)
    yield "published in, and computed from:"
    yield from (f"  {line}" for line in sources(validation))
