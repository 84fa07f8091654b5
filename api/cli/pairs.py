"""`skytrunk pairs`: when two stations can share a satellite."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import CsvOption, Line, answering
from api.cli.output import emit, note
from api.cli.place import SinceOption, UntilOption, window_of
from api.inputs import parse_instant_or_none
from scheduler import services
from scheduler.errors import InputError


@answering
def pairs(
    line: Line,
    satellite: Annotated[str, typer.Argument(help="Satellite, e.g. micius.")],
    a: Annotated[str, typer.Argument(metavar="A", help="First station.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Second station.")],
    start: SinceOption = None,
    end: UntilOption = None,
    gap_h: Annotated[
        float | None,
        typer.Option("--gap-h", metavar="H", help="Hours from A's link to B's, at most (12)."),
    ] = None,
    simultaneous: Annotated[
        bool, typer.Option("--simultaneous", help="Windows in which both see it at once.")
    ] = False,
    as_known_at: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="Use only element sets known at T (default: the nearest in time)."
        ),
    ] = None,
    as_csv: CsvOption = False,
) -> None:
    """List when SATELLITE serves A and then B (a trusted relay), or both of them at once."""
    from api.export.csv import to_csv
    from api.schemas.pairs import Pairs, PairWindow

    if line.as_json and as_csv:
        raise InputError("--json and --csv together; allowed: one of them")
    first, last = window_of(start, end)
    with line.context() as context:
        answer = services.station_pairs(
            context,
            satellite=satellite,
            first=a,
            second=b,
            start=first,
            end=last,
            gap_h=gap_h,
            simultaneous=simultaneous,
            as_known_at=parse_instant_or_none(as_known_at, "as-known-at"),
        )
    found = Pairs.of(answer)
    if as_csv:
        emit(to_csv(found.pairs, PairWindow.names()))
        for text in found.notes:  # CSV has no place for them
            note(text)
    else:
        line.answer(found, found.table(satellite, a, b))
