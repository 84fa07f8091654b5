"""The last answer of a dear question, kept until what it rests on has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any


class Last:
    """Remembers one value by its key; whoever uses it has it alone."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._key: Hashable = None
        self._value: Any = None

    @contextmanager
    def of(self, key: Hashable, make: Callable[[], Any]) -> Iterator[Any]:
        """The value of that key, made if the last one had another; held while it is used."""
        with self._turn:
            if self._key != key:
                self._value, self._key = make(), key
            yield self._value
