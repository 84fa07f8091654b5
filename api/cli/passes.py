"""`skytrunk passes`: when a satellite can be seen, and what key a pass would give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.options import CsvOption, Line, answering, picture_file
from api.cli.output import emit, note
from api.cli.place import (
    HeightOption,
    LatOption,
    LonOption,
    SinceOption,
    TelescopeOption,
    UntilOption,
    ZoneOption,
    place_of,
    window_of,
    zone_of,
)
from api.inputs import parse_elevation, parse_instant_or_none
from scheduler import services
from scheduler.errors import InputError

if TYPE_CHECKING:
    from api.client import Client
    from api.schemas.passes import Passes
    from scheduler.domain import PassRow
    from scheduler.network import Station
    from scheduler.services.context import Context

StationsOption = Annotated[
    list[str] | None,
    typer.Option("--station", metavar="S", help="Station; repeatable (default: all)."),
]
LeastOption = Annotated[
    float | None, typer.Option(metavar="DEG", help="Least elevation (default: the scenario's).")
]
KnownOption = Annotated[
    str | None,
    typer.Option(metavar="T", help="Use only element sets known at T (default: the nearest)."),
]
PictureOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", callback=picture_file, help="Draw their way over the sky as PNG or SVG."
    ),
]
DarkOption = Annotated[bool, typer.Option("--dark", help="Only passes with a dark part.")]
ForecastOption = Annotated[
    bool, typer.Option("--forecast", help="Add sifted and secret bits and the QBER.")
]
EngineOption = Annotated[
    Literal["numpy", "fast", "skyfield"] | None,
    typer.Option(help="What finds the passes (default: the setting engine)."),
]
MapOption = Annotated[
    Path | None,
    typer.Option(
        "--map", metavar="FILE", callback=picture_file, help="Draw the ground track as PNG or SVG."
    ),
]


@answering
def passes(
    line: Line,
    satellite: Annotated[str, typer.Argument(help="Satellite, e.g. micius.")],
    start: SinceOption = None,
    end: UntilOption = None,
    station: StationsOption = None,
    min_elevation_deg: LeastOption = None,
    as_known_at: KnownOption = None,
    forecast: ForecastOption = False,
    dark: DarkOption = False,
    engine: EngineOption = None,
    lat: LatOption = None,
    lon: LonOption = None,
    height_m: HeightOption = None,
    telescope_m: TelescopeOption = None,
    tz: ZoneOption = None,
    picture: PictureOption = None,
    world: MapOption = None,
    as_csv: CsvOption = False,
) -> None:
    """List the passes of SATELLITE over one or more stations, or over a place of your own."""
    from api.export.csv import to_csv
    from api.schemas.passes import Pass, Passes

    _check_forms(line, as_csv=as_csv, tz=tz)
    zone = zone_of(tz)
    place = place_of(lat, lon, height_m, telescope_m, station)
    first, last = window_of(start, end)
    known_at = parse_instant_or_none(as_known_at, "as-known-at")
    least_deg = parse_elevation(min_elevation_deg, "min-elevation-deg")

    def here(context: Context) -> Passes:
        answer = services.upcoming_passes(
            context,
            satellite=satellite,
            stations=station,
            place=place,
            start=first,
            end=last,
            min_elevation_deg=least_deg,
            as_known_at=known_at,
            forecast=forecast,
            dark_only=dark,
        )
        _draw(picture, world, answer.rows, context, place)
        return Passes.of(answer, forecast=forecast)

    def there(server: Client) -> Passes:
        if place or picture or world:
            raise InputError("a place or a picture with --server; allowed: stations it knows")
        return server.passes(
            satellite=satellite,
            start=first,
            end=last,
            station=station,
            min_elevation_deg=least_deg,
            as_known_at=known_at,
            forecast=forecast,
            dark=dark,
        )

    found = line.ask(here, there, engine=engine)
    if not as_csv:
        line.answer(found, found.table(satellite, forecast=forecast, zone=zone, zone_name=tz or ""))
        return
    emit(to_csv(found.passes, Pass.csv_names(forecast=forecast)))
    for text in found.notes:  # CSV has no place for them
        note(text)


def _check_forms(line: Line, *, as_csv: bool, tz: str | None) -> None:
    if line.as_json and as_csv:
        raise InputError("--json and --csv together; allowed: one of them")
    if tz is not None and (line.as_json or as_csv):
        raise InputError("--tz is for tables; allowed: without --json and --csv, which say UTC")


def _draw(
    picture: Path | None,
    world: Path | None,
    rows: Sequence[PassRow],
    context: Context,
    place: Station | None,
) -> None:
    if picture is not None:
        from api.report.sky import draw_sky

        draw_sky(picture, rows, context, place)
        note(f"sky drawn to {picture}")
    if world is not None:
        from api.report.sky import draw_map

        draw_map(world, rows, context, place)
        note(f"map drawn to {world}")
