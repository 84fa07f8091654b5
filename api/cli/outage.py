"""`skytrunk outage`: stations and satellites out of service."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import (
    ConfigOption,
    DatabaseOption,
    FromOption,
    JsonOption,
    ToOption,
    context_of,
    keep_common,
)
from api.cli.output import emit, note, show, table_of
from api.inputs import parse_span
from scheduler import services
from scheduler.errors import InputError

app = typer.Typer(help="Take stations and satellites out of service.", callback=keep_common)


@app.command("add")
def add(
    ctx: typer.Context,
    start: FromOption,
    end: ToOption,
    station: Annotated[str | None, typer.Option(metavar="S", help="A station.")] = None,
    satellite: Annotated[str | None, typer.Option(metavar="S", help="Or a satellite.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Take a station or a satellite out of service; its bookings are marked, not deleted."""
    from api.export import to_json

    first, last = parse_span(start, end)
    named = [(kind, name) for kind, name in (("station", station), ("satellite", satellite))
             if name is not None]  # fmt: skip
    if len(named) != 1:
        raise InputError(f"{len(named)} of --station and --satellite; allowed: one of them")
    ((kind, name),) = named
    with context_of(ctx, database, config) as context:
        answer = services.add_outage(
            context, kind=kind, name=name, start=first, end=last, reason=reason
        )
    if as_json:
        emit(to_json(answer))
        return
    emit(f"{answer['outage']}\n")
    note(f"{len(answer['marked'])} bookings marked; `skytrunk plan make` plans around it")


@app.command("list")
def list_outages(
    ctx: typer.Context,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the outages that were not lifted."""
    from api.export import to_json
    from api.shape_plans import outage_document

    with context_of(ctx, database, config) as context:
        context.existing_ledger()
        rows = [outage_document(outage) for outage in services.list_outages(context)]
    if as_json:
        emit(to_json({"outages": rows}))
        return
    columns = ["kind", "name", "from", "to", "reason", "outage"]
    show(table_of(f"{len(rows)} outages", columns, [[r[c] for c in columns] for r in rows]))


@app.command("lift")
def lift(
    ctx: typer.Context,
    outage: Annotated[str, typer.Argument(metavar="OUTAGE", help="As `outage list` names it.")],
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Put it back into service."""
    with context_of(ctx, database, config) as context:
        answer = services.lift_outage(context, outage)
    emit(f"{answer['kind']} {answer['name']} is in service again\n")
