"""`skytrunk compare`: the same history planned for several objectives, side by side."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import (
    FromOption,
    Line,
    PlannerOption,
    ToOption,
    answering,
)
from api.cli.output import note, progress_bar
from api.inputs import parse_span
from scheduler.errors import InputError, LedgerBroken

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.domain import ReplaySummary

USUAL = ("demand", "total")
OBJECTIVES_MAX = 3


@answering
def compare(
    line: Line,
    start: FromOption,
    end: ToOption,
    objective: Annotated[
        list[str] | None,
        typer.Option(metavar="O", help="Repeatable: demand, max-min, total (demand and total)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same for all.")] = 1,
    planner: PlannerOption = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write compare.md, compare.json and a picture."),
    ] = None,
) -> None:
    """Replay [from, to) once for each objective, each in a ledger of its own, and compare."""
    if line.database is not None:
        raise InputError(f"--database {line.database}: each objective has a ledger of its own,"
                         " which is thrown away; allowed: no --database")  # fmt: skip
    first, last = parse_span(start, end)
    objectives = tuple(objective or USUAL)
    if len(set(objectives)) != len(objectives) or not 2 <= len(objectives) <= OBJECTIVES_MAX:
        raise InputError(
            f"objectives {', '.join(objectives)}; allowed: two or three different ones of demand,"
            " max-min, total"
        )
    if report is not None and report.exists() and not report.is_dir():
        raise InputError(f"report {report} is a file; allowed: a folder, new or old")
    more = {"planner": planner}
    found = [_replay(line, name, more, start=first, end=last, seed=seed) for name in objectives]
    from api.schemas.replays import Comparison

    comparison = Comparison.of(found)
    line.answer(comparison, comparison.tables())
    if report is not None:
        from api.report.compare import write_comparison

        write_comparison(report, comparison)
        note(f"comparison written to {report / 'compare.md'}")


def _replay(
    line: Line,
    objective: str,
    more: dict[str, str | None],
    *,
    start: datetime,
    end: datetime,
    seed: int,
) -> ReplaySummary:
    """One replay in a ledger that is thrown away: the comparison keeps its figures."""
    with TemporaryDirectory() as folder, progress_bar(objective) as progress:
        url = f"sqlite:///{Path(folder) / 'compare.db'}"
        settings = line.settings(database_url=url, objective=objective, **more)
        from scheduler.replay import run_replay

        summary = run_replay(settings, start=start, end=end, seed=seed, progress=progress)
    if summary.ledger_problems:
        raise LedgerBroken(f"ledger broken: {summary.ledger_problems[0]}")
    return summary
