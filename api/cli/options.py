"""Options that many commands share, and how they become settings and a context."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scheduler.services.context import Context
    from scheduler.settings import Settings

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Where the ledger is (SKYTRUNK_DATABASE_URL; default: sqlite:///skytrunk.db).",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings as TOML (SKYTRUNK_CONFIG)."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]
FromOption = Annotated[
    str, typer.Option("--from", metavar="T", help="Start: a date, or date, time and zone.")
]
ToOption = Annotated[
    str, typer.Option("--to", metavar="T", help="End, not included: a date, or date, time, zone.")
]


@dataclass(frozen=True, slots=True)
class Common:
    """What stood before the command; the same option after the command goes before it."""

    database: str | None = None
    config: Path | None = None


def keep_common(
    ctx: typer.Context, database: DatabaseOption = None, config: ConfigOption = None
) -> None:
    """Remember the options in front of a command, for `settings_of`."""
    outer = ctx.obj or Common()
    ctx.obj = Common(database or outer.database, config or outer.config)


def settings_of(
    ctx: typer.Context, database: str | None, config: Path | None, **more: Any
) -> Settings:
    """Read the settings; what the command line says goes before environment and file."""
    from scheduler.settings import load_settings

    outer = ctx.obj or Common()
    return load_settings(config or outer.config, database_url=database or outer.database, **more)


def context_of(
    ctx: typer.Context, database: str | None, config: Path | None, **more: Any
) -> AbstractContextManager[Context]:
    """Open the context on the settings of this command line."""
    from scheduler.services.context import Context

    return Context(settings_of(ctx, database, config, **more))
