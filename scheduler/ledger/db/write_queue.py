"""One writer at a time, and one durable commit for all who wait at the same moment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scheduler.ledger.db.failures import refused

GROUP_MAX = 64
"""Pieces of work that share one commit; more would make the first of them wait too long."""

T = TypeVar("T")


class Unit(Protocol):
    """What a piece of work is done with: a transaction inside the common one."""

    def complete(self) -> None:
        """Write the rest, before the commit."""

    def publish(self) -> None:
        """Share what was learnt, after the commit."""


U = TypeVar("U", bound=Unit)


@dataclass(slots=True)
class _Job:
    """A piece of work, and later what became of it."""

    work: Callable[[Any], Any]
    done: bool = False
    result: Any = None
    error: BaseException | None = None


class WriteQueue(Generic[U]):
    """Threads line up here; whoever is first does the work of all behind it and commits once."""

    def __init__(
        self,
        writing: Callable[[], AbstractContextManager[Connection]],
        unit_on: Callable[[Connection], U],
    ) -> None:
        self._writing = writing
        self._unit_on = unit_on
        self._turn = threading.Lock()
        self._waiting: deque[_Job] = deque()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other threads of this process from writing meanwhile."""
        with self._turn:
            yield

    def run(self, work: Callable[[U], T]) -> T:
        """Do the work with whoever waits at the same time; return after the commit."""
        job = _Job(work)
        self._waiting.append(job)
        with self._turn:
            while not job.done:
                self._commit_group()
        if isinstance(job.error, DBAPIError):
            raise refused(job.error) from job.error
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def _commit_group(self) -> None:
        jobs: list[_Job] = []
        good: list[U] = []
        try:
            with self._writing() as connection:
                # Whoever came while other processes wrote shares the commit as well.
                jobs = self._take()
                for job in jobs:
                    unit = self._unit_on(connection)
                    if _attempt(connection, job, unit):
                        good.append(unit)
        except BaseException as error:
            # Nothing was committed: whoever had no error of its own shares this one.
            jobs = jobs or self._take()
            for job in jobs:
                job.error = job.error or error
            if not isinstance(error, Exception):
                raise
        else:
            for unit in good:
                unit.publish()
        finally:
            for job in jobs:
                job.done = True

    def _take(self) -> list[_Job]:
        return [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]


def _attempt(connection: Connection, job: _Job, unit: Unit) -> bool:
    """Do one piece of work inside a savepoint; undo it alone if it fails."""
    savepoint = connection.begin_nested()
    try:
        job.result = job.work(unit)
        unit.complete()
    except Exception as error:  # noqa: BLE001 - handed to the thread whose work it is
        try:
            savepoint.rollback()
        except DBAPIError:
            # A full disk makes SQLite undo the whole transaction, savepoints and all.
            raise error from None
        job.error = error
        return False
    savepoint.commit()
    return True
