"""What was worked out ahead for several candidates at once, kept until each asks for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from scheduler.domain import Candidate

T = TypeVar("T")


class Ahead(Generic[T]):
    """Results by candidate, each given out once; of the last batch alone."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._kept: dict[str, tuple[Candidate, T]] = {}

    def take(
        self, candidate: Candidate, work_out: Callable[[], Iterable[tuple[Candidate, T]]]
    ) -> T:
        """The result for a candidate, exactly as it is now; else `work_out` begins with it."""
        with self._turn:
            kept = self._kept.pop(candidate.candidate_id, None)
            if kept is not None and kept[0] == candidate:
                return kept[1]
            (_, found), *others = work_out()
            self._kept = {one.candidate_id: (one, result) for one, result in others}
            return found
