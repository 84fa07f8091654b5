"""The tables of a replay's results: what a program reads of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from api.schemas.base import Answer, Instant, attribute, digits
from api.schemas.plans import PlannedPass
from scheduler.domain import PlannedPass as Planned
from scheduler.domain import PlanView


class PlanResult(Answer):
    """A plan, as it was made."""

    plan: str = attribute("plan_id")
    at: Instant
    from_: Instant = attribute("start", "from")
    to: Instant = attribute("end")
    objective: str
    solver: str
    value: float
    """Of the objective: a share served, or bits; standing bookings count."""
    bound: float | None
    """No plan can be worth more."""
    gap: float | None
    """Part of `bound` that may still be missing, 0 to 1."""
    expected_bits: Annotated[float, digits(1)]
    booked: int
    kept: int
    """Bookings that stood before."""
    cancelled: int


class PassResult(PlannedPass):
    """A pass of a plan's window: its forecast, and what became of it."""

    plan: str
    """The plan; windows that overlap have a pass twice."""

    @classmethod
    def of(cls, plan: PlanView, item: Planned) -> Self:
        """Return a pass of a plan."""
        shown = PlannedPass.model_validate(item)
        return cls.model_validate({**shown.model_dump(by_alias=True), "plan": plan.plan_id})


class MergeResult(Answer):
    """Key that one merge gave two nodes."""

    at: Instant
    demand: str
    pool: str
    """Of the key that it gave."""
    bits: int
    paths: str
    """Nodes of each path from end to end, `>` between them, `;` between paths."""
    threshold: int
    """Paths whose keys are needed for the combined key; 1 of a relayed one."""
    block: str

    @classmethod
    def of(cls, step: Mapping[str, Any]) -> Self:
        """Return a merge from its answer."""
        paths = ";".join(">".join(path) for path in step["paths"])
        return cls.model_validate({**step, "paths": paths, "block": str(step["block"])})


class BlockResult(Answer):
    """A finite-key block that pooled several sessions, when it was closed."""

    at: Instant
    station: str
    secret_bits: int


class BalanceResult(Answer):
    """What one account of a pool held at an instant; those that held nothing are left out."""

    at: Instant
    pool: str
    account: str
    """`pool` can be spent; `received` waits for a satellite's announcement; `generated` is below
    zero by all that was made."""
    bits: int
