"""`skytrunk survey`: what years of passes hold for stations that are only an idea."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import FromOption, Line, ToOption, answering, picture_file
from api.cli.output import note
from api.cli.place import TelescopeOption
from api.inputs import parse_span
from scheduler import services
from scheduler.errors import InputError

if TYPE_CHECKING:
    from scheduler.network import Station


@answering
def survey(
    line: Line,
    station: Annotated[
        list[str],
        typer.Option("--station", metavar="LAT,LON[,HEIGHT]", help="A place; repeatable."),
    ],
    satellite: Annotated[str, typer.Option(help="Satellite: id, name or catalogue number.")],
    start: FromOption,
    end: ToOption,
    telescope_m: TelescopeOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", callback=picture_file, help="Draw it as PNG or SVG."),
    ] = None,
) -> None:
    """Say how often and how much a satellite would give places, and the longest dry spell."""
    from api.schemas.surveys import Survey

    places = [_place(text, telescope_m) for text in station]
    first, last = parse_span(start, end)
    with line.context() as context:
        answer = services.survey(context, satellite=satellite, places=places, start=first, end=last)
    if out is not None:
        from api.plots import survey_picture

        survey_picture(out, answer)
        note(f"survey drawn to {out}")
    found = Survey.of(answer)
    line.answer(found, *found.tables())


def _place(text: str, telescope_m: float | None) -> Station:
    """Return the place that a text names. Raises InputError."""
    try:
        lat_deg, lon_deg, *rest = map(float, text.split(","))
        (height_m,) = rest or [0.0]
    except ValueError:
        raise InputError(
            f"station {text!r}; allowed: LAT,LON or LAT,LON,HEIGHT in degrees and metres"
        ) from None
    return services.place_at(lat_deg, lon_deg, height_m=height_m, telescope_m=telescope_m)
