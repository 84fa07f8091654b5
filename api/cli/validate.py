"""`skytrunk validate`: the published pass next to the model, unfitted and fitted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import ConfigOption, DatabaseOption, JsonOption, services_of
from api.cli.output import emit, note, show, table_of
from scheduler.errors import UnknownName

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scheduler.facts import Validation


def validate(
    context: typer.Context,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the sifted rate to this PNG file.")
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Print the published figures of 2016-12-19 beside those of the model."""
    from api.export import to_json
    from api.shape import validation_document

    with services_of(context, database, config) as services:
        validation = services.validation()
        name = services.scenario.name
    if validation is None:
        raise UnknownName(
            f"scenario {name} has no published pass; allowed: one with Micius, Xinglong"
        )
    if picture is not None:
        from api.report import draw_validation

        draw_validation(picture, validation)
        note(f"picture written to {picture}")
    if as_json:
        emit(to_json(validation_document(validation)))
    else:
        show(*_lines(validation))


def _lines(validation: Validation) -> list[RenderableType]:
    from api.report.markdown import cell

    rows = [
        [f"{row.quantity}{f', {row.unit}' if row.unit else ''}", cell(row.published),
         cell(row.unfitted), cell(row.fitted), row.standing]
        for row in validation.rows
    ]  # fmt: skip
    columns = ["quantity", "published|", "unfitted|", "fitted|", "in the fit"]
    return [
        table_of(validation.title, columns, rows, caption=f"{validation.sifted_means}."),
        "fitted:",
        *(f"  {line}" for line in validation.fitted),
        "assumed:",
        *(f"  {line}" for line in validation.assumptions),
        f"published: {validation.source}",
    ]
