"""`skytrunk next`: the next pass that a link could use, and how long until then."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Line, answering
from api.cli.place import (
    HeightOption,
    LatOption,
    LonOption,
    TelescopeOption,
    ZoneOption,
    place_of,
    zone_of,
)
from api.inputs import parse_instant_or_none
from scheduler import services


@answering
def next_pass(
    line: Line,
    satellites: Annotated[
        list[str] | None,
        typer.Argument(help="Ids, names or catalogue numbers (default: the scenario's)."),
    ] = None,
    station: Annotated[
        list[str] | None,
        typer.Option("--station", metavar="S", help="Station; repeatable (default: all)."),
    ] = None,
    lat: LatOption = None,
    lon: LonOption = None,
    height_m: HeightOption = None,
    telescope_m: TelescopeOption = None,
    at: Annotated[str | None, typer.Option("--at", metavar="T", help="The present (now).")] = None,
    tz: ZoneOption = None,
) -> None:
    """Say which pass is the next that would give key, and how long until then."""
    from api.schemas.passes import Upcoming

    zone = zone_of(tz)
    place = place_of(lat, lon, height_m, telescope_m, station)
    with line.context() as context:
        answer = services.next_pass(
            context,
            satellites=satellites,
            stations=station,
            place=place,
            at=parse_instant_or_none(at, "at"),
        )
    found = Upcoming.of(answer)
    line.answer(found, found.text(zone))
