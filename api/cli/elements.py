"""`skytrunk elements`: bring element sets in, and see which ones there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import ConfigOption, DatabaseOption, JsonOption, keep_common, services_of
from api.cli.output import emit, read_text, show, table_of

app = typer.Typer(help="Import or list element sets.", callback=keep_common)


@app.command("import")
def import_elements(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="File of two- or three-line element sets.")],
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Import every element set of FILE, or none if any of them is bad."""
    from api.export import to_json

    text = read_text(file, "element sets")
    with services_of(context, database, config) as services:
        added = services.import_elements(text, source=file.name)
    if as_json:
        emit(to_json({"added": added}))
    else:
        emit(f"{added} element {'set' if added == 1 else 'sets'} added from {file.name}\n")


@app.command("list")
def list_elements(
    context: typer.Context,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the element sets known, oldest first."""
    from api.export import to_json
    from api.shape import elements_fields

    with services_of(context, database, config) as services:
        rows = sorted(
            (elements_fields(elements) for elements in services.archive),
            key=lambda row: (row["epoch"], row["norad_id"]),
        )
    if as_json:
        emit(to_json({"elements": rows}))
        return
    cells = [[str(row["norad_id"]), row["name"], row["epoch"], row["source"]] for row in rows]
    columns = ["NORAD id|", "name", "epoch", "source"]
    show(table_of(f"{len(rows)} element sets", columns, cells))
