"""Killing workers at random points, restarting them, and counting what was lost or doubled."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.ledger import open_ledger
from scheduler.ledger.vault.keystore import LocalKek
from tests.faults import history, worker

ROUNDS = 1_000_000
DELAY_S = (0.0, 0.35)
"""A worker is killed so long after it began to write; a round takes about as long."""

WHILE_OPENING = 0.1
"""Share of the kills that meet a worker before its first request."""


@dataclass(slots=True)
class FaultReport:
    """What was done to the ledger, and what it lost."""

    store: str
    kills: int = 0
    interrupted: Counter[str] = field(default_factory=Counter)  #: kills by the request they met
    committed_unanswered: int = 0  #: committed, but the answer was lost; found again on retry
    requests: int = 0
    keys_delivered: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The report as a few lines for people."""
        met = ", ".join(f"{kind} {count}" for kind, count in sorted(self.interrupted.items()))
        return (
            f"{self.store}: {self.kills} SIGKILLs (in the middle of: {met})\n"
            f"  requests answered {self.requests}, keys delivered {self.keys_delivered},"
            f" answers lost after the commit and found again {self.committed_unanswered}\n"
            f"  commits lost: {len(self.lost)}; delivered twice: {len(self.doubled)};"
            f" problems found by verify: {len(self.broken)}"
        )


def kill_workers(
    url: str, kek: bytes, folder: Path, *, kills: int, seed: int, store: str
) -> FaultReport:
    """Start a worker, kill it at a random point, and again; then look at what is left."""
    spawner = multiprocessing.get_context("forkserver")
    spawner.set_forkserver_preload(["tests.faults.worker"])
    chance = random.Random(seed)
    path = folder / "history.jsonl"
    path.touch()
    report = FaultReport(store)
    first = 0
    while report.kills < kills:
        size = path.stat().st_size
        process = spawner.Process(
            target=worker.work, args=(url, kek, str(path), first, ROUNDS), daemon=True
        )
        process.start()
        opening = chance.random() < WHILE_OPENING
        while not opening and path.stat().st_size == size and process.is_alive():
            time.sleep(0.001)
        time.sleep(chance.uniform(*DELAY_S))
        assert process.is_alive(), f"worker ended by itself with {process.exitcode}"
        process.kill()
        process.join()
        report.kills += 1
        if path.stat().st_size == size:
            report.interrupted["opening"] += 1
            continue
        last = history.read(path)[-1]
        report.interrupted[last.kind if last.what == "intent" else "between two"] += 1
        first = int(last.request.partition("/")[2])
    # One last round lets every interrupted request come to its answer.
    process = spawner.Process(target=worker.work, args=(url, kek, str(path), first, first + 2))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    return _judge(report, url, kek, path)


def _judge(report: FaultReport, url: str, kek: bytes, path: Path) -> FaultReport:
    events = history.read(path)
    answered = {event.request for event in events if event.what == "ok"}
    replayed = {event.request for event in events if event.what == "replayed"}
    report.requests = len(answered | replayed)
    report.committed_unanswered = len(replayed - answered)
    report.keys_delivered = sum(len(event.keys) for event in events)
    report.doubled = history.problems(events)
    with open_ledger(url, kek=LocalKek(kek), key_folder=path.with_name("keys")) as ledger:
        report.lost = history.lost(events, ledger)
        report.broken = list(ledger.view.verify().problems)
    return report
