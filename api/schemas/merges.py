"""Merges: what an execution would do, did, and did before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from api.schemas.base import (
    PAGE_MAX,
    Answer,
    Column,
    Instant,
    Listing,
    OpenSpan,
    Paged,
    Table,
    attribute,
    digits,
)


class MergesRequest(OpenSpan, Paged):
    """Which past merge executions; the last ones come first."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 20
    """Most executions of a page."""


class Step(Answer):
    """One merge: what a pair gained, and over which paths."""

    demand: str
    pool: str
    bits: int
    paths: list[list[str]]
    threshold: int
    block: str
    announcements: int
    expires_at: str | None
    """Where the demand limits the age of its key."""

    columns: ClassVar = (
        Column("demand", "demand"),
        Column("bits", "bits", ","),
        Column("over", lambda row: " and ".join(f"{len(path) - 1} hops" for path in row.paths)),
        Column("announcements", "announcements", "d", rank=1),
        Column("block", "block", rank=2),
    )


class Executed(Answer):
    """What one merge execution did, and why each demand got what it got."""

    steps: list[Step]
    reasons: dict[str, str]
    tags: int

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Return an execution from its stored answer; most keys have no end to speak of."""
        steps = [{"expires_at": None, **step} for step in answer["steps"]]
        return cls.model_validate({**answer, "steps": steps})

    def table(self) -> Table:
        """Return the steps as a table, and below it who got nothing and why."""
        served = {step.demand for step in self.steps}
        idle = [f"{demand}: {why}" for demand, why in self.reasons.items() if demand not in served]
        return Table(f"{len(self.steps)} merges", Step.columns, self.steps, "\n".join(idle))


class Execution(Executed):
    """A past merge execution."""

    request: str
    at: Instant
    bits: int

    columns: ClassVar = (
        Column("at (UTC)", "at"),
        Column("merges", lambda row: len(row.steps), "d"),
        Column("bits", "bits", ","),
        Column("tags", "tags", "d", rank=1),
        Column("demands", lambda row: ", ".join(sorted({step.demand for step in row.steps}))
               or "nothing merged", text=True),
    )  # fmt: skip


class Merges(Listing):
    """Past merge executions, the newest last."""

    merges: list[Execution]

    noun: ClassVar = "merge execution"

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Self:
        """Return past executions, each with the sum of what it gained."""
        summed = ({**past, "bits": sum(step["bits"] for step in past["steps"])} for past in rows)
        return super().of(map(Execution.of, summed))


class DemandDecision(Answer):
    """What one demand would get, and why."""

    demand: str = attribute("demand.demand_id")
    node_a: str = attribute("demand.node_a")
    node_b: str = attribute("demand.node_b")
    bits_per_day: int = attribute("demand.bits_per_day")
    min_disjoint_paths: int = attribute("demand.min_disjoint_paths")
    max_age_s: float | None = attribute("demand.max_age_s")
    served_bits: int
    bits: int
    level: Annotated[float, digits(6)]
    reason: str

    columns: ClassVar = (
        Column("demand", "demand"),
        Column("paths", "min_disjoint_paths", "d", rank=2),
        Column("asked, bits a day", "bits_per_day", ",", rank=3),
        Column("had, 24 h", "served_bits", ",", rank=1),
        Column("gets", "bits", ","),
        Column("served/asked", "level", ".3f"),
        Column("why", "reason", text=True),
    )


class PlannedMerge(Answer):
    """One merge that an execution would make."""

    demand: str = attribute("demand_id")
    bits: int
    threshold: int
    paths: list[list[str]]
    links: list[list[str]]


class MergePlan(Answer):
    """What an execution would do: the demands with reasons, the merges, Jain's index."""

    at: Instant
    bits: int
    jain_index: Annotated[float | None, digits(6)]
    demands: list[DemandDecision]
    merges: list[PlannedMerge]
    tagged_links: list[str]

    def table(self) -> Table:
        """Return the demands as a table, and how fair it is below."""
        return Table(
            f"Merges at {self.document()['at']}, nothing written",
            DemandDecision.columns,
            self.demands,
            f"Jain's index of served/asked over {len(self.demands)} demands:"
            f" {self.jain_index:.4f}; {len(self.merges)} merges,"
            f" {len(self.tagged_links)} links tag announcements",
        )
