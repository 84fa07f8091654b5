"""Element sets: known, fetched, checked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from api.schemas.base import (
    Answer,
    AskedInstant,
    Column,
    Instant,
    Paged,
    Request,
    Table,
    attribute,
    digits,
    plural,
)
from api.schemas.outages import Reason
from orbits import Standing

if TYPE_CHECKING:
    from scheduler.domain import ElementsAnswer

NOTES_MAX = 5
"""Sentences of one kind that are shown where people read them."""


class ElementsRequest(Paged):
    """Which element sets to list; the newest come first."""

    satellite: Annotated[str | None, Field(max_length=64)] = None
    latest: bool = False


class CheckRequest(Request):
    """Which element sets to compare."""

    satellite: Annotated[str | None, Field(max_length=64)] = None
    """Its id, name or catalogue number; all, if not given."""


class ElementSet(Answer):
    """One element set, where it came from, and whether it serves."""

    norad_id: int
    name: str
    epoch: Instant
    age_days: Annotated[float, digits(2)]
    arrived_at: Instant | None
    source: str
    sha256: str
    standing: Standing
    since: Instant | None
    """Of the standing; null for what has always been so."""
    reason: str

    columns: ClassVar = (
        Column("NORAD id", "norad_id", "d"),
        Column("name", "name", rank=1),
        Column("epoch", "epoch"),
        Column("age d", "age_days", ",.1f"),
        Column("standing", lambda row: row.standing_shown(), rank=1),
        Column("source", "source", rank=3),
        Column("SHA-256", "sha256", ".12", rank=2),
    )

    def standing_shown(self) -> str:
        """Return the standing, and since when if it was not always so."""
        return f"{self.standing} {self.since:%Y-%m-%d %H:%M}" if self.since else str(self.standing)


class Elements(Answer):
    """Element sets, oldest first; `count` is how many there are in all."""

    count: int
    elements: list[ElementSet]

    @classmethod
    def of(cls, answer: ElementsAnswer) -> Elements:
        """Return the sets with their age."""
        judged = ("age_days", "standing", "since", "reason")
        kept = [name for name in ElementSet.names() if name not in judged]
        rows = [
            ElementSet.model_validate(
                {name: getattr(item, name) for name in kept}
                | {
                    "age_days": (answer.at - item.epoch) / timedelta(days=1),
                    "standing": verdict.standing if verdict else Standing.SERVES,
                    "since": verdict.since if verdict else None,
                    "reason": verdict.reason if verdict else "",
                }
            )
            for item, verdict in zip(answer.elements, answer.verdicts, strict=True)
        ]
        return cls(count=len(answer.elements), elements=rows)

    def table(self) -> Table:
        """Return the sets as a table."""
        return Table(plural(self.count, "element set"), ElementSet.columns, self.elements)


class FetchedSet(Answer):
    """One element set of a feed."""

    norad_id: int
    name: str
    epoch: Instant
    source: str
    sha256: str


class Imported(Answer):
    """How many sets were new, and what is not as it should be."""

    added: int
    quarantined: list[str]
    """A sentence for each set that disagrees with its neighbours; it serves nothing."""
    released: list[str]
    """A sentence for each set that was held back and serves again."""
    skipped: list[str]
    """What in the text is no element set."""
    strangers: list[str]
    """Number and name of each satellite that the scenario does not know."""

    def notes(self) -> Iterator[str]:
        """Yield what is not as it should be, in sentences."""
        for what, texts in (
            ("skipped", self.skipped),
            ("quarantined", self.quarantined),
            ("released", self.released),
        ):
            yield from (f"{what}: {text}" for text in texts[:NOTES_MAX])
            if len(texts) > NOTES_MAX:
                yield f"{what}: and {len(texts) - NOTES_MAX} more"
        if self.quarantined:
            yield "quarantined sets serve nothing until `skytrunk elements accept`"
        if self.strangers:
            yield self._strangers()

    def _strangers(self) -> str:
        first = ", ".join(self.strangers[:NOTES_MAX])
        more = len(self.strangers) - NOTES_MAX
        if more <= 0:
            return f"no satellite of the scenario has catalogue number {first}"
        count = f"{len(self.strangers):,} catalogue numbers"
        return f"no satellite of the scenario has any of {count}: {first}, and {more:,} more"


class Fetched(Imported):
    """What a feed gave, how many sets of that were new, and what it did not give."""

    received: list[FetchedSet]
    unchanged: list[str]
    """A sentence for each satellite without anything newer."""
    failures: list[str]
    """A sentence for each satellite that failed."""


class Finding(Answer):
    """An element set that does not agree with the others of its satellite."""

    kind: str
    norad_id: int = attribute("elements.norad_id")
    name: str = attribute("elements.name")
    epoch: Instant = attribute("elements.epoch")
    neighbour_epoch: Instant = attribute("neighbour.epoch")
    difference_km: Annotated[float, digits(3)]
    limit_km: Annotated[float, digits(3)]
    across_km: Annotated[float, digits(3)]
    limit_across_km: Annotated[float, digits(3)]
    source: str = attribute("elements.source")
    sha256: str = attribute("elements.sha256")
    sentence: str


class Checked(Answer):
    """How many element sets were compared, and those that do not agree."""

    checked: int
    findings: list[Finding]
    unreadable: list[str]
    """A sentence for each set in the ledger that is none by now; it serves nothing."""
    ut1_known_until: Instant
    is_ut1_known: bool

    def earth_turn(self) -> str:
        """Say until when the Earth's turning and the leap seconds are known, and what then."""
        known = "are known" if self.is_ut1_known else "were known"
        return (
            f"the Earth's turning (UT1) and leap seconds {known} until"
            f" {self.ut1_known_until:%Y-%m-%d}; after that UT1 goes on smoothly, 47 m at the"
            " equator for each tenth of a second that it is off, and a leap second announced"
            " later is missed: 1 s, 7.6 km along a low orbit"
        )


class Bound(Answer):
    """Whose the element sets of a catalogue number are from now on."""

    norad_id: int = attribute("binding.norad_id")
    satellite: str
    since: Instant = attribute("binding.since")
    sets: int
    """Of those that are there already."""
    reason: str = attribute("binding.reason")


class NamedSets(Request):
    """Element sets by how their SHA-256 begins (six digits and up), or by their epoch."""

    elements: Annotated[
        list[Annotated[str, Field(pattern=r"^[0-9a-f]{6,64}$")] | AskedInstant],
        Field(min_length=1, max_length=100),
    ]
    satellite: Annotated[int | None, Field(ge=0, le=999_999_999)] = None
    reason: Reason = ""


class WithdrawRequest(NamedSets):
    """Which element sets to take out, and from when on (now if not given)."""

    from_: Annotated[AskedInstant | None, Field(alias="from")] = None
