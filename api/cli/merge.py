"""`skytrunk merge`: what a merge tick would do, one tick now, and past ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import ConfigOption, DatabaseOption, JsonOption, context_of, keep_common
from api.cli.output import emit, show, table_of
from api.inputs import parse_instant
from scheduler import services

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import RenderableType

    from api.shape import Document
    from scheduler.services.context import Context

app = typer.Typer(help="Plan, run or list merges of link key into end-to-end key.",
                  callback=keep_common)  # fmt: skip

AtOption = Annotated[
    str | None, typer.Option("--at", metavar="T", help="Instant of the tick (default: now).")
]
ScenarioOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Scenario, by name or file (micius-2016).")
]


@app.command("plan")
def plan(
    ctx: typer.Context,
    at: AtOption = None,
    scenario: ScenarioOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what a tick would merge, why each demand gets what it gets, and how fair that is."""
    from api.export import to_json
    from api.key_shape import merge_plan_document

    with context_of(ctx, database, config, scenario=scenario) as context:
        document = merge_plan_document(services.plan_merges(context, at=_instant(at, context)))
    if as_json:
        emit(to_json(document))
    else:
        show(_plan_table(document))


@app.command("run")
def run(
    ctx: typer.Context,
    at: AtOption = None,
    request: Annotated[
        str | None,
        typer.Option(
            "--request-id",
            metavar="ID",
            help="Name of this request: whenever it is repeated, its first answer returns"
            " and nothing is added (default: the instant).",
        ),
    ] = None,
    scenario: ScenarioOption = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Merge once, in one transaction; a repeated tick gives its first answer and adds nothing."""
    from api.export import to_json

    with context_of(ctx, database, config, scenario=scenario) as context:
        context.existing_ledger()
        answer = services.merge_due(context, scheduled_for=_instant(at, context), request=request)
    if as_json:
        emit(to_json(answer))
    else:
        show(_steps_table(answer))


@app.command("history")
def history(
    ctx: typer.Context,
    start: Annotated[
        str | None, typer.Option("--from", metavar="T", help="Only ticks from T on.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="T", help="Only ticks before T.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The last so many ticks.")] = 20,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List past ticks, the newest last."""
    from api.export import to_json
    from api.key_shape import merges_document

    with context_of(ctx, database, config) as context:
        document = merges_document(
            services.merge_history(
                context,
                start=None if start is None else parse_instant(start, "from"),
                end=None if end is None else parse_instant(end, "to"),
                limit=limit,
            )
        )
    if as_json:
        emit(to_json(document))
    else:
        show(_history_table(document))


def _instant(text: str | None, context: Context) -> datetime:
    return context.clock.now() if text is None else parse_instant(text, "at")


def _plan_table(document: Document) -> RenderableType:
    rows = [
        [
            one["demand"],
            str(one["min_disjoint_paths"]),
            f"{one['bits_per_day']:,}",
            f"{one['served_bits']:,}",
            f"{one['bits']:,}",
            f"{one['level']:.3f}",
            one["reason"],
        ]
        for one in document["demands"]
    ]
    columns = [
        "demand", "paths|", "asked, bits a day|", "had, 24 h|", "gets|", "served/asked|", "why",
    ]  # fmt: skip
    return table_of(
        f"Merges at {document['at']}, nothing written",
        columns,
        rows,
        caption=f"Jain's index of served/asked over {len(rows)} demands:"
        f" {document['jain_index']:.4f}; {len(document['merges'])} merges,"
        f" {len(document['tagged_links'])} links tag announcements",
    )


def _steps_table(answer: Document) -> RenderableType:
    rows = [
        [
            step["demand"],
            f"{step['bits']:,}",
            " and ".join(f"{len(path) - 1} hops" for path in step["paths"]),
            str(step["announcements"]),
            step["block"],
        ]
        for step in answer["steps"]
    ]
    idle = [
        f"{demand}: {reason}"
        for demand, reason in answer["reasons"].items()
        if demand not in {step["demand"] for step in answer["steps"]}
    ]
    return table_of(
        f"{len(rows)} merges",
        ["demand", "bits|", "over", "announcements|", "block"],
        rows,
        caption="\n".join(idle),
    )


def _history_table(document: Document) -> RenderableType:
    rows = [
        [
            tick["at"],
            str(len(tick["steps"])),
            f"{tick['bits']:,}",
            str(tick["tags"]),
            ", ".join(sorted({step["demand"] for step in tick["steps"]})) or "nothing merged",
        ]
        for tick in document["merges"]
    ]
    columns = ["at (UTC)", "merges|", "bits|", "tags|", "demands"]
    return table_of(f"{len(rows)} ticks", columns, rows)
