"""Element sets: known, fetched, checked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from api.schemas.base import Answer, Column, Instant, Request, Table, attribute, digits, plural

if TYPE_CHECKING:
    from scheduler.domain import ElementsAnswer

LIMIT_MAX = 5000


class ElementsRequest(Request):
    """Which element sets to list."""

    satellite: Annotated[str | None, Field(max_length=64)] = None
    latest: bool = False
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 500


class ElementSet(Answer):
    """One element set, and where it came from."""

    norad_id: int
    name: str
    epoch: Instant
    age_days: Annotated[float, digits(2)]
    arrived_at: Instant | None
    source: str
    sha256: str

    columns: ClassVar = (
        Column("NORAD id", "norad_id", "d"),
        Column("name", "name", rank=1),
        Column("epoch", "epoch"),
        Column("age d", "age_days", ",.1f"),
        Column("source", "source", rank=2),
        Column("SHA-256", "sha256", ".12", rank=3),
    )


class Elements(Answer):
    """The newest sets within the limit, oldest first; `count` is how many there are in all."""

    count: int
    elements: list[ElementSet]

    @classmethod
    def of(cls, answer: ElementsAnswer, *, limit: int | None = None) -> Elements:
        """Return the sets with their age, with a limit only the newest so many."""
        sets = answer.elements if limit is None else answer.elements[-limit:]
        kept = [name for name in ElementSet.names() if name != "age_days"]
        rows = [
            ElementSet.model_validate(
                {name: getattr(item, name) for name in kept}
                | {"age_days": item.age(answer.at) / timedelta(days=1)}
            )
            for item in sets
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


class Fetched(Answer):
    """What a feed gave, how many sets of that were new, and what it did not give."""

    added: int
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
