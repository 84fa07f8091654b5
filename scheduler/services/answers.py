"""Answers of dear questions, kept while what they rest on stays as it is."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Answers(Generic[T]):
    """The last answers by question; of several who ask the same at once, one works it out."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, T] = OrderedDict()
        self._turns: dict[Hashable, tuple[threading.Lock, list[None]]] = {}

    def of(self, question: Hashable, work_out: Callable[[], T]) -> T:
        """The answer that is kept, or a new one; what raises is not kept."""
        with self._lock:
            turn, askers = self._turns.setdefault(question, (threading.Lock(), []))
            askers.append(None)
        try:
            with turn:
                with self._lock:
                    if question in self._found:
                        self._found.move_to_end(question)
                        return self._found[question]
                answer = work_out()
                with self._lock:
                    self._found[question] = answer
                    if len(self._found) > self._kept:
                        self._found.popitem(last=False)
                return answer
        finally:
            with self._lock:
                askers.pop()
                if not askers:
                    del self._turns[question]
