"""The batches of a search shared among processes.

The caller's own process is one of them: it searches from the first instant on, while the
others are still starting, and takes whatever batch nobody has taken yet. A worker is a
fresh interpreter, because a fork would copy the locks of the caller's threads; it is given
the job once and numbers of batches from then on. It does not run the caller's main module.
"""

from __future__ import annotations

import atexit
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress

from orbits.errors import SearchError
from orbits.passes.batch import search_batch
from orbits.passes.job import Batch, Found, Job
from orbits.passes.worker import NUMBER, read_answer, read_mark

_AHEAD = 8  # results that may wait for the caller, for each process
_PIPE_BYTES = 1 << 20
_PATIENCE_S = 10.0
# Each process computes with one thread: more would only get in each other's way.
_BOOT = (
    "import os, pickle, sys; "
    "os.environ.setdefault('OPENBLAS_NUM_THREADS', '1'); "
    "sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from orbits.passes.worker import main; main()"
)

Result = Found | Exception


def search_batches(batches: Sequence[Batch], job: Job, processes: int) -> Iterator[Found]:
    """Yield what the batches find, in their order; the caller's process is one of several.

    Raises whatever the search of a batch raised, when its turn has come, and SearchError as
    soon as a worker ends before its time. No process outlives the iterator.
    """
    processes = min(processes, len(batches))
    board = _Board(len(batches), processes)
    payload = pickle.dumps(sys.path) + pickle.dumps((job, batches))
    workers: list[_Worker] = []

    def end() -> None:
        board.close()
        for worker in workers:
            worker.end()

    # For an iterator that is left half-way: once the interpreter shuts down, it is too late.
    atexit.register(end)
    try:
        for _ in range(processes - 1):
            workers.append(_Worker(board, payload))
        for number in range(len(batches)):
            while isinstance(result := board.result_or_work(number), int):
                board.put(result, _search(batches[result], job))
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        atexit.unregister(end)
        end()


def _search(batch: Batch, job: Job) -> Result:
    try:
        return search_batch(batch, job)
    except Exception as error:  # noqa: BLE001 - raised when its turn has come
        return error


class _Board:
    """Which batches are taken and what came of them; the threads of a search share one."""

    def __init__(self, count: int, processes: int) -> None:
        self._changed = threading.Condition()
        self._count = count
        self._spare = processes
        self._ahead = _AHEAD * processes
        self._taken = 0
        self._wanted = 0
        self._results: dict[int, Result] = {}
        self._failure: SearchError | None = None
        self._closed = False

    def take(self, *, wait: bool) -> int | None:
        """Return a batch to search, or None if there is none left.

        Without waiting: if there is one now, and enough for the others at the end.
        """
        with self._changed:
            while self._taken < self._count and not self._closed:
                if self._is_near() and (wait or self._count - self._taken > self._spare):
                    return self._take()
                if not wait:
                    return None
                self._changed.wait()
            return None

    def result_or_work(self, number: int) -> Result | int:
        """Return the result of a batch or, as long as there is none, another one to search."""
        with self._changed:
            self._wanted = number
            self._changed.notify_all()
            while number not in self._results:
                if self._failure:
                    raise self._failure
                if self._is_near():
                    return self._take()
                self._changed.wait()
            return self._results.pop(number)

    def put(self, number: int, result: Result) -> None:
        """Hand in what came of a batch."""
        with self._changed:
            self._results[number] = result
            self._changed.notify_all()

    def fail(self, error: SearchError) -> None:
        """Say that a batch was taken which nobody will hand in."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody take any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_near(self) -> bool:
        """Return whether the next batch is not too far ahead of the caller."""
        return self._taken < min(self._count, self._wanted + self._ahead)

    def _take(self) -> int:
        self._taken += 1
        return self._taken - 1


class _Worker:
    """Another process, and the thread that asks it."""

    def __init__(self, board: _Board, payload: bytes) -> None:
        self._board, self._payload = board, payload
        self._process = _start()
        # The end of a program waits for all other threads, then has the worker ended.
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self._ask()
        except SearchError as error:
            self._board.fail(error)
        except Exception as error:  # noqa: BLE001 - or the caller would wait for ever
            self._board.fail(SearchError(f"a worker process {self._end_in_words(error)}"))

    def _ask(self) -> None:
        asks, answers = self._process.stdin, self._process.stdout
        assert asks is not None
        assert answers is not None
        asks.write(self._payload)
        asks.flush()
        read_mark(answers)
        asked: deque[int] = deque()
        while True:
            # One question ahead, so that the process need not wait for the next one.
            number = self._board.take(wait=not asked)
            if number is not None:
                asks.write(NUMBER.pack(number))
                asks.flush()
                asked.append(number)
            if not asked:
                return
            if number is None or len(asked) > 1:
                self._board.put(asked.popleft(), read_answer(answers))

    def _end_in_words(self, error: Exception) -> str:
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return f"no longer answers: {type(error).__name__} {error}"
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{how} before its part of the search was done"

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._thread.join()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            # What could not be written to a process that has ended is tried again here.
            with suppress(OSError):
                if pipe:
                    pipe.close()


def _start() -> subprocess.Popen[bytes]:
    flags = sys.flags
    wanted = {"-I": flags.isolated, "-E": flags.ignore_environment, "-s": flags.no_user_site}
    command = [sys.executable or "", *(flag for flag, on in wanted.items() if on), "-c", _BOOT]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError as error:
        raise SearchError(f"no worker process can be started: {error}") from error
    if sys.platform == "linux" and process.stdout:
        import fcntl

        # An answer should fit in, so that the worker can go on while nobody reads it. The
        # system may refuse: then it waits for the reader.
        with suppress(OSError):
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process
