"""Many replays by many hands: what differs, and what comes of each, whoever did it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from scheduler.clock import SimulatedClock
from scheduler.domain import ReplaySummary, Variant
from scheduler.errors import InputError
from scheduler.replay import Progress, run_replay
from scheduler.services.context import Context
from scheduler.services.set_copies import StoredSets, copy_sets

if TYPE_CHECKING:
    from scheduler.settings import Settings

VARIANTS_MAX = 10_000
LOSSES_MAX = 3
"""Times in a row that all hands may be lost before anything is done."""
Span = tuple[datetime, datetime]
Hands = Callable[[], AbstractContextManager[Executor]]
"""Opens executors: processes of this machine, or workers of a cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A variant and all the settings that its replay needs."""

    variant: Variant
    settings: Settings
    sets: StoredSets  #: that the replay knows besides the packaged ones


def variants(
    spans: Sequence[Span], seeds: Sequence[int], varied: Mapping[str, Sequence[str]]
) -> tuple[Variant, ...]:
    """Return every combination of times, settings and seeds, in that order; seeds run fastest.

    Raises InputError for something that is there twice, or more than VARIANTS_MAX of them.
    """
    for what, given in {"seeds": seeds, "times": spans, **varied}.items():
        if not given or len(set(given)) != len(given):
            shown = ", ".join(map(str, given))
            raise InputError(f"{what} {shown}; allowed: one or more, each once")
    found = []
    for (start, end), values, seed in product(spans, product(*varied.values()), seeds):
        chosen = dict(zip(varied, values, strict=True))
        parts = [f"{start:%Y-%m-%d}"] if len(spans) > 1 else []
        parts += [f"{name}={_filed(value)}" for name, value in chosen.items()]
        name = "_".join([*parts, f"seed={seed}"])
        found.append(Variant(name=name, seed=seed, start=start, end=end, varied=chosen))
    names = [one.name for one in found]
    if len(found) > VARIANTS_MAX or len(set(names)) != len(names):
        raise InputError(
            f"{len(found)} replays of {len(set(names))} names; allowed: up to {VARIANTS_MAX},"
            " each of a name of its own"
        )
    return tuple(found)


def _filed(value: str) -> str:
    """Return a value as it stands in a file's name: of a path, what its file is called."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", Path(value).stem if "/" in value else value)


def run_task(task: Task, progress: Progress | None = None) -> ReplaySummary:
    """Replay one variant in a ledger of its own, which is thrown away."""
    one = task.variant
    with TemporaryDirectory(prefix="skytrunk-") as folder:
        url = f"sqlite:///{Path(folder) / 'replay.db'}"
        settings = task.settings.model_copy(update={"database_url": url, "key_folder": None})
        with Context(settings, clock=SimulatedClock(one.start)) as context:
            copy_sets(context, task.sets)
        return run_replay(settings, start=one.start, end=one.end, seed=one.seed, progress=progress)


def run_tasks(tasks: Sequence[Task], hands: Hands) -> Iterator[tuple[Task, ReplaySummary]]:
    """Yield each task with what came of it, as they are done.

    A task whose worker died is done anew; what was done stays done. Raises BrokenExecutor where
    all hands were lost LOSSES_MAX times in a row without a task done in between.
    """
    left = {task.variant.name: task for task in tasks}
    losses = 0
    while left:
        before = len(left)
        try:
            with hands() as pool:
                yield from _each_done(pool, left)
        except BrokenExecutor:
            losses = 0 if len(left) < before else losses + 1
            if losses >= LOSSES_MAX:
                raise


def _each_done(pool: Executor, left: dict[str, Task]) -> Iterator[tuple[Task, ReplaySummary]]:
    waiting: dict[Future[ReplaySummary], Task] = {
        pool.submit(run_task, task): task for task in left.values()
    }
    try:
        for future in as_completed(waiting):
            task = waiting.pop(future)
            summary = future.result()
            del left[task.variant.name]
            yield task, summary
    finally:
        for future in waiting:
            future.cancel()
