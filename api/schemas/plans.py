"""Plans: asked for, made, and every pass of their window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from api.schemas.base import (
    Answer,
    AskedInstant,
    Column,
    Instant,
    Listing,
    Paged,
    Request,
    Table,
    WholeSpan,
    attribute,
    digits,
)
from scheduler.domain import BookingState, Verdict

NAMES_MAX = 100
Name = Annotated[str, Field(min_length=1, max_length=128)]
Names = Annotated[list[Name], Field(max_length=NAMES_MAX)]


class PlanRequest(WholeSpan):
    """A window to plan, and how."""

    at: AskedInstant | None = None
    """The plan's present: what was known by then counts. Now, or an earlier begin, if not given."""
    objective: Literal["demand", "max-min", "total"] | None = None
    """What it is best at. The setting's, if not given."""
    planner: Literal["auto", "lp", "milp", "greedy"] | None = None
    """How it is solved. The setting's, if not given."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Of the solver, where it draws lots."""
    pins: Names = Field(default=[])
    """Passes to book: satellite/station/instant, any instant of the pass."""
    vetoes: Names = Field(default=[])
    """Passes never to book."""
    allow: Names = Field(default=[])
    """Passes whose pin or veto is taken back."""
    request_id: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    """A repeat under the same name returns the first answer."""


class PlansRequest(Paged):
    """Which plans to list; the last ones come first."""


class ExplainRequest(Request):
    """The pass asked about: satellite/station/instant, or a booking's id."""

    pass_: Annotated[Name, Field(alias="pass")]


class Explanation(Answer):
    """One sentence."""

    pass_: str = attribute("pass_", "pass")
    why: str


class DemandServed(Answer):
    """What a plan expects to serve of a demand."""

    demand: str = attribute("demand_id")
    served_bits: Annotated[float, digits(1)]
    served_share: Annotated[float, digits(6)]

    columns: ClassVar = (
        Column("demand", "demand"),
        Column("bits", "served_bits", ",.0f"),
        Column("share %", lambda row: 100.0 * row.served_share, ".1f"),
    )


class PlanSummary(Answer):
    """A plan's figures."""

    plan: str = attribute("plan_id")
    at: Instant
    from_: Instant = attribute("start", "from")
    to: Instant = attribute("end")
    objective: str
    asked_solver: str
    solver: str
    seed: int
    value: float
    """Of the objective: a share served, or bits; standing bookings count."""
    bound: float | None
    """No plan can be worth more."""
    gap: float | None
    """Part of `bound` that may still be missing, 0 to 1."""
    expected_bits: Annotated[float, digits(1)]
    booked: int
    kept: int
    cancelled: int
    fallback: str
    notes: list[str]
    withdrawn: list[str]
    """A sentence for each element set it was made with that serves no more."""
    demands: list[DemandServed]
    link_prices: Annotated[dict[str, float], BeforeValidator(dict)]
    """Pool: gain in weighed demand served for one more bit on that link."""

    columns: ClassVar = (
        Column("plan", "plan"),
        Column("made at", "at", rank=3),
        Column("objective", "objective", rank=1),
        Column("solver", "solver", rank=4),
        Column("gap %", lambda row: row.gap_percent(), ".3g", rank=5),
        Column("booked", "booked", "d"),
        Column("kept", "kept", "d", rank=2),
        Column("cancelled", "cancelled", "d", rank=2),
        Column("elements", lambda row: "withdrawn" if row.withdrawn else "", rank=2),
    )

    def gap_percent(self) -> float | None:
        """Return the gap in per cent."""
        return None if self.gap is None else 100.0 * self.gap


class PlannedPass(Answer):
    """One pass of a plan's window, and why it was or was not booked."""

    pass_: str = attribute("pass_id", "pass")
    satellite: str
    station: str
    rises_at: Instant
    sets_at: Instant
    max_elevation_deg: Annotated[float, digits(3)]
    sun_elevation_deg: Annotated[float, digits(3)]
    verdict: Verdict
    acquires_at: Instant | None
    loses_at: Instant | None
    secret_bits: Annotated[float | None, digits(1)]
    clear_probability: Annotated[float | None, digits(4)]
    expected_bits: Annotated[float | None, digits(1)]
    booking: UUID | None = attribute("booking_id")
    booking_state: BookingState | None
    why: str

    columns: ClassVar = (
        Column("station", "station"),
        Column("date", "acquires_at", "%Y-%m-%d"),
        Column("AOS", "acquires_at", "%H:%M:%S"),
        Column("LOS (UTC)", "loses_at", "%H:%M:%S", rank=3),
        Column("elevation°", "max_elevation_deg", ".1f", rank=2),
        Column("expected bits", "expected_bits", ",.0f", rank=1),
        Column("verdict", lambda row: row.fate()),
        Column("why", "why", text=True),
    )

    def fate(self) -> str:
        """Return what became of it: the plan's verdict, or where its booking went since."""
        state = self.booking_state
        return str(self.verdict if state in {None, BookingState.BOOKED} else state)


class PlannedPasses(Listing):
    """Passes of a plan's window, by rise."""

    passes: list[PlannedPass]

    noun: ClassVar = "pass"


class Plan(PlanSummary):
    """A plan with every pass of its window."""

    passes: list[PlannedPass]

    def tables(self) -> Iterator[Table | str]:
        """Yield the plan's passes, what it serves, and its notes."""
        dark = [row for row in self.passes if row.acquires_at]
        gap = PlanSummary.columns[4].cell(self)
        yield Table(
            f"Plan {self.plan}: {self.booked} sessions ({self.kept} kept, {self.cancelled}"
            f" cancelled), {self.expected_bits:,.0f} bits expected, objective {self.objective},"
            f" solver {self.solver}, gap {gap} %",
            PlannedPass.columns,
            dark,
            f"and {len(self.passes) - len(dark)} passes in daylight",
        )
        if self.demands:
            yield Table("Demand served", DemandServed.columns, self.demands)
        yield from (
            f"note: {text}" for text in [*self.withdrawn, *self.notes, self.fallback] if text
        )


class Plans(Listing):
    """Plans by the start of their window."""

    plans: list[PlanSummary]

    noun: ClassVar = "plan"
