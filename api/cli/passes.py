"""`skytrunk passes`: when a satellite can be seen, and what key a pass would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import (
    ConfigOption,
    DatabaseOption,
    FromOption,
    JsonOption,
    ToOption,
    context_of,
)
from api.cli.output import emit, note, show, table_of
from api.inputs import parse_elevation, parse_instant, parse_span
from scheduler import services
from scheduler.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from api.shape import Document
    from scheduler.domain import PassAnswer


def passes(
    ctx: typer.Context,
    satellite: Annotated[str, typer.Argument(help="Satellite, e.g. micius.")],
    start: FromOption,
    end: ToOption,
    station: Annotated[
        list[str] | None,
        typer.Option("--station", metavar="S", help="Station; repeatable (default: all)."),
    ] = None,
    min_elevation_deg: Annotated[
        float | None,
        typer.Option(metavar="DEG", help="Least elevation (default: the scenario's)."),
    ] = None,
    as_known_at: Annotated[
        str | None,
        typer.Option(
            metavar="T",
            help="Use only element sets known at T (default: the nearest in time).",
        ),
    ] = None,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Add sifted and secret bits and the QBER.")
    ] = False,
    dark: Annotated[bool, typer.Option("--dark", help="Only passes with a dark part.")] = False,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")] = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the passes of SATELLITE over one or more stations."""
    if as_json and as_csv:
        raise InputError("--json and --csv together; allowed: one of them")
    first, last = parse_span(start, end)
    known_at = None if as_known_at is None else parse_instant(as_known_at, "as-known-at")
    with context_of(ctx, database, config) as context:
        answer = services.upcoming_passes(
            context,
            satellite=satellite,
            stations=station,
            start=first,
            end=last,
            min_elevation_deg=parse_elevation(min_elevation_deg, "min-elevation-deg"),
            as_known_at=known_at,
            forecast=forecast,
            dark_only=dark,
        )
    _print(answer, satellite, forecast=forecast, as_json=as_json, as_csv=as_csv)


def _print(
    answer: PassAnswer, satellite: str, *, forecast: bool, as_json: bool, as_csv: bool
) -> None:
    from api.export import to_csv, to_json
    from api.shape import pass_field_names, passes_document

    document = passes_document(answer, forecast=forecast)
    if as_json:
        emit(to_json(document))
    elif as_csv:
        emit(to_csv(document["passes"], pass_field_names(forecast=forecast)))
        for text in document["notes"]:  # CSV has no place for them
            note(text)
    else:
        show(_table(document, satellite, forecast=forecast))


def _table(document: Document, satellite: str, *, forecast: bool) -> RenderableType:
    columns = [
        "station", "date", "rises", "culminates", "sets (UTC)", "± s|", "elevation°|", "range km|",
        "sky",
    ]  # fmt: skip
    if forecast:
        columns += ["sifted bits|", "secret bits|", "QBER|"]
    count = len(document["passes"])
    epochs = document["elements_epochs"]
    return table_of(
        f"{count} {'pass' if count == 1 else 'passes'} of {satellite}",
        columns,
        [_cells(row, forecast=forecast) for row in document["passes"]],
        caption=f"element sets: {document['rule']}"
        + (f" {document['as_known_at']}" if document["as_known_at"] else "")
        + f"; epochs {', '.join(epochs) if epochs else 'none'}"
        + "".join(f"\n{text}" for text in document["notes"]),
    )


def _cells(row: Document, *, forecast: bool) -> list[str]:
    date, rises = row["rises_at"].removesuffix("Z").split("T")
    cells = [
        row["station"],
        date,
        rises + (" <" if row["cut_at_start"] else ""),
        row["culminates_at"].removesuffix("Z").split("T")[1],
        row["sets_at"].removesuffix("Z").split("T")[1] + (" >" if row["cut_at_end"] else ""),
        "-" if row["time_sigma_s"] is None else f"{row['time_sigma_s']:.3f}",
        f"{row['max_elevation_deg']:.3f}",
        f"{row['range_km_min']:.3f}",
        "dark" if row["dark"] else "light",
    ]
    if forecast:
        cells += [
            *(
                "-" if row[name] is None else f"{row[name]:,}"
                for name in ("sifted_bits", "secret_bits")
            ),
            "-" if row["qber"] is None else f"{row['qber']:.6f}",
        ]
    return cells
