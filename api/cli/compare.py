"""`skytrunk compare`: the same history planned for several objectives, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.campaign import PLAN
from api.cli.options import Line, PicturesOption, PlannerOption, answering, check_pictures
from api.cli.output import note, progress_bar, read_document
from api.inputs import parse_span
from scheduler.errors import InputError, LedgerBroken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from api.schemas.base import Document
    from scheduler.domain import ReplaySummary

USUAL = ("demand", "total")
OBJECTIVES_MAX = 3


@answering
def compare(
    line: Line,
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN...]", help="Folders of reports or campaigns, instead."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="T", help="Start of new replays.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="T", help="Their end.")] = None,
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
    pictures: PicturesOption = "png",
) -> None:
    """Compare replays that were written, or replay [from, to) once for each objective.

    New replays have a ledger of their own each, which is thrown away.
    """
    if runs:
        _compare_written(line, runs, given=(start, end, objective, report))
        return
    if start is None or end is None:
        raise InputError("compare without --from or --to; allowed: both, or two folders of runs")
    if line.database is not None:
        raise InputError(f"--database {line.database}: each objective has a ledger of its own,"
                         " which is thrown away; allowed: no --database")  # fmt: skip
    first, last = parse_span(start, end)
    drawn_as = check_pictures(pictures)
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

        write_comparison(report, comparison, drawn_as)
        note(f"comparison written to {report / 'compare.md'}")


def _compare_written(line: Line, runs: Sequence[Path], *, given: Sequence[object]) -> None:
    """Compare the replays that folders hold, those of one seed and time with each other.

    The variants of a campaign with its first one, and what comes first in a folder with the first
    folder's.
    """
    if len(runs) < 2 or any(given):
        raise InputError(
            f"compare of {len(runs)} runs; allowed: two or more folders, without options of new"
            " replays"
        )
    from api.schemas.campaigns import Campaign

    found: list[tuple[str, Document]] = []
    against: dict[str, str] = {}
    for folder in runs:
        here = [(name, read_document(file)) for name, file in _documents(folder)]
        against |= {name: here[0][0] for name, _ in here if name != here[0][0]}
        found += here
    answer = Campaign.of(found, against)
    line.answer(answer, answer.tables())


def _documents(folder: Path) -> list[tuple[str, Path]]:
    """Return the summaries that a report or a campaign wrote there, each with its variant.

    Those of a campaign in its own order.
    """
    summary = folder / "summary.json"
    found = [(str(folder), summary)] if summary.exists() else []
    order = list(read_document(folder / PLAN)) if (folder / PLAN).exists() else []
    runs = {file.stem: file for file in sorted((folder / "runs").glob("*.json"))}
    for file in [runs.pop(name) for name in order if name in runs] + list(runs.values()):
        varied = file.stem.rpartition("seed=")[0].rstrip("_")
        found.append((f"{folder} {varied}".strip(), file))
    if not found:
        raise InputError(
            f"run {folder}: no summary.json, and no runs; allowed: the folder of a report or of a"
            " campaign"
        )
    return found


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
    from scheduler.campaign import Task, run_task
    from scheduler.domain import Variant

    settings = line.settings(objective=objective, **more)
    one = Variant(name=objective, seed=seed, start=start, end=end, varied={"objective": objective})
    with progress_bar(objective) as progress:
        summary = run_task(Task(variant=one, settings=settings, sets=line.stored_sets()), progress)
    if summary.ledger_problems:
        raise LedgerBroken(f"ledger broken: {summary.ledger_problems[0]}")
    return summary
