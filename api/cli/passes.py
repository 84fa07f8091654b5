"""`skytrunk passes`: when a satellite can be seen, and what key a pass would give."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import CsvOption, FromOption, Line, ToOption, answering
from api.cli.output import emit, note
from api.inputs import parse_elevation, parse_instant_or_none, parse_span
from scheduler import services
from scheduler.errors import InputError


@answering
def passes(
    line: Line,
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
    as_csv: CsvOption = False,
) -> None:
    """List the passes of SATELLITE over one or more stations."""
    from api.export.csv import to_csv
    from api.schemas.passes import Pass, Passes

    if line.as_json and as_csv:
        raise InputError("--json and --csv together; allowed: one of them")
    first, last = parse_span(start, end)
    known_at = parse_instant_or_none(as_known_at, "as-known-at")
    with line.context() as context:
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
    found = Passes.of(answer, forecast=forecast)
    if as_csv:
        emit(to_csv(found.passes, Pass.csv_names(forecast=forecast)))
        for text in found.notes:  # CSV has no place for them
            note(text)
    else:
        line.answer(found, found.table(satellite, forecast=forecast))
