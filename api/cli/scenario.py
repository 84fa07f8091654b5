"""`skytrunk scenario`: start one, check one, list those that ship with Skytrunk."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Annotated

import typer

from api.cli.options import Line, answering, commands, common, picture_file
from api.cli.output import emit, note, written
from api.inputs import check_order, parse_instant
from scheduler import services
from scheduler.errors import InputError

app = commands("Start, check, list, show or draw scenarios.")

_TITLE_WIDTH = 68  # of a picture, in letters
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name or FILE.toml.")]
_STATION = "NAME=LAT,LON[,HEIGHT_M[,TELESCOPE_M]]"


@app.command("new")
@common
def new(
    line: Line,
    file: Annotated[Path, typer.Argument(help="Where to write it, FILE.toml.")],
    satellite: Annotated[
        list[str],
        typer.Option("--satellite", metavar="S", help="Of which element sets were imported."),
    ],
    station: Annotated[
        list[str], typer.Option("--station", metavar=_STATION, help="A place; repeatable.")
    ],
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="Whose transmitter the satellites carry.")
    ] = "micius-2016",
) -> None:
    """Write a scenario of your own satellites and stations to start from."""
    if file.suffix != ".toml":
        raise InputError(f"{file}; allowed: a name that ends in .toml")
    if file.exists():
        raise InputError(f"{file} is there already; allowed: a new file")
    stations = [_station_of(text) for text in station]
    with line.context() as context:
        text = services.new_scenario(
            context, file.stem, satellites=satellite, stations=stations, preset=preset
        )
    with written(file) as out:
        out.write(text)
    note(f"scenario written to {file}; give it as --scenario {file}")


@app.command("check")
@answering
def check(
    line: Line,
    file: Annotated[
        str | None, typer.Argument(help="Name or FILE.toml (default: --scenario).")
    ] = None,
) -> None:
    """Read a scenario strictly, try the physics of its downlinks, and show their numbers."""
    from api.schemas.scenarios import CheckedScenario

    with line.context(**({} if file is None else {"scenario": file})) as context:
        found = CheckedScenario.of(context.scenario, services.link_numbers(context))
    line.answer(found, found.tables())


@app.command("list")
@answering
def list_scenarios(line: Line) -> None:
    """List the scenarios that ship with Skytrunk: what each has, and its kilometres of fibre."""
    from api.schemas.scenarios import ShippedScenarios
    from scheduler.sources.scenarios import load_scenario, scenario_names

    found = ShippedScenarios.of([load_scenario(name) for name in scenario_names()])
    line.answer(found, found.table())


@app.command("show")
@answering
def show_scenario(line: Line, name: NameArgument) -> None:
    """Show what there is in a scenario: notes, satellites, stations, domains, switches."""
    from api.schemas.scenarios import ShownScenario

    with line.context(scenario=name) as context:
        found = ShownScenario.of(context.scenario)
    line.answer(found, found.tables())


@app.command("draw")
@common
def draw_scenario(
    line: Line,
    name: NameArgument,
    file: Annotated[
        Path, typer.Argument(callback=picture_file, help="Where to draw it, FILE.svg or FILE.png.")
    ],
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="T", help="Draw the key that moved, from here on."),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="T", help="To here.")] = None,
) -> None:
    """Draw the map of a scenario; with --from and --to, the flow of key that a ledger has."""
    if (start is None) != (end is None):
        raise InputError("--from or --to alone; allowed: both, or none")
    with line.context(scenario=name) as context:
        title = fill(context.scenario.title, _TITLE_WIDTH)
        if start is None or end is None:
            from api.plots import network_map
            from api.report.sky import map_links, map_places

            network_map(
                file,
                title=title,
                places=map_places(context.scenario),
                links=map_links(context.scenario),
                tracks=(),
            )
        else:
            from api.report.folder import draw_flow

            first, last = parse_instant(start, "from"), parse_instant(end, "to")
            check_order(first, last)
            draw_flow(file, context, start=first, end=last, title=title)
    note(f"{name} drawn to {file}")


@app.command("keys")
@common
def keys(line: Line) -> None:
    """Print the reference page of every key of a scenario file, as Markdown."""
    from scheduler.network.page import scenario_page

    emit(scenario_page())


def _station_of(text: str) -> services.NewStation:
    name, equals, rest = text.rpartition("=")
    try:
        numbers = [float(part) for part in rest.split(",")]
    except ValueError:
        numbers = []
    if not equals or not name.strip() or not 2 <= len(numbers) <= 4:
        raise InputError(f"station {text!r}; allowed: {_STATION}, such as matera=40.65,16.70,530")
    names = ("lat_deg", "lon_deg", "height_m", "telescope_m")
    return services.NewStation(name=name.strip(), **dict(zip(names, numbers, strict=False)))
