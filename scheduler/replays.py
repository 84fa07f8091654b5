"""Replays that a server has run for people: each a process and a ledger of its own, in a folder."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from orbits import as_utc
from scheduler.clock import SystemClock
from scheduler.domain import ReplayRun, ReplayState, instant_key
from scheduler.errors import InputError, SchedulerError, UnknownName, WrongState
from scheduler.settings import Settings

if TYPE_CHECKING:
    from scheduler.domain import ReplaySummary
    from scheduler.services.context import Context

# A server imports this at its start and mostly runs no replay: what replays need, which takes half
# a second to import, is imported by the functions that replay or add one up.

DAYS_MAX = 400
"""Longest replay that is started over HTTP; the command line takes longer ones."""
RUNS_MAX = 200
ASKED, PROGRESS, LOCK, LEDGER = "asked.json", "progress.json", "lock", "replay.db"
RUN_ID = re.compile(r"[0-9]{8}-[0-9]{8}-[a-z-]+-[0-9a-f]{8}\Z")
KEPT = (
    "scenario", "planner", "objective", "weather", "weather_file", "risk_aversion", "bound",
    "track_step_s", "max_element_age_days", "ut1_file", "plan_days_max",
)  # fmt: skip
"""The settings that a replay takes over from the server."""

_children: dict[str, subprocess.Popen[bytes]] = {}
"""By replay; those that ended are asked, so that nothing of them stays."""


def start_replay(
    context: Context,
    *,
    start: datetime,
    end: datetime,
    seed: int = 1,
    objective: str | None = None,
    planner: str | None = None,
) -> ReplayRun:
    """Start a replay of the scenario over [start, end), and return how it stands.

    It goes on if the server stops. Raises InputError for times that cannot be, WrongState while
    another one runs: two would only take longer.
    """
    start, end = as_utc(start), as_utc(end)
    if not start < end:
        raise InputError(
            f"to {instant_key(end)} is not after from; allowed: an end after its start"
        )
    if end - start > timedelta(days=DAYS_MAX):
        raise InputError(f"to: {(end - start).days} days; allowed: up to {DAYS_MAX}")
    running = [one for one in list_replays(context) if one.state is ReplayState.RUNNING]
    if running:
        raise WrongState(f"replay {running[0].replay_id} is running; allowed: one at a time")
    settings = {name: getattr(context.settings, name) for name in KEPT}
    settings |= {k: v for k, v in (("objective", objective), ("planner", planner)) if v}
    folder = _folder(context) / (
        f"{start:%Y%m%d}-{end:%Y%m%d}-{settings['objective']}-{uuid4().hex[:8]}"
    )
    folder.mkdir(parents=True, mode=0o700)
    asked = {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "seed": seed,
        "asked_at": SystemClock().now().isoformat(),  # of the machine: in the order of asking
        "settings": {k: str(v) if isinstance(v, Path) else v for k, v in settings.items()},
    }
    (folder / ASKED).write_text(json.dumps(asked), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SKYTRUNK_")}
    _children[folder.name] = subprocess.Popen(
        [sys.executable, "-m", "scheduler.replays", str(folder.resolve())],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return _run_of(folder, just_started=True)


def list_replays(context: Context) -> list[ReplayRun]:
    """Every replay that was started here, in the order of their beginning."""
    for one in _children.values():
        one.poll()
    folders = [one for one in _folders(context) if (one / ASKED).exists()]
    return sorted(map(_run_of, folders), key=lambda one: (one.asked_at, one.replay_id))


def get_replay(context: Context, replay_id: str) -> tuple[ReplayRun, ReplaySummary | None]:
    """One replay, and what it came to if it is done. Raises UnknownName."""
    folder = _folder(context) / replay_id
    if not RUN_ID.match(replay_id) or not (folder / ASKED).exists():
        raise UnknownName(f"replay_id {replay_id[:80]!r} is not known; /replays has the known ones")
    run = _run_of(folder)
    if run.state is not ReplayState.DONE:
        return run, None
    from scheduler.services.context import Context
    from scheduler.services.replays import summarise

    with Context(_settings(folder)) as inner:
        return run, summarise(inner, start=run.start, end=run.end, seed=run.seed, continued=False)


def _folder(context: Context) -> Path:
    return context.settings.replays_folder


def _folders(context: Context) -> list[Path]:
    try:
        found = [one for one in _folder(context).iterdir() if RUN_ID.match(one.name)]
    except FileNotFoundError:
        return []
    return sorted(found)[-RUNS_MAX:]


def _settings(folder: Path) -> Settings:
    asked = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    return Settings(**asked["settings"], database_url=f"sqlite:///{folder / LEDGER}")


def _run_of(folder: Path, *, just_started: bool = False) -> ReplayRun:
    """How a replay stands: it runs while its process holds the lock."""
    asked: dict[str, Any] = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    told: dict[str, Any] = {}
    with suppress(FileNotFoundError, ValueError):
        told = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    state = ReplayState(told.get("state", ReplayState.RUNNING))
    if state is ReplayState.RUNNING and not just_started and not _is_held(folder):
        state = ReplayState.INTERRUPTED
    return ReplayRun(
        replay_id=folder.name,
        scenario=asked["settings"]["scenario"],
        objective=asked["settings"]["objective"],
        planner=asked["settings"]["planner"],
        seed=asked["seed"],
        start=datetime.fromisoformat(asked["start"]),
        end=datetime.fromisoformat(asked["end"]),
        asked_at=datetime.fromisoformat(asked["asked_at"]),
        state=state,
        part_done=float(told.get("part", 0.0)),
        reason=str(told.get("reason", "")),
    )


def _is_held(folder: Path) -> bool:
    """Whether a process works at a replay; one that was started a moment ago may not yet."""
    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        child = _children.get(folder.name)
        return child is not None and child.poll() is None
    except BlockingIOError:
        return True


def work(folder: Path) -> None:
    """Run the replay of a folder, and write down how far it is."""
    from scheduler.replay import run_replay

    asked = json.loads((folder / ASKED).read_text(encoding="utf-8"))

    def note(state: ReplayState, part: float, reason: str = "") -> None:
        text = json.dumps({"state": state.value, "part": part, "reason": reason})
        fresh = folder / f"{PROGRESS}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(folder / PROGRESS)

    with (folder / LOCK).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        note(ReplayState.RUNNING, 0.0)
        try:
            run_replay(
                _settings(folder),
                start=datetime.fromisoformat(asked["start"]),
                end=datetime.fromisoformat(asked["end"]),
                seed=asked["seed"],
                progress=lambda part, _: note(ReplayState.RUNNING, part),
            )
        except (SchedulerError, ValueError, OSError) as error:
            note(ReplayState.FAILED, 0.0, f"{type(error).__name__}: {error}"[:500])
        else:
            note(ReplayState.DONE, 1.0)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
