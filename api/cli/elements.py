"""`skytrunk elements`: bring element sets in, see, check and export those there are."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import ConfigOption, DatabaseOption, JsonOption, context_of, keep_common
from api.cli.output import emit, emit_lines, note, read_text, show, table_of, written
from api.inputs import parse_instant
from scheduler import services
from scheduler.errors import InputError

app = typer.Typer(help="Import, fetch, list, check or export element sets.", callback=keep_common)

SatelliteOption = Annotated[
    str | None,
    typer.Option("--satellite", metavar="S", help="Id, name or catalogue number (default: all)."),
]
LatestOption = Annotated[
    bool, typer.Option("--latest", help="Only the last set of each satellite.")
]


class Form(StrEnum):
    """How exported element sets are written."""

    TLE = "tle"
    JSON = "json"
    CSV = "csv"
    XML = "xml"
    KVN = "kvn"


@app.command("import")
def import_elements(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="TLE, or OMM as JSON, CSV, XML or KVN.")],
    arrived_at: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="When these sets became known (default: each at its epoch)."
        ),
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Import every element set of FILE, or none if any of them is bad."""
    from api.export import to_json

    arrival = None if arrived_at is None else parse_instant(arrived_at, "arrived-at")
    text = read_text(file, "element sets")
    with context_of(ctx, database, config) as context:
        added = services.import_elements(context, text, source=file.name, arrived_at=arrival)
        strangers = services.strange_satellites(context, text)
    if as_json:
        emit(to_json({"added": added}))
    else:
        emit(f"{_sets(added)} added from {file.name}\n")
    if strangers:
        numbers = ", ".join(map(str, strangers))
        note(f"no satellite of the scenario has catalogue number {numbers}")


@app.command("fetch")
def fetch_elements(
    ctx: typer.Context,
    satellites: Annotated[
        list[str] | None,
        typer.Argument(help="Satellites or catalogue numbers (default: the scenario's)."),
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Fetch the newest sets from the endpoint that the setting elements_url names."""
    from api.export import to_json
    from api.shape import fetched_document

    with context_of(ctx, database, config) as context:
        fetched = services.fetch_elements(context, satellites or None)
    if as_json:
        emit(to_json(fetched_document(fetched)))
    else:
        emit(f"{_sets(len(fetched.received))} received, {fetched.added} of them new\n")


@app.command("list")
def list_elements(
    ctx: typer.Context,
    satellite: SatelliteOption = None,
    latest: LatestOption = False,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")] = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the element sets known, oldest first."""
    from api.export import to_csv, to_json
    from api.shape import ELEMENTS_FIELDS, elements_document

    if as_json and as_csv:
        raise InputError("--json and --csv together; allowed: one of them")
    with context_of(ctx, database, config) as context:
        document = elements_document(services.list_elements(context, satellite, latest=latest))
    rows = document["elements"]
    if as_json:
        emit(to_json(document))
    elif as_csv:
        emit(to_csv(rows, ELEMENTS_FIELDS))
    else:
        cells = [
            [str(row["norad_id"]), row["name"], row["epoch"], f"{row['age_days']:,.1f}",
             row["source"], row["sha256"][:12]]
            for row in rows
        ]  # fmt: skip
        columns = ["NORAD id|", "name", "epoch", "age d|", "source", "SHA-256"]
        show(table_of(_sets(len(rows)), columns, cells))


@app.command("check")
def check_elements(
    ctx: typer.Context,
    satellite: SatelliteOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Compare each set with its neighbours; exit code 1 if any was spliced or edited."""
    from api.export import to_json
    from api.shape import check_document

    with context_of(ctx, database, config) as context:
        checked = services.check_elements(context, satellite)
    if as_json:
        emit(to_json(check_document(checked)))
    elif checked.findings:
        emit_lines(f"{found.kind}: {found.sentence}" for found in checked.findings)
    else:
        emit(f"{_sets(checked.checked)} agree with their neighbours\n")
    if checked.findings:
        note(f"{len(checked.findings)} of {_sets(checked.checked)} should not be trusted")
        raise typer.Exit(1)


@app.command("export")
def export_elements(
    ctx: typer.Context,
    satellite: SatelliteOption = None,
    form: Annotated[
        Form, typer.Option("--format", help="TLE, or OMM in one of its forms.")
    ] = Form.TLE,
    latest: LatestOption = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here (default: stdout).")
    ] = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the element sets known, oldest first; a set that does not fit in a TLE is refused."""
    with context_of(ctx, database, config) as context:
        text = services.export_elements(context, satellite, form=form.value, latest=latest)
    if out is None:
        emit(text)
    else:
        with written(out) as file:
            file.write(text)


def _sets(count: int) -> str:
    return f"{count:,} element {'set' if count == 1 else 'sets'}"
