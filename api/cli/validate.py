"""`skytrunk validate`: every published figure next to the model, unfitted and fitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Line, answering
from api.cli.output import note
from scheduler import services

if TYPE_CHECKING:
    from api.schemas.base import Table
    from scheduler.domain import Validation


@answering
def validate(
    line: Line,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the sifted rate of 2016-12-19 to this PNG."),
    ] = None,
) -> None:
    """Print every published figure beside the model's, unfitted and fitted."""
    from api.schemas.validation import Validation as Shown

    with line.context() as context:
        validation = services.validate_all(context)
    if picture is not None:
        from api.report import draw_validation

        draw_validation(picture, validation)
        note(f"picture written to {picture}")
    line.answer(Shown.model_validate(validation), _lines(validation))


def _lines(validation: Validation) -> Iterator[Table | str]:
    from api.report.validation import assumptions, sources, validation_tables

    yield from validation_tables(validation)
    yield "assumed, by the number in the row:"
    for number, text in enumerate(assumptions(validation), start=1):
        yield f"  [{number}] {text}"
    for notes in validation.notes:
        yield f"{notes.title}:"
        yield from (f"  {line}" for line in notes.lines)
    yield "published in, and computed from:"
    yield from (f"  {line}" for line in sources(validation))
