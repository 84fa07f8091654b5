"""`skytrunk outage`: stations and satellites out of service."""

from __future__ import annotations

from typing import Annotated, Literal

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
    kinds: tuple[tuple[Literal["station", "satellite"], str | None], ...] = (
        ("station", station),
        ("satellite", satellite),
    )
    named = [(kind, name) for kind, name in kinds if name is not None]
    if len(named) != 1:
        raise InputError(f"{len(named)} of --station and --satellite; allowed: one of them")
    ((kind, name),) = named
    done = line.ask(
        lambda here: MarkedOutage.model_validate(
            services.add_outage(here, kind=kind, name=name, start=first, end=last, reason=reason)
        ),
        lambda server: server.add_outage(kind, name, start=first, end=last, reason=reason),
    )
    line.answer(done, done.outage)
    if not line.as_json:
        note(f"{len(done.marked)} bookings marked; `skytrunk plan make` plans around it")


@app.command("list")
@answering
def list_outages(line: Line) -> None:
    """List the outages that were not lifted."""
    from api.schemas.outages import Outages

    found = line.ask(
        lambda here: Outages.of(services.list_outages(here)), lambda server: server.outages()
    )
    line.answer(found, found.table())


@app.command("lift")
@common
def lift(
    line: Line,
    outage: Annotated[str, typer.Argument(metavar="OUTAGE", help="As `outage list` names it.")],
) -> None:
    """Put it back into service."""
    from api.schemas.outages import Outage

    lifted = line.ask(
        lambda here: Outage.model_validate(services.lift_outage(here, outage)),
        lambda server: server.lift_outage(outage),
    )
    show(f"{lifted.kind} {lifted.name} is in service again")
