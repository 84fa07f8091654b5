"""A plan for people: one sentence for any pass, and the bars of a timeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler.domain import Candidate, OutageKind
from scheduler.errors import UnknownName
from scheduler.plan.problem import PlanDecision, PlanProblem
from scheduler.plan.supply import link_of


def explain(problem: PlanProblem, decision: PlanDecision, name: str) -> str:
    """Why a pass was or was not booked, in one sentence with the numbers.

    `name` is a candidate_id, a pass_id (its booked part, or else its best) or a booking_id.
    Raises UnknownName if the plan never saw it.
    """
    for booking in problem.bookings:
        if name in {str(booking.booking_id), booking.candidate.candidate_id}:
            if problem.is_locked(booking):
                return f"{name}: locked, so no plan moves it ({booking.reason})."
            if str(booking.booking_id) in decision.dropped:
                return f"{name}: given up: {decision.dropped[str(booking.booking_id)]}."
    named = [c for c in problem.candidates if name in (c.candidate_id, c.pass_id)]
    if not named:
        raise UnknownName(
            f"{name!r} is none of the {len(problem.candidates)} candidates of this plan"
        )
    booked = [c for c in named if c.candidate_id in decision.booked_because]
    if booked:
        because = decision.booked_because[booked[0].candidate_id]
        return f"{name}: booked: {because}{_price(problem, decision, booked[0])}."
    best = max(named, key=lambda c: (c.expected_bits, c.candidate_id))
    why = decision.left_out[best.candidate_id]
    return f"{name}: not booked: {why}{_price(problem, decision, best)}."


def _price(problem: PlanProblem, decision: PlanDecision, candidate: Candidate) -> str:
    """What a bit of its link is worth to the demands, where that is known."""
    link = link_of(candidate, problem)
    if link not in decision.link_prices:
        return ""
    return f"; one more bit on {link} is worth {decision.link_prices[link]:.3g} of demand served"


class BarKind(StrEnum):
    """What a bar of a timeline shows."""

    BOOKED = "booked"
    LOCKED = "locked"
    LEFT_OUT = "left-out"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a timeline, on the row of a station; an outage of a satellite has a row too."""

    row: str
    kind: BarKind
    starts_at: datetime
    ends_at: datetime
    label: str  #: the satellite, or why there is an outage
    expected_bits: float
    note: str


def timeline(problem: PlanProblem, decision: PlanDecision) -> tuple[Bar, ...]:
    """The plan as bars, by row and then by start: booked, locked and left-out passes, outages."""
    bars = [
        _bar(candidate, BarKind.BOOKED, decision.booked_because[candidate.candidate_id])
        for candidate in decision.chosen
    ]
    locked = problem.locked()
    bars += [_bar(booking.candidate, BarKind.LOCKED, booking.reason) for booking in locked]
    shown = {booking.candidate.candidate_id for booking in locked}
    bars += [
        _bar(candidate, BarKind.LEFT_OUT, decision.left_out[candidate.candidate_id])
        for candidate in problem.candidates
        if candidate.candidate_id in decision.left_out and candidate.candidate_id not in shown
    ]
    bars += [
        Bar(
            row=outage.name if outage.kind is OutageKind.STATION else f"satellite {outage.name}",
            kind=BarKind.OUTAGE,
            starts_at=outage.starts_at,
            ends_at=outage.ends_at,
            label=outage.reason or "out of service",
            expected_bits=0.0,
            note="",
        )
        for outage in problem.outages
    ]
    return tuple(sorted(bars, key=lambda b: (b.row, b.starts_at, b.ends_at, b.kind, b.label)))


def _bar(candidate: Candidate, kind: BarKind, note: str) -> Bar:
    return Bar(
        row=candidate.station_id,
        kind=kind,
        starts_at=candidate.acquires_at,
        ends_at=candidate.loses_at,
        label=candidate.satellite_id,
        expected_bits=candidate.expected_bits,
        note=note,
    )
