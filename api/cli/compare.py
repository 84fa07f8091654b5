"""`skytrunk compare`: the same history planned for several objectives, side by side."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import ConfigOption, FromOption, JsonOption, ToOption, settings_of
from api.cli.output import emit, note, progress_bar, show, table_of
from api.inputs import parse_span
from scheduler.errors import InputError, LedgerBroken

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.domain import ReplaySummary

USUAL = ("demand", "total")
OBJECTIVES_MAX = 3


def compare(
    context: typer.Context,
    start: FromOption,
    end: ToOption,
    objective: Annotated[
        list[str] | None,
        typer.Option(metavar="O", help="Repeatable: demand, max-min, total (demand and total)."),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="Scenario, by name or file (micius-2016).")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same for all.")] = 1,
    planner: Annotated[str | None, typer.Option(help="auto, lp, milp or greedy (lp).")] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write compare.md, compare.json and a picture."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Replay [from, to) once for each objective, each in a ledger of its own, and compare."""
    first, last = parse_span(start, end)
    objectives = tuple(objective or USUAL)
    if len(set(objectives)) != len(objectives) or not 2 <= len(objectives) <= OBJECTIVES_MAX:
        raise InputError(
            f"objectives {', '.join(objectives)}; allowed: two or three different ones of demand,"
            " max-min, total"
        )
    if report is not None and report.exists() and not report.is_dir():
        raise InputError(f"report {report} is a file; allowed: a folder, new or old")
    more = {"scenario": scenario, "planner": planner}
    found = [
        _replay(context, config, name, more, start=first, end=last, seed=seed)
        for name in objectives
    ]
    _print(found, as_json=as_json)
    if report is not None:
        from api.report.compare import write_comparison

        write_comparison(report, found)
        note(f"comparison written to {report / 'compare.md'}")


def _replay(
    context: typer.Context,
    config: Path | None,
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
        settings = settings_of(context, url, config, objective=objective, **more)
        from scheduler.replay import run_replay

        summary = run_replay(settings, start=start, end=end, seed=seed, progress=progress)
    if summary.ledger_problems:
        raise LedgerBroken(f"ledger broken: {summary.ledger_problems[0]}")
    return summary


def _print(found: list[ReplaySummary], *, as_json: bool) -> None:
    from api.export import to_json
    from api.report.compare import COLUMNS, comparison_document, comparison_rows

    document = comparison_document(found)
    if as_json:
        emit(to_json(document))
        return
    names = document["objectives"]
    for what, title in (
        ("pairs", "End-to-end key received, bits"),
        ("stations", "Secret key settled, bits"),
        ("sessions", "Sessions settled"),
    ):
        rows = [[str(cell) if isinstance(cell, str) else f"{cell:,}" for cell in row]
                for row in comparison_rows(document, what)]  # fmt: skip
        show(table_of(title, [COLUMNS[what], *(f"{name}|" for name in names)], rows))
