"""The batches of a search shared between the caller's own thread and an executor."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orbits.passes.batch import search_batch
from orbits.passes.job import Batch, Found, Job

if TYPE_CHECKING:
    # 24 ms, which a search in one process need not spend.
    from concurrent.futures import Executor, Future

_AHEAD = 64  # batches searched ahead of the caller at most; each is some 20 ms and 1 MB
_ASKED_FIRST = 2


def search_batches(
    batches: Sequence[Batch], job: Job, executor: Executor | None = None
) -> Iterator[Found]:
    """Yield what the batches find, in their order; the caller searches while it waits.

    Raises whatever the search of a batch raised, or what the executor does if it breaks.
    """
    if executor is None or len(batches) == 1:
        yield from (search_batch(batch, job) for batch in batches)
        return
    todo = deque(batches)
    ahead: deque[_Share] = deque()
    asked = _ASKED_FIRST
    while todo or ahead:
        # How many work for the executor is not told: it is asked for more as long as most of
        # what it was asked for is done when the caller looks again. Nothing is cancelled: the
        # executor of Python 3.11 does not survive that if a process dies meanwhile.
        busy = sum(share.is_asked and not share.is_done for share in ahead)
        if ahead and 2 * busy < asked:
            asked = min(2 * asked, _AHEAD)
        while todo and busy < asked and len(ahead) < _AHEAD:
            batch = todo.popleft()
            ahead.append(_Share(batch, executor.submit(search_batch, batch, job)))
            busy += 1
        if ahead[0].is_done:
            yield ahead.popleft().result()
        elif todo and len(ahead) < _AHEAD:
            ahead.append(_Share(todo.popleft()))
            ahead[-1].search(job)
        elif ahead[0].is_waiting:
            ahead[0].search(job)
        else:
            yield ahead.popleft().result()


class _Share:
    """A batch that the executor was asked for, or that the caller searches."""

    def __init__(self, batch: Batch, future: Future[Found] | None = None) -> None:
        self._batch, self._future = batch, future
        self._found: Found | None = None

    @property
    def is_asked(self) -> bool:
        """Whether the executor was asked for it."""
        return self._future is not None

    @property
    def is_done(self) -> bool:
        """Whether there is a result, or an error."""
        return self._found is not None or (self._future is not None and self._future.done())

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has begun with it."""
        return self._future is None or not (self._future.running() or self._future.done())

    def search(self, job: Job) -> None:
        """Search the batch here and now."""
        self._found = search_batch(self._batch, job)

    def result(self) -> Found:
        """Return what was found, waiting for it; raise what the search raised."""
        if self._found is not None:
            return self._found
        assert self._future is not None
        return self._future.result()
