"""`skytrunk merge`: what a merge execution would do, one now, and past ones."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Line, RequestOption, answering, commands
from api.inputs import parse_instant_or_none
from scheduler import services

app = commands("Plan, run or list merges of link key into end-to-end key.")

AtOption = Annotated[
    str | None, typer.Option("--at", metavar="T", help="Instant of the merge (default: now).")
]


@app.command("plan")
@answering
def plan(line: Line, at: AtOption = None) -> None:
    """Show what would be merged, why each demand gets what it gets, and how fair that is."""
    from api.schemas.merges import MergePlan

    with line.context() as context:
        when = parse_instant_or_none(at, "at") or context.clock.now()
        found = MergePlan.model_validate(services.plan_merges(context, at=when))
    line.answer(found, found.table())


@app.command("run")
@answering
def run(
    line: Line,
    at: AtOption = None,
    request: RequestOption = None,
) -> None:
    """Merge once, in one transaction; a repeated one gives its first answer and adds nothing."""
    from api.schemas.merges import Executed

    with line.context() as context:
        when = parse_instant_or_none(at, "at") or context.clock.now()
        done = Executed.of(services.merge_due(context, scheduled_for=when, request=request))
    line.answer(done, done.table())


@app.command("history")
@answering
def history(
    line: Line,
    start: Annotated[
        str | None, typer.Option("--from", metavar="T", help="Only merges from T on.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="T", help="Only merges before T.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The last so many.")] = 20,
) -> None:
    """List past merge executions, the newest last."""
    from api.schemas.merges import Merges

    first, last = parse_instant_or_none(start, "from"), parse_instant_or_none(end, "to")
    found = line.ask(
        lambda here: Merges.of(services.merge_history(here, start=first, end=last, limit=limit)),
        lambda server: server.merges(limit=limit, **{"from": first, "to": last}),
    )
    line.answer(found, found.table())
