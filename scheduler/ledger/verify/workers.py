"""The processes that lend an audit a hand: started, fed, listened to, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, Self

from scheduler.errors import LedgerError, LedgerUnavailable, SchedulerError
from scheduler.ledger.db.snapshot import Address
from scheduler.ledger.vault.keystore import KEK_FILE_VARIABLE, KEK_VARIABLE
from scheduler.ledger.verify.context import AuditContext, Outcome, Part
from scheduler.ledger.verify.worker import BEGUN, Begin

AHEAD = 2
"""Parts that a worker has in hand, so that it never waits for this process."""

BEGIN_TIMEOUT_S = 20.0
"""How long a worker may take to begin; meanwhile an SQLite ledger cannot be written to."""

START = "from scheduler.ledger.verify.worker import main; main()"


@dataclass(slots=True)
class Worker:
    """Another process, the pipe to it, and the places of the parts it has in hand."""

    process: subprocess.Popen[bytes]
    pipe: Connection[Any, Any]
    in_hand: deque[int] = field(default_factory=deque)

    def send(self, message: Any) -> None:
        """Send a message. Raises LedgerError if the process is gone."""
        try:
            self.pipe.send(message)
        except OSError:
            raise self._gone() from None

    def receive(self) -> Any:
        """The next answer. Raises LedgerError if the process is gone, or what it raised."""
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if isinstance(answer, SchedulerError):
            raise answer
        return answer

    def _gone(self) -> LedgerError:
        status = self.process.wait()
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        return LedgerError(
            f"a worker of this verification ended before its time ({how}), so it is not known"
            " whether the ledger is sound; verify it again, with fewer workers if need be"
        )


class WorkerPool:
    """The workers of one audit; they end with it."""

    def __init__(self, address: Address, count: int) -> None:
        self._workers: list[Worker] = []
        try:
            for _ in range(count):
                worker = _start()
                self._workers.append(worker)
                worker.send(address)
        except BaseException:
            self._end()
            raise
        self._starting = list(self._workers)
        self.has_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        for worker in self._workers:
            worker.process.kill()
            worker.process.wait()
            worker.pipe.close()

    def is_ready(self) -> bool:
        """True once every worker can begin."""
        for worker in list(self._starting):
            if worker.pipe.poll():
                worker.receive()
                self._starting.remove(worker)
        return not self._starting

    def begin(self, exported: str | None = None) -> None:
        """Have every worker begin to read, as the ledger stands or as PostgreSQL exported it."""
        for worker in self._workers:
            worker.send(Begin(exported))
        for worker in self._workers:
            if not worker.pipe.poll(BEGIN_TIMEOUT_S) or worker.receive() != BEGUN:
                raise LedgerUnavailable(
                    f"a worker of this verification did not begin within {BEGIN_TIMEOUT_S:.0f} s"
                )
        self.has_begun = True

    def tell(self, context: AuditContext) -> None:
        """Tell every worker what all parts need to know."""
        for worker in self._workers:
            worker.send(context)

    def hand_out(self, parts: list[Part], todo: deque[int]) -> None:
        """Give every worker enough to do."""
        for worker in self._workers:
            while todo and len(worker.in_hand) < AHEAD:
                place = todo.popleft()
                worker.send(parts[place])
                worker.in_hand.append(place)

    def collect(self, *, waiting: bool) -> Iterator[tuple[int, Outcome]]:
        """What the workers have found by now; if `waiting`, what at least one of them has."""
        busy = [worker for worker in self._workers if worker.in_hand]
        answered = wait([worker.pipe for worker in busy], None if waiting else 0)
        for worker in busy:
            if worker.pipe in answered:
                outcome = worker.receive()
                yield worker.in_hand.popleft(), outcome

    @property
    def is_busy(self) -> bool:
        """True while an answer is due."""
        return any(worker.in_hand for worker in self._workers)


def _start() -> Worker:
    """Start a worker; what it must know goes over a socket that only the two of them have."""
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for name in (KEK_VARIABLE, KEK_FILE_VARIABLE):
        environment.pop(name, None)
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", START],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env=environment,
        )
    return Worker(process, ours)
