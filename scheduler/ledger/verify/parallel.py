"""Several processes that audit one state of a ledger together.

The first of them is this one, at work while the others start. They must all see the same state.
PostgreSQL hands a snapshot from one session to another. SQLite does not, so the workers begin
to read while nobody can write. Whether anybody wrote since this process had begun to read,
SQLite tells; if so, all begin anew, now that all are there.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine

from scheduler.domain import VerifyReport
from scheduler.errors import InputError
from scheduler.ledger.db.engine import sqlite_file
from scheduler.ledger.db.snapshot import Address, Snapshot, snapshot_of
from scheduler.ledger.vault.keystore import KeyEncryptionKey
from scheduler.ledger.verify.context import AuditContext, Part
from scheduler.ledger.verify.run import Progress, Take, verify
from scheduler.ledger.verify.shards import check_part
from scheduler.ledger.verify.workers import WorkerPool

WORKERS_MAX = 64

ROWS_PER_WORKER = 30_000
"""Rows that are worth the start of another process: checking them takes a few times as long."""

Alone = Callable[[], AbstractContextManager[None]]
"""Keeps the other threads of this process from writing."""


class Moved(Exception):
    """The ledger was written to before all had begun to read it."""


def workers_for(wanted: int | None, rows: int) -> int:
    """How many processes audit a ledger of so many rows. Raises InputError for a wrong number."""
    if wanted is not None:
        if not 1 <= wanted <= WORKERS_MAX:
            raise InputError(f"{wanted} workers; allowed: 1 to {WORKERS_MAX}")
        return wanted
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return max(1, min(cores, rows // ROWS_PER_WORKER, WORKERS_MAX))


def verify_together(
    engine: Engine,
    kek: KeyEncryptionKey,
    alone: Alone,
    workers: int,
    progress: Progress | None = None,
) -> VerifyReport:
    """Audit a ledger with so many processes, this one among them.

    Raises LedgerError if one of them ends before its time: then nothing is said of the ledger.
    """
    with (
        WorkerPool(_address_of(engine), workers - 1) as pool,
        _moment_of(engine, alone) as moment,
    ):
        while True:
            with engine.connect() as connection, connection.begin():
                moment.begin(connection, pool)
                try:
                    return verify(connection, kek, progress, _Together(pool, moment))
                except Moved:
                    continue


def _address_of(engine: Engine) -> Address:
    file = sqlite_file(engine)
    if file is not None:
        return Address(file=file)
    _, server = engine.dialect.create_connect_args(engine.url)
    # SQLAlchemy puts type adapters of its own beside the words and numbers.
    plain = {name: value for name, value in server.items() if isinstance(value, (str, int))}
    return Address(server=plain)


class _Moment(Protocol):
    """How all see one state of a ledger."""

    def begin(self, connection: Connection, workers: WorkerPool) -> None:
        """Fix what this process sees, and what the workers see if they are ready."""

    def join(self, workers: WorkerPool) -> None:
        """Let the workers see the same. Raises Moved if it is the past by now."""


@contextmanager
def _moment_of(engine: Engine, alone: Alone) -> Iterator[_Moment]:
    if engine.dialect.name == "sqlite":
        with engine.connect() as guard:
            yield _StillMoment(guard.execution_options(ledger_writes=True), alone)
    else:
        yield _ExportedMoment()


class _ExportedMoment:
    """PostgreSQL: whoever comes later sees what this process sees."""

    def __init__(self) -> None:
        self._exported = ""

    def begin(self, connection: Connection, workers: WorkerPool) -> None:
        """Fix what this process sees, and what the workers see if they are ready."""
        self._exported = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        if workers.is_ready():
            self.join(workers)

    def join(self, workers: WorkerPool) -> None:
        """Let the workers see the same."""
        workers.begin(self._exported)


class _StillMoment:
    """SQLite: all begin while this process keeps everybody from writing."""

    def __init__(self, guard: Connection, alone: Alone) -> None:
        self._guard = guard
        self._alone = alone
        self._version = 0

    @contextmanager
    def _still(self) -> Iterator[int]:
        """Nobody writes. The number given is another one once anybody has written."""
        with self._alone(), self._guard.begin():
            yield self._guard.exec_driver_sql("PRAGMA data_version").scalar_one()

    def begin(self, connection: Connection, workers: WorkerPool) -> None:
        """Fix what this process sees, and what the workers see if they are ready."""
        with self._still() as self._version:
            snapshot_of(connection).hold()
            if workers.is_ready():
                workers.begin()

    def join(self, workers: WorkerPool) -> None:
        """Let the workers see the same. Raises Moved if it is the past by now."""
        with self._still() as version:
            if version != self._version:
                raise Moved
            workers.begin()


class _Together:
    """Checks parts in this process and, once they have begun, in those of a workers."""

    def __init__(self, workers: WorkerPool, moment: _Moment) -> None:
        self._crew = workers
        self._moment = moment
        self._told = False

    def __call__(
        self, snapshot: Snapshot, context: AuditContext, parts: list[Part], take: Take
    ) -> None:
        """Check every part; raises Moved if the ledger was written to before all could begin."""
        # Whole tables come first: the longest of all parts must not be the last.
        todo = deque(sorted(range(len(parts)), key=lambda place: not parts[place].is_whole))
        while todo or self._crew.is_busy:
            if self._has_joined(context):
                self._crew.hand_out(parts, todo)
                for place, outcome in self._crew.collect(waiting=not todo):
                    take(place, outcome)
                self._crew.hand_out(parts, todo)
            if todo:
                place = todo.popleft()
                take(place, check_part(snapshot, context, parts[place]))

    def _has_joined(self, context: AuditContext) -> bool:
        """True once the workers see what this process sees, and know what it knows."""
        if self._told or not self._crew.is_ready():
            return self._told
        if not self._crew.has_begun:
            self._moment.join(self._crew)
        self._crew.tell(context)
        self._told = True
        return True
