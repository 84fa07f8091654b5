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

_AHEAD = 64  # batches handed in or waiting for the caller; each is some 20 ms and 1 MB


def search_batches(
    batches: Sequence[Batch], job: Job, executor: Executor | None = None
) -> Iterator[Found]:
    """Yield what the batches find, in their order; the caller searches while it waits.

    Raises whatever the search of a batch raised, or what the executor does if it breaks.
    What has not begun when the iterator ends is cancelled.
    """
    if executor is None or len(batches) == 1:
        yield from (search_batch(batch, job) for batch in batches)
        return
    # The caller begins with the first, so that it need not wait for processes that start.
    todo = iter(batches[1:])
    ahead: deque[_Share] = deque([_Share(batches[0])])
    try:
        while ahead:
            while len(ahead) < _AHEAD and (batch := next(todo, None)) is not None:
                ahead.append(_Share(batch, executor.submit(search_batch, batch, job)))
            while not ahead[0].is_done:
                share = next((one for one in ahead if one.take_back()), None)
                if share is None:
                    break  # all the others are at work on the last ones
                share.found = search_batch(share.batch, job)
            yield ahead.popleft().result()
    finally:
        for share in ahead:
            share.take_back()


class _Share:
    """A batch that the executor was asked for, or that the caller has searched."""

    def __init__(self, batch: Batch, future: Future[Found] | None = None) -> None:
        self.batch = batch
        self.found: Found | None = None
        self._future = future

    @property
    def is_done(self) -> bool:
        """Whether there is a result, or an error."""
        return self.found is not None or (self._future is not None and self._future.done())

    def take_back(self) -> bool:
        """Return whether nobody has begun with the batch, and make sure that nobody will."""
        if self.found is not None:
            return False
        if self._future is None:
            return True
        if not self._future.cancel():
            return False
        self._future = None
        return True

    def result(self) -> Found:
        """Return what was found, waiting for it; raise what the search raised."""
        if self.found is not None:
            return self.found
        assert self._future is not None
        return self._future.result()
