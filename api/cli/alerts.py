"""`skytrunk alerts`: what somebody should look at."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Line, answering
from scheduler import services


@answering
def alerts(
    line: Line,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only those, e.g. session-missed.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Most alerts, the last ones first.")] = 20,
) -> None:
    """List what `run` thinks somebody should look at; with `alert_url` it was told there too."""
    from api.schemas.alerts import Alerts

    found = line.ask(
        lambda here: Alerts.of(services.list_alerts(here, kind=kind, limit=limit)),
        lambda server: server.alerts(kind=kind, limit=limit),
    )
    line.answer(found, found.table())
