"""`skytrunk elements`: bring element sets in, see, judge and export those there are."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.options import CsvOption, Line, OutOption, answering, commands, common
from api.cli.output import emit, emit_file, note, read_text
from api.inputs import parse_instant, parse_instant_or_none
from scheduler import services
from scheduler.errors import InputError

if TYPE_CHECKING:
    from scheduler.domain import ElementsAnswer

app = commands("Import, fetch, list, check, accept, withdraw or export element sets.")

SatelliteOption = Annotated[
    str | None,
    typer.Option("--satellite", metavar="S", help="Id, name or catalogue number (default: all)."),
]
LatestOption = Annotated[
    bool, typer.Option("--latest", help="Only the last set of each satellite.")
]
NamedArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SHA|EPOCH...", help="How the SHA-256 begins (six digits and up), or the epoch."
    ),
]
NumberOption = Annotated[
    int | None, typer.Option("--satellite", metavar="N", help="Catalogue number (default: any).")
]
ReasonOption = Annotated[str, typer.Option(help="Why.")]
_DIGEST = re.compile("[0-9a-fA-F]{6,64}")


@app.command("import")
@answering
def import_elements(
    line: Line,
    file: Annotated[Path, typer.Argument(help="TLE, or OMM as JSON, CSV, XML or KVN.")],
    arrived_at: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="When these sets became known (default: each at its epoch)."
        ),
    ] = None,
) -> None:
    """Import every element set of FILE, or none if any of them is bad."""
    from api.schemas.base import plural
    from api.schemas.elements import Imported

    arrival = parse_instant_or_none(arrived_at, "arrived-at")
    text = read_text(file, "element sets")
    with line.context() as context:
        added = Imported.model_validate(
            services.import_elements(context, text, source=file.name, arrived_at=arrival)
        )
    line.answer(added, f"{plural(added.added, 'element set')} added from {file.name}")
    for sentence in added.notes():
        note(sentence)


@app.command("fetch")
@answering
def fetch_elements(
    line: Line,
    satellites: Annotated[
        list[str] | None,
        typer.Argument(help="Satellites or catalogue numbers (default: the scenario's)."),
    ] = None,
) -> None:
    """Fetch the newest sets (CelesTrak, or the setting elements_url); exit code 1 if any failed."""
    from api.schemas.base import plural
    from api.schemas.elements import Fetched

    with line.context() as context:
        fetched = Fetched.model_validate(services.fetch_elements(context, satellites or None))
    line.answer(
        fetched,
        f"{plural(len(fetched.received), 'element set')} received, {fetched.added} of them new",
    )
    for text in (*fetched.notes(), *fetched.unchanged, *fetched.failures):
        note(text)
    if fetched.failures:
        raise typer.Exit(1)


@app.command("list")
@answering
def list_elements(
    line: Line,
    satellite: SatelliteOption = None,
    latest: LatestOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List the element sets known, oldest first."""
    from api.export.csv import to_csv
    from api.schemas.elements import Elements, ElementSet

    if line.as_json and as_csv:
        raise InputError("--json and --csv together; allowed: one of them")
    with line.context() as context:
        found = Elements.of(services.list_elements(context, satellite, latest=latest))
    if as_csv:
        emit(to_csv(found.elements, ElementSet.names()))
    else:
        line.answer(found, found.table())


@app.command("accept")
@answering
def accept_elements(
    line: Line, named: NamedArgument, satellite: NumberOption = None, reason: ReasonOption = ""
) -> None:
    """Let sets serve that are quarantined or withdrawn; they are not judged again."""
    with line.context() as context:
        answer = services.accept_elements(
            context, [_named(text) for text in named], satellite=satellite, reason=reason
        )
    _show(line, answer)


@app.command("withdraw")
@answering
def withdraw_elements(
    line: Line,
    named: NamedArgument,
    since: Annotated[
        str | None, typer.Option("--from", metavar="T", help="From when on (default: now).")
    ] = None,
    satellite: NumberOption = None,
    reason: ReasonOption = "",
) -> None:
    """Take sets out from an instant on; replays see them until then, their plans are marked."""
    start = parse_instant_or_none(since, "from")
    with line.context() as context:
        answer = services.withdraw_elements(
            context,
            [_named(text) for text in named],
            satellite=satellite,
            since=start,
            reason=reason,
        )
    _show(line, answer)


@app.command("bind")
@answering
def bind_elements(
    line: Line,
    norad_id: Annotated[int, typer.Argument(metavar="NORAD_ID", help="Such as an OBJECT DD's.")],
    satellite: Annotated[str, typer.Argument(metavar="SATELLITE", help="Of the scenario.")],
    since: Annotated[str, typer.Option("--from", metavar="T", help="Sets of epochs from then on.")],
    reason: ReasonOption = "",
) -> None:
    """Take the sets of an object whose identity is not settled for a satellite's own."""
    from api.schemas.base import plural
    from api.schemas.elements import Bound

    start = parse_instant(since, "from")
    with line.context() as context:
        bound = Bound.model_validate(
            services.bind_elements(context, norad_id, satellite, since=start, reason=reason)
        )
    line.answer(
        bound,
        f"sets of {bound.norad_id} are {bound.satellite}'s from {bound.since:%Y-%m-%d %H:%M} on:"
        f" {plural(bound.sets, 'set')} now",
    )


def _named(text: str) -> str | datetime:
    """The beginning of a SHA-256, or else an epoch."""
    return text.lower() if _DIGEST.fullmatch(text) else parse_instant(text, "element set")


def _show(line: Line, answer: ElementsAnswer) -> None:
    from api.schemas.elements import Elements

    found = Elements.of(answer)
    line.answer(found, found.table())


@app.command("check")
@answering
def check_elements(line: Line, satellite: SatelliteOption = None) -> None:
    """Compare each set with its neighbours; exit code 1 if any was spliced or edited."""
    from api.schemas.base import plural
    from api.schemas.elements import Checked

    with line.context() as context:
        checked = Checked.model_validate(services.check_elements(context, satellite))
    count = plural(checked.checked, "element set")
    found = [f"{one.kind}: {one.sentence}" for one in checked.findings]
    found += [f"unreadable: {sentence}" for sentence in checked.unreadable]
    line.answer(checked, found or f"{count} agree with their neighbours")
    note(checked.earth_turn())
    if found:
        note(f"{len(found)} of {count} should not be trusted")
        raise typer.Exit(1)


@app.command("export")
@common
def export_elements(
    line: Line,
    satellite: SatelliteOption = None,
    form: Annotated[
        Literal["tle", "json", "csv", "xml", "kvn"],
        typer.Option("--format", help="TLE, or OMM in one of its forms."),
    ] = "tle",
    latest: LatestOption = False,
    out: OutOption = None,
) -> None:
    """Write the element sets that serve, oldest first; one that fits in no TLE is refused."""
    with line.context() as context:
        text = services.export_elements(context, satellite, form=form, latest=latest)
    emit_file(out, text)
