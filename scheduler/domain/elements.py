"""Element sets as they are listed, checked and brought in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orbits import Elements, Finding, Verdict


class KnownSet(Protocol):
    """What a list tells of an element set: an `Elements`, or a row of the ledger."""

    @property
    def norad_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def epoch(self) -> datetime: ...
    @property
    def source(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def arrived_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementBinding:
    """The sets of a catalogue number, of epochs from `since` on, are those of a satellite."""

    norad_id: int  #: under which they come
    satellite_norad_id: int  #: whose they are
    since: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundElements:
    """A binding that was made, and how many sets that are there it takes."""

    satellite: str
    binding: ElementBinding
    sets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsAnswer:
    """Element sets, oldest first, and the present against which their age counts.

    `verdicts` are those that hold in the end, of each set; None where nothing was decided.
    """

    at: datetime
    elements: tuple[KnownSet, ...]
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
    strangers: tuple[str, ...] = ()  #: number and name of each that the scenario does not know


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementsCheck:
    """How many element sets were looked at, and which do not agree with their neighbours.

    `ut1_known_until` is the end of the table of UT1 and leap seconds, `is_ut1_known` whether
    that is still to come. `unreadable` has a sentence for each set that is none by now.
    """

    checked: int
    findings: tuple[Finding, ...]
    unreadable: tuple[str, ...]
    ut1_known_until: datetime
    is_ut1_known: bool
