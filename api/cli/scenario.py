"""`skytrunk scenario`: start one, check one, list those that ship with Skytrunk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import Line, answering, commands, common
from api.cli.output import emit, note, show, written
from scheduler import services
from scheduler.errors import InputError

app = commands("Start, check or list scenarios.")

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
@common
def list_scenarios(line: Line) -> None:
    """List the scenarios that ship with Skytrunk."""
    from scheduler.sources.scenarios import load_scenario, scenario_names

    for name in scenario_names():
        show(f"{name}: {load_scenario(name).title}")


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
