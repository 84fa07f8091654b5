"""`skytrunk replay`: history through the very same services, ending in a table and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.ledger import balances_table
from api.cli.options import (
    ConfigOption,
    DatabaseOption,
    FromOption,
    JsonOption,
    ToOption,
    settings_of,
)
from api.cli.output import emit, note, progress_bar, show, table_of
from api.inputs import parse_span
from scheduler.errors import InputError, LedgerBroken

if TYPE_CHECKING:
    from rich.console import RenderableType

    from api.shape import Document
    from scheduler.domain import ReplaySummary
    from scheduler.settings import Settings


def replay(
    ctx: typer.Context,
    start: FromOption,
    end: ToOption,
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="Scenario, by name or file (micius-2016).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every simulated count and key byte.")] = 1,
    planner: Annotated[str | None, typer.Option(help="auto, lp, milp or greedy (lp).")] = None,
    objective: Annotated[
        str | None, typer.Option(help="demand, max-min or total (demand).")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write report.md, pictures, summary.json.")
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Replay a scenario over [from, to) into the ledger; same seed, same ledger."""
    first, last = parse_span(start, end)
    if report is not None and report.exists() and not report.is_dir():
        raise InputError(f"report {report} is a file; allowed: a folder, new or old")
    if report is not None:  # before the work is done whose report could not be written
        _make_folder(report)
    settings = settings_of(
        ctx, database, config, scenario=scenario, planner=planner, objective=objective
    )
    from scheduler.replay import run_replay

    with progress_bar("replay") as progress:
        summary = run_replay(
            settings,
            start=first,
            end=last,
            seed=seed,
            progress=progress,
        )
    if report is not None:
        _report(report, summary, settings)
    _print(summary, as_json=as_json)
    if summary.ledger_problems:
        raise LedgerBroken(f"ledger broken: {summary.ledger_problems[0]}")


def _make_folder(report: Path) -> None:
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"report {report}: {error.strerror}; allowed: a folder that can be made"
        ) from None


def _report(out: Path, summary: ReplaySummary, settings: Settings) -> None:
    from api.report import write_report
    from scheduler.services.context import Context

    with progress_bar("report") as progress, Context(settings) as context:
        write_report(out, summary, context, progress)
    note(f"report written to {out / 'report.md'}")


def _print(summary: ReplaySummary, *, as_json: bool) -> None:
    from api.export import to_json
    from api.shape import summary_document

    document = summary_document(summary)
    for part in document["unplanned"]:
        note(f"nothing planned from {part['from']} to {part['to']}: {part['reason']}")
    if as_json:
        emit(to_json(document))
    else:
        show(*_tables(document))


def _tables(document: Document) -> list[RenderableType]:
    names = ("passes", "dark", "booked", "settled", "sifted_bits", "secret_bits")
    stations = [
        [station, *(f"{tally[name]:,}" for name in names)]
        for station, tally in document["stations"].items()
    ]
    stations.append(["all", *(f"{document[name]:,}" for name in names)])
    pairs = [
        [pair, f"{tally['merges']:,}", f"{tally['merged_bits']:,}"]
        for pair, tally in document["pairs"].items()
    ]
    pairs.append(["all", f"{document['merges']:,}", f"{document['merged_bits']:,}"])
    title = (
        f"Replay of {document['scenario']}, {document['from'][:10]} to {document['to'][:10]},"
        f" seed {document['seed']}, planner {document['planner']} ({document['objective']})"
    )
    columns = ["station", *(f"{name.replace('_', ' ')}|" for name in names)]
    unplanned = len(document["unplanned"])
    caption = (
        f"nothing planned in {unplanned} spans without a young element set" if unplanned else ""
    )
    state = "BROKEN" if document["ledger_problems"] else "sound"
    return [
        table_of(title, columns, stations, caption=caption),
        table_of("End-to-end key", ["pair", "merges|", "merged bits|"], pairs),
        *(f"{demand} is refused: {why}\n" for demand, why in document["refusals"].items()),
        balances_table(document["balances"]),
        f"ledger {state}" + (", continued from an earlier run" if document["continued"] else ""),
    ]
