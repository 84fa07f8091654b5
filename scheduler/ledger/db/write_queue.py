"""One writer at a time, and one durable commit for all who wait at the same moment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scheduler.ledger.db.failures import refused
from scheduler.ledger.transaction import Transaction
from scheduler.ledger.writer import Books

GROUP_MAX = 64
"""Pieces of work that share one commit; more would make the first of them wait too long."""

T = TypeVar("T")


@dataclass(slots=True)
class _Job:
    """A piece of work, and later what became of it."""

    work: Callable[[Transaction], Any]
    done: bool = False
    result: Any = None
    error: BaseException | None = None


class WriterQueue:
    """Threads line up here; whoever is first does the work of all behind it and commits once."""

    def __init__(
        self,
        writing: Callable[[], AbstractContextManager[Connection]],
        books: Callable[[], Books],
    ) -> None:
        self._writing = writing
        self._books = books
        self._turn = threading.Lock()
        self._waiting: deque[_Job] = deque()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other threads of this process from writing meanwhile."""
        with self._turn:
            yield

    def run(self, work: Callable[[Transaction], T]) -> T:
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
        jobs = [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]
        good: list[tuple[_Job, Books]] = []
        try:
            with self._writing() as connection:
                for job in jobs:
                    books = self._books()
                    if _attempt(connection, job, books):
                        good.append((job, books))
        except BaseException as error:
            # Nothing was committed: whoever had no error of its own shares this one.
            for job in jobs:
                job.error = job.error or error
            if not isinstance(error, Exception):
                raise
        else:
            for _, books in good:
                books.publish()
        finally:
            for job in jobs:
                job.done = True


def _attempt(connection: Connection, job: _Job, books: Books) -> bool:
    """Do one piece of work inside a savepoint; undo it alone if it fails."""
    savepoint = connection.begin_nested()
    try:
        transaction = Transaction(connection, books)
        job.result = job.work(transaction)
        transaction.complete()
    except Exception as error:  # noqa: BLE001 - handed to the thread that asked for the work
        try:
            savepoint.rollback()
        except DBAPIError:
            # A full disk makes SQLite undo the whole transaction, savepoints and all.
            raise error from None
        job.error = error
        return False
    savepoint.commit()
    return True
