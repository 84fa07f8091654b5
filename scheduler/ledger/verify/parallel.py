"""Several processes that audit one state of a ledger together.

This process is at work while the others, lent by an executor, start. They must all see the same
state. PostgreSQL hands a snapshot from one session to another. SQLite does not, so the helpers
begin to read while nobody can write. Whether anybody wrote since this process had begun to read,
SQLite tells; if so, all begin anew, now that all are there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from multiprocessing import connection as pipes
from typing import Any

from sqlalchemy import Connection, Engine

from scheduler.domain import VerifyReport
from scheduler.errors import LedgerError, LedgerUnavailable, SchedulerError
from scheduler.ledger.counter import Count
from scheduler.ledger.db.engine import sqlite_file
from scheduler.ledger.db.snapshot import Address, Snapshot, snapshot_of
from scheduler.ledger.vault.keyring import Keyring
from scheduler.ledger.verify.context import AuditContext, Outcome, Shard
from scheduler.ledger.verify.helper import BEGUN, Begin, help_audit
from scheduler.ledger.verify.run import Progress, Take, verify
from scheduler.ledger.verify.shards import check_shard

AHEAD = 2
"""Shards that a helper has in hand, so that it never waits for this process."""

BEGIN_TIMEOUT_S = 20.0
"""How long a helper may take to begin; meanwhile an SQLite ledger cannot be written to."""

Alone = Callable[[], AbstractContextManager[None]]
"""Keeps the other threads of this process from writing."""


class Moved(Exception):
    """The ledger was written to before all had begun to read it."""


def verify_together(
    engine: Engine,
    ring: Keyring | None,
    alone: Alone,
    executor: Executor,
    helpers: int,
    progress: Progress | None = None,
    last: Count | None = None,
) -> VerifyReport:
    """Audit a ledger with so many processes of an executor's beside this one.

    Raises LedgerError if one of them ends before its time: then nothing is said of the ledger.
    """
    with (
        Helpers(executor, _address_of(engine), helpers) as crew,
        _guard_of(engine) as guard,
    ):
        while True:
            with engine.connect() as connection, connection.begin():
                together = _Together(connection, crew, guard, alone)
                try:
                    return verify(connection, ring, progress, together, last)
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


@contextmanager
def _guard_of(engine: Engine) -> Iterator[Connection | None]:
    """A connection by which all others can be kept from writing; PostgreSQL needs none."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as guard:
            yield guard.execution_options(ledger_writes=True)
    else:
        yield None


@dataclass(slots=True)
class Helper:
    """A process of the executor's, the pipe to it, and the places of the shards it has in hand."""

    pipe: pipes.Connection[Any, Any]
    theirs: pipes.Connection[Any, Any]
    future: Future[None]
    ready: bool = False
    in_hand: deque[int] = field(default_factory=deque)

    def is_ready(self) -> bool:
        """True once it can begin. Raises LedgerError if it never will."""
        if not self.ready and self.pipe.poll():
            self.receive()
            self.ready = True
            # It has its own end by now; once that closes, this process must hear of it.
            self.theirs.close()
        elif self.future.done():
            raise _gone(self.future)
        return self.ready

    def send(self, message: Any) -> None:
        """Send a message. Raises LedgerError if the process is gone."""
        try:
            self.pipe.send(message)
        except OSError:
            raise _gone(self.future) from None

    def receive(self) -> Any:
        """The next answer. Raises LedgerError if the process is gone, or what it raised."""
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            raise _gone(self.future) from None
        if isinstance(answer, SchedulerError):
            raise answer
        return answer


def _gone(future: Future[None]) -> LedgerError:
    error = future.exception(BEGIN_TIMEOUT_S)
    how = "it was killed" if isinstance(error, BrokenProcessPool) else type(error).__name__
    return LedgerError(
        f"a worker of this verification ended before its time ({how}), so it is not known"
        " whether the ledger is sound; verify it again, with fewer workers if need be"
    )


