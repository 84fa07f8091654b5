"""`skytrunk replay`: history through the very same services, ending in a table and a report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import (
    FormatOption,
    FromOption,
    Line,
    ObjectiveOption,
    PicturesOption,
    PlannerOption,
    ToOption,
    answering,
    check_pictures,
)
from api.cli.output import emit, make_folder, note, note_signer, progress_bar
from api.export.frames import check_format
from api.inputs import parse_span
from api.schemas.base import plural
from scheduler import services
from scheduler.errors import LedgerBroken

if TYPE_CHECKING:
    from api.export.frames import FrameFormat
    from scheduler.domain import ReplaySummary
    from scheduler.services.context import Context


def _show_page(wanted: bool) -> None:
    if wanted:
        from api.report.results import results_page

        emit(results_page())
        raise typer.Exit


@answering
def replay(
    line: Line,
    start: FromOption,
    end: ToOption,
    seed: Annotated[int, typer.Option(help="Of every simulated count and key byte.")] = 1,
    planner: PlannerOption = None,
    objective: ObjectiveOption = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write report.html, report.md, pictures, summary.json."),
    ] = None,
    pictures: PicturesOption = "png",
    results: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write plans, passes, sessions, merges and more."),
    ] = None,
    format_: FormatOption = "csv",
    page: Annotated[
        bool,
        typer.Option(
            "--results-page",
            callback=_show_page,
            is_eager=True,
            help="Print what results have in which column.",
        ),
    ] = False,
) -> None:
    """Replay a scenario over [from, to) into the ledger; same seed, same ledger."""
    first, last = parse_span(start, end)
    written_as = check_format(format_)
    drawn_as = check_pictures(pictures)
    for what, folder in (("report", report), ("results", results)):
        if folder is not None:  # before the work is done whose report could not be written
            make_folder(what, folder)
    settings = line.settings(planner=planner, objective=objective)
    from api.schemas.replays import Replay
    from scheduler.replay import run_replay
    from scheduler.services.context import Context

    with progress_bar("replay") as progress:
        summary = run_replay(
            settings, start=first, end=last, seed=seed, progress=progress,
            on_new_ledger=note_signer,
        )  # fmt: skip
    with Context(settings) as context:
        _tell_weather(context)
        if report is not None:
            _report(report, summary, context, drawn_as)
        if results is not None:
            _results(results, summary, context, written_as)
    shown = Replay.of(summary)
    for part in shown.document()["unplanned"]:
        note(f"nothing planned from {part['from']} to {part['to']}: {part['reason']}")
    line.answer(shown, shown.tables())
    if summary.ledger_problems:
        raise LedgerBroken(f"ledger broken: {summary.ledger_problems[0]}")


def _tell_weather(context: Context) -> None:
    """Say where the sky came from another source than was asked for."""
    notes = Counter(
        text
        for plan in services.list_plans(context)
        for text in plan.notes
        if text.startswith("weather: ")
    )
    for text, count in notes.items():
        note(f"{text} ({plural(count, 'plan')})")


def _report(out: Path, summary: ReplaySummary, context: Context, pictures: str) -> None:
    from api.report import write_report

    with progress_bar("report") as progress:
        write_report(out, summary, context, progress, pictures)
    note(f"report written to {out / 'report.md'}")


def _results(out: Path, summary: ReplaySummary, context: Context, written_as: FrameFormat) -> None:
    from api.report.results import write_results

    counts = write_results(out, summary, context, written_as)
    rows = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    note(f"results written to {out}: {rows}")
