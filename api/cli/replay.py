"""`skytrunk replay`: history through the very same services, ending in a table and a report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import (
    FromOption,
    Line,
    ObjectiveOption,
    PlannerOption,
    ToOption,
    answering,
)
from api.cli.output import note, note_signer, progress_bar
from api.inputs import parse_span
from api.schemas.base import plural
from scheduler import services
from scheduler.errors import InputError, LedgerBroken

if TYPE_CHECKING:
    from scheduler.domain import ReplaySummary
    from scheduler.services.context import Context


@answering
def replay(
    line: Line,
    start: FromOption,
    end: ToOption,
    seed: Annotated[int, typer.Option(help="Of every simulated count and key byte.")] = 1,
    planner: PlannerOption = None,
    objective: ObjectiveOption = None,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write report.md, pictures, summary.json.")
    ] = None,
) -> None:
    """Replay a scenario over [from, to) into the ledger; same seed, same ledger."""
    first, last = parse_span(start, end)
    if report is not None:  # before the work is done whose report could not be written
        _make_folder(report)
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
            _report(report, summary, context)
    shown = Replay.of(summary)
    for part in shown.document()["unplanned"]:
        note(f"nothing planned from {part['from']} to {part['to']}: {part['reason']}")
    line.answer(shown, shown.tables())
    if summary.ledger_problems:
        raise LedgerBroken(f"ledger broken: {summary.ledger_problems[0]}")


def _make_folder(report: Path) -> None:
    if report.exists() and not report.is_dir():
        raise InputError(f"report {report} is a file; allowed: a folder, new or old")
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"report {report}: {error.strerror}; allowed: a folder that can be made"
        ) from None


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


def _report(out: Path, summary: ReplaySummary, context: Context) -> None:
    from api.report import write_report

    with progress_bar("report") as progress:
        write_report(out, summary, context, progress)
    note(f"report written to {out / 'report.md'}")
