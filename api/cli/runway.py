"""`skytrunk runway`: when each pair's key runs dry, and what losing a pass would cost."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Line, answering
from api.inputs import parse_instant_or_none
from scheduler import services


@answering
def runway(
    line: Line,
    days: Annotated[float, typer.Option("--days", help="How far ahead, up to 60.")] = 7.0,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="P",
            help="Take a session away: SATELLITE/STATION/INSTANT, or a station for all of its"
            " own; repeatable.",
        ),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="T", help="The present (now).")] = None,
) -> None:
    """Say when each pair and link runs dry by what is booked (10, 50, 90 %)."""
    from api.schemas.runway import KeyRunway

    present, lost = parse_instant_or_none(at, "at"), without or []
    found = line.ask(
        lambda here: KeyRunway.model_validate(
            services.key_runway(here, days=days, at=present, without=lost)
        ),
        lambda server: server.runway(days=days, at=present, without=lost),
    )
    line.answer(found, *found.tables())
