"""`skytrunk satellites` and `skytrunk stations`: who takes part in the scenario."""

from __future__ import annotations

import typer

from api.cli.options import ConfigOption, DatabaseOption, JsonOption, context_of
from api.cli.output import emit, show, table_of


def satellites(
    ctx: typer.Context,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the satellites of the scenario."""
    from api.export import to_json
    from api.shape import satellite_fields

    with context_of(ctx, database, config) as context:
        rows = [satellite_fields(satellite) for satellite in context.scenario.satellites]
    if as_json:
        emit(to_json({"satellites": rows}))
        return
    cells = [[row["satellite"], row["name"], str(row["norad_id"])] for row in rows]
    show(table_of("Satellites", ["satellite", "name", "NORAD id|"], cells))


def stations(
    ctx: typer.Context,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the ground stations of the scenario."""
    from api.export import to_json
    from api.shape import station_fields

    with context_of(ctx, database, config) as context:
        rows = [station_fields(station) for station in context.stations()]
    if as_json:
        emit(to_json({"stations": rows}))
        return
    columns = ["station", "name", "latitude°|", "longitude°|", "height m|", "mask°|"]
    cells = [
        [row["station"], row["name"], f"{row['lat_deg']:.7f}", f"{row['lon_deg']:.7f}",
         f"{row['height_m']:g}", f"{row['mask_deg']:g}"]
        for row in rows
    ]  # fmt: skip
    show(table_of("Ground stations", columns, cells))
