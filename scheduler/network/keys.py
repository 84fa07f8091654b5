"""The keys of a scenario file's tables: what may stand behind each, and how a table lists them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scheduler.errors import ScenarioError

REQUIRED: Any = object()
"""Default of a key that must be there."""

NO_LIMIT_BITS = 2**62
"""Stands for "as much as comes" where a number of bits is asked for."""

DAY_S = 86_400
SPAN_KM_MIN, SPAN_KM_MAX = 30.0, 90.0
"""Lengths allowed to the spans of a leg: a much longer one gives no key at all."""
TOO_LONG = "for a longer one gives next to no key"
SPAN_RULE = (
    f"allowed: {SPAN_KM_MIN:g} to {SPAN_KM_MAX:g}, {TOO_LONG}, and no chain has relays that stand"
    " closer"
)
"""The rule with its reason: the spans of the Beijing-Shanghai trunk are 34 to 89 km."""
DELAY_S_MAX = 31.0 * DAY_S
"""Longest delay of an announcement."""
SESSIONS_MAX = 1000
"""Most sessions that a limit for one satellite may name."""
PARALLEL_MAX = 64
SPANS_MAX = 1000


class Kind(StrEnum):
    """What may stand behind a key."""

    TEXT = "text"
    FLAG = "true or false"
    WHOLE = "whole number"
    NUMBER = "number"
    NUMBERS = "list of numbers"
    TEXTS = "list of texts"
    CHOICE = "one of"
    CHOICE_OR_SECONDS = "one of, or seconds"
    SOURCES = "table of texts"
    HORIZON = "list of [azimuth, elevation], or a file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a table."""

    name: str
    kind: Kind
    meaning: str
    default: Any = REQUIRED
    default_words: str = ""  #: of a default that is not a plain value
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    because: str = ""  #: why no more is allowed

    @property
    def allowed(self) -> str:
        """What may stand there, as a refusal says it."""
        if self.words:
            more = ", or seconds after a session" if self.kind is Kind.CHOICE_OR_SECONDS else ""
            return ", ".join(self.words) + more
        words = {
            Kind.TEXT: "a string",
            Kind.WHOLE: "an integer",
            Kind.NUMBER: "a finite number",
            Kind.NUMBERS: "a list of finite numbers",
            Kind.TEXTS: "a list of strings",
            Kind.SOURCES: "a table of strings",
            Kind.HORIZON: "[azimuth_deg, elevation_deg] pairs, or the name of a file",
        }.get(self.kind, self.kind.value)
        limits = "" if self.low is None else f", {self.range}"
        return words + limits + (f", {self.because}" if self.because else "")

    @property
    def range(self) -> str:
        """The limits of a number, in words; empty without limits."""
        return "" if self.low is None else f"{_shown(self.low)} to {_shown(self.high)}"

    def holds(self, value: float) -> bool:
        """Whether a number lies within the limits, if there are any."""
        return self.low is None or self.high is None or self.low <= value <= self.high


def _shown(limit: float | None) -> str:
    return "2^62" if limit == NO_LIMIT_BITS else f"{limit:,.12g}" if limit is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """One table of a scenario file, `[name]` or many `[[name]]`."""

    name: str  #: "" for the top of the file
    meaning: str
    keys: tuple[Key, ...]
    many: bool = True

    def key(self, name: str) -> Key:
        """Return the key of that name."""
        (found,) = (key for key in self.keys if key.name == name)
        return found


def check_limits(schema: TableSchema, where: str, fact: object) -> None:
    """Raise ScenarioError for the first field of a value type that is beyond its key's limits."""
    for key in schema.keys:
        value = getattr(fact, key.name, None)
        if isinstance(value, int | float) and not key.holds(value):
            raise ScenarioError(f"{where}{key.name} {value}; allowed: {key.range}")


def text(name: str, meaning: str, default: Any = REQUIRED, words: str = "") -> Key:
    """Return a key of words; `words` say what its default means."""
    return Key(name=name, kind=Kind.TEXT, meaning=meaning, default=default, default_words=words)


def number(
    name: str, meaning: str, low: float, high: float, default: Any = REQUIRED, words: str = ""
) -> Key:
    """Return a key of a finite number within limits."""
    return Key(name=name, kind=Kind.NUMBER, meaning=meaning, default=default, low=low, high=high,
               default_words=words)  # fmt: skip


def whole(
    name: str, meaning: str, low: int, high: int, default: Any = REQUIRED, words: str = ""
) -> Key:
    """Return a key of a whole number within limits."""
    return Key(name=name, kind=Kind.WHOLE, meaning=meaning, default=default, low=low, high=high,
               default_words=words)  # fmt: skip


def flag(name: str, meaning: str, default: Any = REQUIRED) -> Key:
    """Return a key that is true or false."""
    words = "" if default is REQUIRED else f"`{str(default).lower()}`"
    return Key(name=name, kind=Kind.FLAG, meaning=meaning, default=default, default_words=words)


def choice(name: str, meaning: str, words: tuple[str, ...], default: Any = REQUIRED) -> Key:
    """Return a key that is one of these words."""
    return Key(name=name, kind=Kind.CHOICE, meaning=meaning, words=words, default=default)


def stated(name: str, meaning: str, low: float, high: float) -> Key:
    """Return a number of a terminal: what is left out stays that of `like`."""
    return number(name, meaning, low, high, None, "that of `like`")


def texts(name: str, meaning: str) -> Key:
    """Return a key of a list of words, empty if left out."""
    return Key(name=name, kind=Kind.TEXTS, meaning=meaning, default=[])


def stated_row(name: str, meaning: str) -> Key:
    """Return a row of numbers of a terminal."""
    return Key(name=name, kind=Kind.NUMBERS, meaning=meaning, default=None,
               default_words="those of `like`")  # fmt: skip
