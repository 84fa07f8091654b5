"""The options of every command: declared once, accepted before and after the command."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, TypeVar

import typer

from api.cli.output import emit_json, note_signer, show
from scheduler.errors import InputError

if TYPE_CHECKING:
    from api.client import Client
    from api.schemas.base import Answer, Table
    from scheduler.services import StoredSets
    from scheduler.services.context import Context
    from scheduler.settings import Settings

T = TypeVar("T")

PICTURES = ("png", "svg")
"""The forms of pictures, as their names end."""


def picture_file(file: Path | None) -> Path | None:
    """Return where a picture goes, if anywhere. Raises InputError for a form that is not drawn."""
    if file is not None and file.suffix.removeprefix(".") not in PICTURES:
        endings = " or ".join(f".{form}" for form in PICTURES)
        raise InputError(f"{file}; allowed: a name that ends in {endings}")
    return file


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
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="URL",
        help="Ask this server, not a ledger at hand; SKYTRUNK_TOKEN has the token for it.",
    ),
]  # fmt: skip
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")]
FromOption = Annotated[
    str, typer.Option("--from", metavar="T", help="Start: a date, or date, time and zone.")
]
ToOption = Annotated[
    str, typer.Option("--to", metavar="T", help="End, not included: a date, or date, time, zone.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write here (default: stdout).")
]
ScenarioOption = Annotated[
    str | None,
    typer.Option(
        "--scenario", metavar="NAME",
        help="Scenario, by name or TOML file (SKYTRUNK_SCENARIO; default: micius-2016; of run and"
        " serve spoqc-2026).",
    ),
]  # fmt: skip
ObjectiveOption = Annotated[str | None, typer.Option(help="demand, max-min or total (demand).")]
PlannerOption = Annotated[str | None, typer.Option(help="auto, lp, milp or greedy (lp).")]
FormatOption = Annotated[
    str, typer.Option("--format", metavar="F", help="Of results: csv, or parquet with types.")
]
PicturesOption = Annotated[
    str, typer.Option(metavar="F", help="Pictures of the report: png or svg.")
]
RequestOption = Annotated[
    str | None,
    typer.Option(
        "--request-id",
        metavar="ID",
        help="Name of this request: whenever it is repeated, its first answer returns"
        " and nothing is added (default: the instant).",
    ),
]


def check_pictures(given: str) -> str:
    """Return how pictures are drawn. Raises InputError for another way."""
    if given not in PICTURES:
        raise InputError(f"pictures {given!r}; allowed: {', '.join(PICTURES)}")
    return given


@dataclass(frozen=True, slots=True)
class Line:
    """A command line: what stood in it for every command."""

    database: str | None = None
    config: Path | None = None
    scenario: str | None = None
    server: str | None = None
    as_json: bool = False

    def settings(self, **more: Any) -> Settings:
        """Read the settings; what the command line says goes before environment and file."""
        from scheduler.settings import load_settings

        given = {"database_url": self.database, "scenario": self.scenario}
        return load_settings(self.config, **{**given, **more})

    def context(self, **more: Any) -> Context:
        """Open the context on these settings. Raises InputError where a server was to be asked."""
        if self.server is not None:
            raise InputError(
                f"--server {self.server}: this works on a ledger at hand; allowed: without --server"
            )
        from scheduler.services.context import Context

        return Context(self.settings(**more), on_new_ledger=note_signer)

    def stored_sets(self) -> StoredSets:
        """Return the element sets of the ledger, for replays in ledgers of their own."""
        from scheduler import services

        with self.context() as context:
            return services.stored_sets(context)

    def ask(self, here: Callable[[Context], T], there: Callable[[Client], T], **settings: Any) -> T:
        """Return what the ledger at hand answers, or the server that was named."""
        if self.server is None:
            with self.context(**settings) as context:
                return here(context)
        from api.client import Client

        given = {"--" + name: value for name, value in settings.items() if value is not None}
        own = {"--database": self.database, "--scenario": self.scenario, **given}
        if wrong := [name for name, value in own.items() if value is not None]:
            raise InputError(
                f"{', '.join(wrong)} with --server, which has its own; allowed: without"
            )
        with Client(self.server, token=os.environ.get("SKYTRUNK_TOKEN")) as client:
            return there(client)

    def answer(self, answer: Answer, *others: Table | str | Iterable[Table | str]) -> None:
        """Print the answer as JSON if that was asked for, else the others."""
        if self.as_json:
            emit_json(answer.document())
        else:
            show(*others)


def keep(
    ctx: typer.Context,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    scenario: ScenarioOption = None,
    server: ServerOption = None,
) -> None:
    """Remember the options in front of a command."""
    outer = ctx.obj or Line()
    ctx.obj = Line(
        database or outer.database,
        config or outer.config,
        scenario or outer.scenario,
        server or outer.server,
    )


def commands(help_text: str, **more: Any) -> typer.Typer:
    """Return an empty group of commands that takes the common options in front of them."""
    return typer.Typer(help=help_text, callback=keep, **more)


def common(
    function: Callable[Concatenate[Line, ...], None], *, as_json: bool = False
) -> Callable[..., None]:
    """Give a command the common options behind its own; it is handed them as one `Line`."""

    @functools.wraps(function)
    def command(ctx: typer.Context, **given: Any) -> None:
        keep(ctx, *(given.pop(name) for name in ("database", "config", "scenario", "server")))
        function(replace(ctx.obj, as_json=given.pop("as_json", False)), **given)

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    added: dict[str, Any] = {
        "scenario": ScenarioOption, "database": DatabaseOption, "config": ConfigOption,
        "server": ServerOption,
    }  # fmt: skip
    if as_json:
        added = {"as_json": JsonOption, **added}
    kind = inspect.Parameter.KEYWORD_ONLY
    first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_ONLY, annotation=typer.Context)
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [first]
        + [one.replace(kind=kind) for one in own]
        + [
            inspect.Parameter(
                name, kind, annotation=option, default=False if name == "as_json" else None
            )
            for name, option in added.items()
        ]
    )
    return command


answering = functools.partial(common, as_json=True)
"""The same for a command that can print JSON."""
