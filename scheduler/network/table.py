"""Reading a TOML table strictly: every key typed, every unknown key refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from scheduler.errors import ScenarioError

_T = TypeVar("_T")
_REQUIRED: Any = object()


class Table:
    """One table of a scenario file; take what is known, then call `done`."""

    def __init__(self, where: str, values: Mapping[str, Any]) -> None:
        self.where = where
        self._values = dict(values)
        self._known: list[str] = []

    def _take(self, key: str, default: _T) -> Any:
        self._known.append(key)
        if key not in self._values:
            if default is _REQUIRED:
                raise ScenarioError(f"{self.where}: key {key!r} is missing")
            return default
        return self._values.pop(key)

    def _refuse(self, key: str, value: object, allowed: str) -> ScenarioError:
        return ScenarioError(f"{self.where}.{key} is {value!r}; allowed: {allowed}")

    def text(self, key: str, default: str = _REQUIRED) -> str:
        """Take a string."""
        value = self._take(key, default)
        if not isinstance(value, str):
            raise self._refuse(key, value, "a string")
        return value

    def flag(self, key: str, default: bool = _REQUIRED) -> bool:
        """Take a boolean."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self._refuse(key, value, "true or false")
        return value

    def whole(self, key: str, default: int = _REQUIRED) -> int:
        """Take an integer."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._refuse(key, value, "an integer")
        return value

    def number(self, key: str, default: float = _REQUIRED) -> float:
        """Take a finite number, written as an integer or not."""
        value = self._take(key, default)
        if not _is_finite(value):
            raise self._refuse(key, value, "a finite number")
        return float(value)

    def maybe_number(self, key: str) -> float | None:
        """Take a finite number that may be left out."""
        return self.number(key) if key in self._values else self._take(key, None)

    def maybe_whole(self, key: str) -> int | None:
        """Take an integer that may be left out."""
        return self.whole(key) if key in self._values else self._take(key, None)

    def numbers(self, key: str) -> list[float]:
        """Take a list of finite numbers, empty if it is left out."""
        values = self._take(key, [])
        if not isinstance(values, list) or not all(_is_finite(v) for v in values):
            raise self._refuse(key, values, "a list of finite numbers")
        return [float(v) for v in values]

    def texts(self, key: str) -> list[str]:
        """Take a list of strings, empty if it is left out."""
        values = self._take(key, [])
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise self._refuse(key, values, "a list of strings")
        return list(values)

    def choice(self, key: str, allowed: Sequence[str], default: str = _REQUIRED) -> str:
        """Take one of some words."""
        value = self.text(key, default)
        if value not in allowed:
            raise self._refuse(key, value, ", ".join(allowed))
        return value

    def choice_or_number(
        self, key: str, words: Sequence[str], number: str, default: str
    ) -> str | float:
        """Take one of some words, or a finite number of what `number` says."""
        value = self._take(key, default)
        if _is_finite(value):
            return float(value)
        if not isinstance(value, str) or value not in words:
            raise self._refuse(key, value, f"{', '.join(words)}, or {number}")
        return value

    def table(self, key: str) -> Table:
        """Take a sub-table, empty if it is left out."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self._refuse(key, value, "a table")
        return Table(f"{self.where}.{key}" if self.where != "scenario" else key, value)

    def tables(self, key: str) -> list[Table]:
        """Take an array of tables, empty if it is left out."""
        values = self._take(key, [])
        if not isinstance(values, list) or not all(isinstance(v, dict) for v in values):
            raise self._refuse(key, values, f"[[{key}]] tables")
        return [Table(f"{key}[{index}]", value) for index, value in enumerate(values)]

    def has(self, key: str) -> bool:
        """Tell whether a key is there and not taken yet."""
        return key in self._values

    def done(self) -> None:
        """Refuse what is left."""
        if self._values:
            raise ScenarioError(
                f"{self.where}: unknown key {min(self._values)!r};"
                f" allowed: {', '.join(dict.fromkeys(self._known))}"
            )


def _is_finite(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    )
