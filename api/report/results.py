"""Writes what a replay came to as tables for programs, one file each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from api.export.frames import CellKind, FrameFormat, columns_of, write_frame
from api.schemas.base import Answer
from api.schemas.replays import Session, Unplanned
from api.schemas.results import BalanceResult, BlockResult, MergeResult, PassResult, PlanResult
from scheduler import services

if TYPE_CHECKING:
    from scheduler.domain import ReplaySummary
    from scheduler.services.context import Context


def _plans(context: Context, _: ReplaySummary) -> Iterator[Answer]:
    return map(PlanResult.model_validate, services.every_plan(context))


def _passes(context: Context, _: ReplaySummary) -> Iterator[Answer]:
    for plan in services.every_plan(context):
        for item in plan.passes:
            yield PassResult.of(plan, item)


def _sessions(_: Context, summary: ReplaySummary) -> Iterator[Answer]:
    return map(Session.model_validate, summary.settled)


def _blocks(_: Context, summary: ReplaySummary) -> Iterator[Answer]:
    return map(BlockResult.model_validate, summary.closed)


def _merges(context: Context, _: ReplaySummary) -> Iterator[Answer]:
    return map(MergeResult.of, services.every_merged_key(context))


def _balances(context: Context, summary: ReplaySummary) -> Iterator[Answer]:
    found = services.balances_over_time(
        context, start=summary.start, end=summary.end, step=timedelta(days=1)
    )
    return map(BalanceResult.model_validate, found)


def _gaps(_: Context, summary: ReplaySummary) -> Iterator[Answer]:
    return map(Unplanned.model_validate, summary.unplanned)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTable:
    """One table of results: its rows' schema, and where they come from."""

    name: str
    kind: type[Answer]
    about: str
    rows: Callable[[Context, ReplaySummary], Iterable[Answer]]


RESULTS = (
    ResultTable(name="plans", kind=PlanResult, about="Each plan.", rows=_plans),
    ResultTable(
        name="passes", kind=PassResult, rows=_passes,
        about="Each pass of each plan's window, with its forecast.",
    ),
    ResultTable(name="sessions", kind=Session, about="Each session that was settled.",
                rows=_sessions),
    ResultTable(name="blocks", kind=BlockResult, about="Each block that pooled sessions.",
                rows=_blocks),
    ResultTable(name="merges", kind=MergeResult, about="Each merge.", rows=_merges),
    ResultTable(name="balances", kind=BalanceResult, rows=_balances,
                about="Each account day by day, and at the end."),
    ResultTable(name="gaps", kind=Unplanned, rows=_gaps,
                about="Each time for which nothing was planned, and why."),
)  # fmt: skip


def write_results(
    out: Path, summary: ReplaySummary, context: Context, format_: FrameFormat
) -> dict[str, int]:
    """Write each table into the folder `out`; return how many rows each has."""
    out.mkdir(parents=True, exist_ok=True)
    return {
        one.name: write_frame(
            out / f"{one.name}.{format_}", one.kind, one.rows(context, summary), format_
        )
        for one in RESULTS
    }


HEAD = """\
# The results of a replay

`skytrunk replay ... --results OUT` writes them as CSV, or as Parquet with `--format parquet` (the
extra `parquet`): a file a table. A row of each stands for what its title says. Instants are UTC; an
empty cell (null in Parquet) is what was not there. This page is made from the schemas that are
written (`skytrunk replay --results-page` prints it).
"""


def results_page() -> str:
    """Return the page on every table and column, as Markdown."""
    return HEAD + "".join(map(_section, RESULTS))


def _section(one: ResultTable) -> str:
    meanings = [
        " ".join((field.description or "").split()) for field in one.kind.model_fields.values()
    ]
    rows = [
        f"| `{name}` | {kind} | {meaning} |\n"
        for (name, kind), meaning in zip(_columns(one).items(), meanings, strict=True)
    ]
    return (
        f"\n## {one.name}\n{one.about}\n\n| column | holds | meaning |\n|---|---|---|\n"
        + "".join(rows)
    )


def _columns(one: ResultTable) -> dict[str, CellKind]:
    return columns_of(one.kind)
