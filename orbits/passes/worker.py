"""A process that searches the batches it is asked for; `workers` starts it.

It reads a job and its batches from standard input, then numbers of batches until that ends,
and answers each on standard output: a mark, lengths, a pickle, and the buffers of the
arrays in it, which need not be copied into the pickle and out again.
"""

from __future__ import annotations

import pickle
import signal
import struct
import sys
import traceback
from itertools import accumulate
from typing import IO

from orbits.errors import SearchError
from orbits.passes.batch import search_batch
from orbits.passes.job import Batch, Found, Job

NUMBER = struct.Struct("<q")
_MARK = b"orbits\n"


def main() -> None:
    """Serve the process at the other end of standard input and output."""
    # Ctrl-C reaches both processes; the one that asks ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source = sys.stdin.buffer
    # Past the buffer, if there is one: nothing may be left in it when nobody reads any more.
    sink: IO[bytes] = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
    sys.stdout = sys.stderr  # what is printed by accident is no answer
    job, batches = pickle.load(source)
    try:
        sink.write(_MARK)
        while number := source.read(NUMBER.size):
            (index,) = NUMBER.unpack(number)
            _write_answer(sink, _answer(batches[index], job))
    except BrokenPipeError:
        return  # the one that asked has ended


def _answer(batch: Batch, job: Job) -> Found | Exception:
    try:
        return search_batch(batch, job)
    except Exception as error:  # noqa: BLE001 - raised again where the search was asked for
        return _portable(error, traceback.format_exc())


def _portable(error: Exception, trace: str) -> Exception:
    """Return an error that another process can read, with a note of where it came from."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever a foreign error does when it is copied
        error = SearchError(f"{type(error).__name__}: {error}")
    error.add_note(f"In a worker process:\n{trace}")
    return error


def _write_answer(sink: IO[bytes], answer: Found | Exception) -> None:
    arrays: list[pickle.PickleBuffer] = []
    body = pickle.dumps(answer, protocol=5, buffer_callback=arrays.append)
    views = [memoryview(body), *(array.raw() for array in arrays)]
    lengths = [len(view) for view in views]
    head = _MARK + b"".join(NUMBER.pack(number) for number in (len(lengths), *lengths))
    for view in (memoryview(head), *views):
        while view:
            view = view[sink.write(view) :]


def read_mark(source: IO[bytes]) -> None:
    """Read what a worker begins with, and each of its answers; raise SearchError if it is not.

    Raises EOFError where the worker has ended, as does `read_answer`.
    """
    if (mark := _read(source, len(_MARK))) != _MARK:
        raise SearchError(
            f"a worker process wrote {bytes(mark)!r} on its standard output, not {_MARK!r}: "
            f"something else writes there"
        )


def read_answer(source: IO[bytes]) -> Found | Exception:
    """Return a worker's answer."""
    read_mark(source)
    (count,) = NUMBER.unpack(_read(source, NUMBER.size))
    first, *lengths = struct.unpack(f"<{count}q", _read(source, NUMBER.size * count))
    body, arrays = _read(source, first), _read(source, sum(lengths))
    ends = accumulate(lengths)
    parts = [arrays[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    answer: Found | Exception = pickle.loads(body, buffers=parts)
    return answer


def _read(source: IO[bytes], length: int) -> memoryview:
    data = source.read(length)
    if len(data) != length:
        raise EOFError
    return memoryview(data)