class Helpers:
    """The processes that lend one audit a hand; they are free again when it ends."""

    def __init__(self, executor: Executor, address: Address, count: int) -> None:
        self._helpers: list[Helper] = []
        for _ in range(count):
            ours, theirs = pipes.Pipe()
            future = executor.submit(help_audit, theirs, address)
            self._helpers.append(Helper(ours, theirs, future))
        self.have_begun = False

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers:
            helper.future.cancel()
            helper.pipe.close()
            helper.theirs.close()

    def are_ready(self) -> bool:
        """True once every one of them can begin."""
        return all(helper.is_ready() for helper in self._helpers)

    def begin(self, exported: str | None) -> None:
        """Have all begin to read, as the ledger stands or as PostgreSQL exported it."""
        for helper in self._helpers:
            helper.send(Begin(exported))
        for helper in self._helpers:
            if not helper.pipe.poll(BEGIN_TIMEOUT_S) or helper.receive() != BEGUN:
                raise LedgerUnavailable(
                    f"a worker of this verification did not begin within {BEGIN_TIMEOUT_S:.0f} s"
                )
        self.have_begun = True

    def tell(self, context: AuditContext) -> None:
        """Tell all what every shard needs to know."""
        for helper in self._helpers:
            helper.send(context)

    def hand_out(self, shards: list[Shard], todo: deque[int]) -> None:
        """Give everyone enough to do."""
        for helper in self._helpers:
            while todo and len(helper.in_hand) < AHEAD:
                place = todo.popleft()
                helper.send(shards[place])
                helper.in_hand.append(place)

    def collect(self, *, waiting: bool) -> Iterator[tuple[int, Outcome]]:
        """What they have found by now; if `waiting`, what at least one of them has."""
        busy = [helper for helper in self._helpers if helper.in_hand]
        answered = pipes.wait([helper.pipe for helper in busy], None if waiting else 0)
        for helper in busy:
            if helper.pipe in answered:
                outcome = helper.receive()
                yield helper.in_hand.popleft(), outcome

    @property
    def are_busy(self) -> bool:
        """True while an answer is due."""
        return any(helper.in_hand for helper in self._helpers)


class _Together:
    """One attempt at an audit: shards are checked here and, once they can, by the helpers."""

    def __init__(
        self, connection: Connection, helpers: Helpers, guard: Connection | None, alone: Alone
    ) -> None:
        self._helpers = helpers
        self._guard = guard
        self._alone = alone
        self._exported: str | None = None
        self._version = 0
        self._joined = False
        if guard is None:
            export = connection.exec_driver_sql("SELECT pg_export_snapshot()")
            self._exported = export.scalar_one()
            return
        with self._nobody_writes(guard) as self._version:
            snapshot_of(connection).hold()
            if helpers.are_ready():
                helpers.begin(None)
                self._joined = True

    @contextmanager
    def _nobody_writes(self, guard: Connection) -> Iterator[int]:
        """The number given is another one once anybody has written."""
        with self._alone(), guard.begin():
            yield guard.exec_driver_sql("PRAGMA data_version").scalar_one()

    def join(self) -> None:
        """Let the helpers see what this process sees. Raises Moved if it is the past by now."""
        if self._guard is None:
            self._helpers.begin(self._exported)
        elif not self._joined:
            with self._nobody_writes(self._guard) as version:
                if version != self._version:
                    raise Moved
                self._helpers.begin(None)

    def __call__(
        self, snapshot: Snapshot, context: AuditContext, shards: list[Shard], take: Take
    ) -> None:
        """Check every shard; raises Moved if the ledger was written to before all could begin."""
        # Whole tables come first: the longest of all shards must not be the last.
        todo = deque(sorted(range(len(shards)), key=lambda place: not shards[place].is_whole))
        helped = False
        while todo or self._helpers.are_busy:
            if not helped and self._helpers.are_ready():
                self.join()
                self._helpers.tell(context)
                helped = True
            if helped:
                self._helpers.hand_out(shards, todo)
                for place, outcome in self._helpers.collect(waiting=not todo):
                    take(place, outcome)
                self._helpers.hand_out(shards, todo)
            if todo:
                place = todo.popleft()
                take(place, check_shard(snapshot, context, shards[place]))
