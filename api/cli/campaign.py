"""`skytrunk campaign`: many replays by many hands, resumable, with intervals."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import FormatOption, FromOption, Line, ToOption, answering
from api.cli.output import make_folder, note, progress_bar, read_document, written
from api.export.frames import check_format
from api.inputs import parse_span
from api.schemas.base import to_json
from scheduler.errors import InputError, LedgerBroken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.schemas.campaigns import Campaign
    from scheduler.campaign import Task

PLAN = "campaign.json"
SEEDS_MAX = 10_000
NEVER_VARIED = ("database_url", "key_folder")
DRAWN = {
    "settled": {"name": "sessions settled", "counted": "sessions"},
    "secret_bits": {"name": "secret key of sessions", "counted": "key", "unit": "bit"},
    "merges": {"name": "merges", "counted": "merges"},
    "merged_bits": {"name": "end-to-end key merged", "counted": "key", "unit": "bit"},
}
"""How the sums of a campaign are drawn."""


@answering
def campaign(
    line: Line,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of what comes of it.")],
    start: FromOption,
    end: ToOption,
    seeds: Annotated[str, typer.Option(metavar="S", help="Seeds: 1-8, or 1,2,5, or both.")] = "1-8",
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=V1,V2", help="Repeatable: a setting and its values."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes of this machine.")] = 2,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Dask instead: local:N, tcp://HOST:PORT, tls://..."),
    ] = None,
    cluster_ca: Annotated[Path | None, typer.Option(metavar="FILE", help="For tls://.")] = None,
    cluster_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For tls://.")
    ] = None,
    cluster_key: Annotated[Path | None, typer.Option(metavar="FILE", help="For tls://.")] = None,
    format_: FormatOption = "csv",
) -> None:
    """Replay [from, to) for each seed and setting, each in a ledger that is thrown away.

    What is done stays in OUT: the same command goes on where it stopped.
    """
    written_as = check_format(format_)
    span = parse_span(start, end)
    from api.schemas.campaigns import Campaign, Figure, Run
    from scheduler.campaign import Task, run_tasks, variants
    from scheduler.cluster.campaign import hands_of

    found = variants([span], _seeds(seeds), dict(map(_varied, vary or ())))
    sets = line.stored_sets()
    tasks = [Task(variant=one, settings=line.settings(**one.varied), sets=sets) for one in found]
    hands = hands_of(
        cluster, workers, ca=cluster_ca, certificate=cluster_certificate, key=cluster_key
    )
    make_folder("campaign", out)
    make_folder("campaign", out / "runs")
    _bind(out, tasks)
    left = [task for task in tasks if not _file(out, task).exists()]
    if len(left) < len(tasks):
        note(f"{len(tasks) - len(left)} of {len(tasks)} replays are done already")
    if left:
        from api.schemas.replays import Replay

        with progress_bar("campaign") as progress:
            for number, (task, summary) in enumerate(run_tasks(left, hands), start=1):
                with written(_file(out, task)) as file:
                    file.write(to_json(Replay.of(summary).document()))
                progress(number / len(left), task.variant.name)
    answer = Campaign.of([(_words(task), read_document(_file(out, task))) for task in tasks])
    from api.export.frames import write_frame

    for name, kind, rows in (("runs", Run, answer.runs), ("figures", Figure, answer.figures)):
        write_frame(out / f"{name}.{written_as}", kind, rows, written_as)
    _draw(out, answer)
    line.answer(answer, answer.tables())
    broken = [one.run for one in answer.runs if not one.sound]
    if broken:
        raise LedgerBroken(f"ledger broken in {len(broken)} replays, {broken[0]} the first")


def _draw(out: Path, answer: Campaign) -> None:
    """Draw the sums by variant, as SVG and PNG."""
    from api.plots import Spread, Sum, sweep

    found: dict[str, list[Spread]] = {name: [] for name in DRAWN}
    for one in answer.figures:
        if one.figure in found:
            found[one.figure].append(
                Spread(variant=one.variant, low=one.low, median=one.median, high=one.high)
            )
    sums = [Sum(**DRAWN[name], spreads=spreads) for name, spreads in found.items()]
    title = f"{len(answer.runs)} replays: median, and 10 to 90 % of them"
    for suffix in ("svg", "png"):
        sweep(out / f"figures.{suffix}", title=title, sums=sums)


def _seeds(text: str) -> list[int]:
    """Read `1-8`, `1,2,5`, or both."""
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if not low.isdecimal() or (high and not high.isdecimal()):
            raise InputError(f"seeds {text!r}; allowed: whole numbers and spans, such as 1-8,12")
        first, last = int(low), int(high or low)
        if not first <= last < first + SEEDS_MAX:
            raise InputError(f"seeds {part!r}; allowed: up to {SEEDS_MAX}, the lower one first")
        found += range(first, last + 1)
    return found


def _varied(text: str) -> tuple[str, list[str]]:
    name, equals, values = text.partition("=")
    if not equals or not name or name in NEVER_VARIED:
        raise InputError(
            f"vary {text!r}; allowed: NAME=V1,V2 of a setting other than {', '.join(NEVER_VARIED)}"
        )
    return name, [value.strip() for value in values.split(",")]


def _bind(out: Path, tasks: Sequence[Task]) -> None:
    """Note what the replays of this folder hang on; more of them may come.

    Raises InputError if one of the same name hangs on something else.
    """
    place = out / PLAN
    known = read_document(place) if place.exists() else {}
    facts = {task.variant.name: _facts(task) for task in tasks}
    for name, now in facts.items():
        before = known.get(name, now)
        other = sorted(one for one in {*before, *now} if before.get(one) != now.get(one))
        if other:
            raise InputError(
                f"{out} has a replay {name} that differs in {', '.join(other)}; allowed: the same"
                " ones, more of them, or a new folder"
            )
    if not known.keys() >= facts.keys():
        with written(place) as file:
            file.write(to_json({**known, **facts}))


def _facts(task: Task) -> dict[str, object]:
    """Return all that the result of a replay hangs on."""
    settings = task.settings.model_dump(mode="json", exclude=set(NEVER_VARIED))
    sets = sorted(one.sha256 for one in task.sets.rows) + [repr(one) for one in task.sets.verdicts]
    return {
        "seed": task.variant.seed,
        "from": task.variant.start.isoformat(),
        "to": task.variant.end.isoformat(),
        "scenario_sha256": _scenario_digest(task.settings.scenario),
        "elements_sha256": hashlib.sha256("\n".join(sets).encode()).hexdigest(),
        **settings,
    }


@functools.cache
def _scenario_digest(name: str) -> str:
    from scheduler.sources.scenarios import load_scenario

    return hashlib.sha256(repr(load_scenario(name)).encode()).hexdigest()


def _file(out: Path, task: Task) -> Path:
    return out / "runs" / f"{task.variant.name}.json"


def _words(task: Task) -> str:
    return ", ".join(f"{name}={value}" for name, value in task.variant.varied.items())
