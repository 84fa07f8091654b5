"""Element sets as they are listed, checked and brought in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orbits import Elements, Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsAnswer:
    """Element sets, oldest first, and the present against which their age counts.

    `verdicts` are those that hold in the end, of each set; None where nothing was decided.
    """

    at: datetime
    elements: tuple[Elements, ...]
    verdicts: tuple[Verdict | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsAdded:
    """What a text or a feed gave, how many sets of that were new, and what it did not give."""

    received: tuple[Elements, ...]
    added: int
    quarantined: tuple[str, ...] = ()  #: a sentence for each set that is held back from now on
    released: tuple[str, ...] = ()  #: and for each that is not any more
    skipped: tuple[str, ...] = ()  #: what in the text is no element set
    unchanged: tuple[str, ...] = ()  #: a sentence for each satellite without anything newer
    failures: tuple[str, ...] = ()  #: a sentence for each satellite that failed


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsCheck:
    """How many element sets were looked at, and which do not agree with their neighbours."""

    checked: int
    findings: tuple[Finding, ...]
