"""`skytrunk track`: where a satellite is, above a station and above the ground."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import CsvOption, Line, OutOption, answering, picture_file
from api.cli.output import emit_file, note
from api.cli.place import (
    HeightOption,
    LatOption,
    LonOption,
    SinceOption,
    place_of,
    window_of,
)
from api.inputs import parse_instant
from scheduler import services
from scheduler.errors import InputError

REVOLUTION = timedelta(minutes=100)


@answering
def track(
    line: Line,
    satellite: Annotated[str, typer.Argument(help="Satellite: id, name or catalogue number.")],
    start: SinceOption = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="T", help="End, not included (100 min later).")
    ] = None,
    station: Annotated[
        str | None, typer.Option("--station", metavar="S", help="As this station sees it.")
    ] = None,
    lat: LatOption = None,
    lon: LonOption = None,
    height_m: HeightOption = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="T", help="The whole pass at T, or the next one after it."),
    ] = None,
    step_s: Annotated[float, typer.Option(metavar="S", help="Seconds between two points.")] = 10.0,
    as_csv: CsvOption = False,
    as_geojson: Annotated[
        bool, typer.Option("--geojson", help="Print the ground track as GeoJSON.")
    ] = False,
    out: OutOption = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", callback=picture_file, help="Draw the ground track as PNG or SVG."
        ),
    ] = None,
) -> None:
    """Give the way of SATELLITE: below it, and from a station azimuth, elevation and range."""
    from api.export.csv import to_csv
    from api.export.geojson import track_geojson
    from api.schemas.base import to_json
    from api.schemas.tracks import Track, TrackPoint

    if line.as_json + as_csv + as_geojson > 1:
        raise InputError("--json, --csv, --geojson together; allowed: one of them")
    place = place_of(lat, lon, height_m, None, [station] if station else None)
    if at is not None and (start or end or not (place or station)):
        raise InputError("--at goes with a station or a place; allowed: without --from and --to")
    first, last = window_of(start, end, length=REVOLUTION)
    with line.context() as context:
        if at is not None and (seen := place or station) is not None:
            chosen = services.pass_at(context, satellite, seen, parse_instant(at, "at"))
            first, last = chosen.rises_at, chosen.sets_at
        answer = services.track_of(context, satellite, place or station, first, last, step_s)
        if picture is not None:
            from api.report.sky import draw_ground_track

            draw_ground_track(picture, answer, context, place)
            note(f"map drawn to {picture}")
    found = Track.model_validate(answer)
    for text in found.notes:
        note(text)
    if as_csv:
        emit_file(out, to_csv(found.points, TrackPoint.names()))
    elif as_geojson:
        emit_file(out, to_json(track_geojson(found)))
    elif line.as_json:
        emit_file(out, to_json(found.document()))
    elif out is not None:
        raise InputError("--out with a table; allowed: with --csv, --json or --geojson")
    else:
        line.answer(found, found.table())
