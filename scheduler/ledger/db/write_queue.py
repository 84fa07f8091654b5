"""One writer at a time, and one durable commit for all who wait at the same moment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection, NestedTransaction
from sqlalchemy.exc import DBAPIError

from scheduler.ledger.db.failures import refused

GROUP_MAX = 64
"""Pieces of work that share one commit; more would make the first of them wait too long."""

T = TypeVar("T")


class Unit(Protocol):
    """What pieces of work are done with: one transaction for all of them."""

    def complete(self) -> None:
        """Write the rest, before the commit."""

    def publish(self) -> None:
        """Share what was learnt, after the commit."""


U = TypeVar("U", bound=Unit)


class _Group:
    """Transactions that share one commit; it counts once it is on disk."""

    def __init__(self, units: list[Any], settle: Callable[[], None]) -> None:
        self._units = units
        self._settle = settle  #: returns once it is
        self._guard = threading.Lock()
        self._over = False

    def end(self) -> None:
        """Return once it is on disk; whoever comes first sees to it and publishes."""
        with self._guard:
            if not self._over:
                self._settle()
                for unit in self._units:
                    unit.publish()
                self._over = True


@dataclass(slots=True)
class _Job:
    """A piece of work, and later what became of it."""

    work: Callable[[Any], Any]
    done: bool = False
    result: Any = None
    error: BaseException | None = None
    group: _Group | None = None
    future: Future[Any] | None = None  #: of whoever does not wait in a thread

    def end(self) -> Any:
        """The result, once it is on disk. Raises what came in between."""
        if self.group is not None:
            self.group.end()
        if isinstance(self.error, DBAPIError):
            raise refused(self.error) from self.error
        if self.error is not None:
            raise self.error
        return self.result

    def tell(self) -> None:
        """Tell whoever waits for the future, once it is on disk."""
        assert self.future is not None
        try:
            self.future.set_result(self.end())
        except BaseException as error:  # noqa: BLE001 - handed to whose work it is
            self.future.set_exception(error)


class WriteQueue(Generic[U]):
    """Threads line up here; whoever is first does the work of all behind it and commits once.

    The next group works while the disk takes what the last one wrote: what `settle` gives returns
    once everything is there that was committed before it was asked.
    """

    def __init__(
        self,
        writing: Callable[[], AbstractContextManager[Connection]],
        unit_on: Callable[[Connection], U],
        settle: Callable[[], Callable[[], None]] = lambda: _nothing,
    ) -> None:
        self._writing = writing
        self._unit_on = unit_on
        self._settle = settle
        self._turn = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._some: SimpleQueue[bool] = SimpleQueue()  #: to do for the thread that writes
        self._writer: threading.Thread | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other threads of this process from writing meanwhile."""
        with self._turn:
            yield

    def run(self, work: Callable[[U], T]) -> T:
        """Do the work with whoever waits at the same time; return once it is on disk."""
        job = _Job(work)
        self._waiting.append(job)
        with self._turn:
            others: list[_Job] = []
            while not job.done:
                others += self._commit_group()
        _tell(others)
        result: T = job.end()
        return result

    def submit(self, work: Callable[[U], T]) -> Future[T]:
        """As `run`, without a thread that waits: one of the queue's own does all such work.

        It waits for the disk after each group, so that the next is the larger.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # what is committed is not called off
        self._waiting.append(_Job(work, future=future))
        if self._writer is None:
            with self._turn:
                if self._writer is None:
                    # A daemon: an open ledger must not keep its process alive.
                    self._writer = threading.Thread(
                        target=self._write, name="skytrunk-writer", daemon=True
                    )
                    self._writer.start()
        self._some.put(True)
        return future

    def close(self) -> None:
        """Answer what was submitted, and end the thread."""
        if self._writer is not None:
            self._some.put(False)
            self._writer.join()
            self._writer = None

    def _write(self) -> None:
        while self._some.get():
            if self._waiting:
                with self._turn:
                    submitted = self._commit_group()
                _tell(submitted)

    def _commit_group(self) -> list[_Job]:
        """Do the work of those who wait, the first GROUP_MAX; return what was submitted."""
        jobs: list[_Job] = []
        try:
            with self._writing() as connection:
                # Whoever came while other processes wrote shares the commit as well.
                jobs = self._take()
                units = _together(connection, jobs, self._unit_on)
        except BaseException as error:
            # Nothing was committed: whoever had no error of its own shares this one.
            jobs = jobs or self._take()
            for job in jobs:
                job.error = job.error or error
            if not isinstance(error, Exception):
                raise
        else:
            group = _Group(units, self._settle())
            for job in jobs:
                job.group = group
        finally:
            for job in jobs:
                job.done = True
        return [job for job in jobs if job.future is not None]

    def _take(self) -> list[_Job]:
        return [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]


def _tell(jobs: Iterable[_Job]) -> None:
    for job in jobs:
        job.tell()


def _nothing() -> None:
    """What is committed is on disk at once."""


def _together(
    connection: Connection, jobs: list[_Job], unit_on: Callable[[Connection], U]
) -> list[U]:
    """Do all of the work in one transaction; if any of it fails, each in one of its own.

    Rows of many go out together then, and the log grows once. Returns the transactions that hold.
    """
    unit = unit_on(connection)
    savepoint = connection.begin_nested() if len(jobs) > 1 else None
    try:
        for job in jobs:
            job.result = job.work(unit)
        unit.complete()
    except Exception as error:
        if savepoint is None:
            raise
        _undo(savepoint, error)
    else:
        if savepoint is not None:
            savepoint.commit()
        return [unit]
    units = [unit_on(connection) for _ in jobs]
    return [unit for job, unit in zip(jobs, units, strict=True) if _attempt(connection, job, unit)]


def _attempt(connection: Connection, job: _Job, unit: Unit) -> bool:
    """Do one piece of work inside a savepoint; undo it alone if it fails."""
    savepoint = connection.begin_nested()
    try:
        job.result = job.work(unit)
        unit.complete()
    except Exception as error:  # noqa: BLE001 - handed to the thread whose work it is
        _undo(savepoint, error)
        job.error = error
        return False
    savepoint.commit()
    return True


def _undo(savepoint: NestedTransaction, error: Exception) -> None:
    try:
        savepoint.rollback()
    except DBAPIError:
        # A full disk makes SQLite undo the whole transaction, savepoints and all.
        raise error from None
