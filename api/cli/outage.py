"""`skytrunk outage`: stations and satellites out of service."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import FromOption, Line, ToOption, answering, commands, common
from api.cli.output import note, show
from api.inputs import parse_span
from scheduler import services
from scheduler.errors import InputError

app = commands("Take stations and satellites out of service.")


@app.command("add")
@answering
def add(
    line: Line,
    start: FromOption,
    end: ToOption,
    station: Annotated[str | None, typer.Option(metavar="S", help="A station.")] = None,
    satellite: Annotated[str | None, typer.Option(metavar="S", help="Or a satellite.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Take a station or a satellite out of service; its bookings are marked, not deleted."""
    from api.schemas.outages import MarkedOutage

    first, last = parse_span(start, end)
    named = [(kind, name) for kind, name in (("station", station), ("satellite", satellite))
             if name is not None]  # fmt: skip
    if len(named) != 1:
        raise InputError(f"{len(named)} of --station and --satellite; allowed: one of them")
    ((kind, name),) = named
    with line.context() as context:
        answer = services.add_outage(
            context, kind=kind, name=name, start=first, end=last, reason=reason
        )
    done = MarkedOutage.model_validate(answer)
    line.answer(done, done.outage)
    if not line.as_json:
        note(f"{len(done.marked)} bookings marked; `skytrunk plan make` plans around it")


@app.command("list")
@answering
def list_outages(line: Line) -> None:
    """List the outages that were not lifted."""
    from api.schemas.outages import Outages

    with line.context() as context:
        found = Outages.of(services.list_outages(context))
    line.answer(found, found.table())


@app.command("lift")
@common
def lift(
    line: Line,
    outage: Annotated[str, typer.Argument(metavar="OUTAGE", help="As `outage list` names it.")],
) -> None:
    """Put it back into service."""
    with line.context() as context:
        answer = services.lift_outage(context, outage)
    show(f"{answer['kind']} {answer['name']} is in service again")
