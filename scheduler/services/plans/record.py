"""Writing a decision down: bookings made, kept and given up, and the plan with its reasons."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.domain import (
    Booking,
    BookingState,
    Candidate,
    PassRow,
    PlanOption,
    PlanPass,
    instant_key,
    station_ids,
)
from scheduler.ledger import PlanRecord
from scheduler.ledger.books import plans
from scheduler.ledger.books.bookings import add_booking, move_booking
from scheduler.services.plans.changes import rests_on

if TYPE_CHECKING:
    from scheduler.ledger import CommandHandle, Transaction
    from scheduler.plan import PlanDecision, PlanProblem
    from scheduler.services.context import Context
    from scheduler.services.plans.outlook import PlanOutlook
    from scheduler.services.plans.problem import PlanRequest, Standing

SHIFT_S_MAX = 2.0
"""A standing booking is kept if newer elements shift its link by no more than this."""


def plan_figures(decision: PlanDecision, ahead: PlanOutlook) -> dict[str, Any]:
    """Return a decision's figures as JSON-able data; no wall time, so that a seed repeats them."""
    return {
        "objective": decision.objective.value,
        "seed": decision.seed,
        "expected_bits": decision.expected_bits,
        "measures": list(decision.measures),
        "served_bits": dict(decision.served_bits),
        "served_share": dict(decision.served_share),
        "station_bits": dict(decision.station_bits),
        "link_prices": {link: price for link, price in decision.link_prices.items() if price},
        "fallback": decision.fallback,
        "notes": [*decision.notes, *ahead.notes],
        "elements": {
            name: {"epoch": instant_key(item.epoch), "sha256": item.sha256}
            for name, item in sorted(ahead.elements.items())
        },
    }


def plan_passes(
    problem: PlanProblem,
    decision: PlanDecision,
    ahead: PlanOutlook,
    too_early: Sequence[Candidate],
    booked: Mapping[str, UUID],
) -> list[PlanPass]:
    """Return the passes of a plan with their options; `booked` are those of the candidates."""
    options: dict[str, list[PlanOption]] = defaultdict(list)

    def add(candidate: Candidate, why: str, *, booked: bool, booking_id: UUID | None) -> None:
        options[candidate.pass_id].append(
            PlanOption(
                candidate_id=candidate.candidate_id,
                acquires_at=candidate.acquires_at,
                loses_at=candidate.loses_at,
                secret_bits=candidate.secret_bits,
                clear_probability=candidate.clear_probability,
                booked=booked,
                booking_id=booking_id,
                why=why,
            )
        )

    for candidate in problem.candidates:
        name = candidate.candidate_id
        because = decision.booked_because.get(name)
        why = because or decision.left_out[name]
        add(candidate, why, booked=because is not None, booking_id=booked.get(name))
    for candidate in too_early:
        present = instant_key(problem.now or candidate.acquires_at)
        why = f"its link begins before the plan's present, {present}, or too soon after it"
        add(candidate, why, booked=False, booking_id=None)
    return [_pass(item.row, options) for item in ahead.forecasts]


def _pass(row: PassRow, options: Mapping[str, Sequence[PlanOption]]) -> PlanPass:
    pass_id = f"{row.satellite}/{row.station}/{instant_key(row.rises_at)}"
    return PlanPass(
        pass_id=pass_id,
        satellite_id=row.satellite,
        station_id=row.station,
        rises_at=row.rises_at,
        sets_at=row.sets_at,
        max_elevation_deg=row.max_elevation_deg,
        sun_elevation_deg=row.sun_elevation_deg,
        options=tuple(options.get(pass_id, ())),
    )


@dataclass(slots=True)
class Writing:
    """Writes a decision down inside one transaction."""

    context: Context
    tx: Transaction
    problem: PlanProblem
    decision: PlanDecision
    standing: Standing
    at: datetime
    request: PlanRequest

    def write(
        self, command: CommandHandle, ahead: PlanOutlook, too_early: Sequence[Candidate]
    ) -> dict[str, Any]:
        """Cancel, book, store the plan; return the answer."""
        plan_id = self._plan_id()
        kept, cancelled = self._settle_standing()
        booked: dict[str, UUID] = {}
        for candidate in sorted(self.decision.chosen, key=lambda item: item.acquires_at):
            booking_id = kept.get(candidate.candidate_id)
            if booking_id is None:
                booking_id = self._book(candidate, plan_id)
            booked[candidate.candidate_id] = booking_id
        context, decision = self.context, self.decision
        record = PlanRecord(
            plan_id=plan_id,
            at=self.at,
            window_start=self.request.start,
            window_end=self.request.end,
            solver=decision.solver.value,
            objective=decision.value,
            bound=decision.bound,
            gap=decision.gap,
            details={
                "asked_solver": self.request.solver or context.settings.planner,
                "booked": len(booked),
                "kept": len(kept),
                "cancelled": cancelled,
                "rests_on": rests_on(self.standing),
                **plan_figures(decision, ahead),
            },
        )
        held = {b.candidate.candidate_id: b.booking_id for b in self.problem.locked()}
        passes = plan_passes(self.problem, decision, ahead, too_early, {**held, **booked})
        plans.add(self.tx, command, record, passes)
        return {
            "plan": plan_id,
            "objective": decision.objective.value,
            "solver": decision.solver.value,
            "bookings": [str(booking_id) for booking_id in booked.values()],
            "kept": sorted(str(booking_id) for booking_id in kept.values()),
            "cancelled": cancelled,
            "passes": _count(context, ahead, dark_only=False),
            "dark": _count(context, ahead, dark_only=True),
            "booked": self._newly_booked(kept),
            "unplanned": ahead.unplanned,
            "epochs": ahead.epochs,
        }

    def _plan_id(self) -> str:
        """The window's name; a plan that somebody asked for adds a part of its request's hash."""
        base = f"{self.request.start:%Y%m%dT%H%M%SZ}-{self.request.end:%Y%m%dT%H%M%SZ}"
        if self.request.request_id is None:
            return base
        return f"{base}.{hashlib.sha256(self.request.request_id.encode()).hexdigest()[:8]}"

    def _settle_standing(self) -> tuple[dict[str, UUID], list[str]]:
        """Cancel the movable bookings that the plan gives up; map what is chosen to the rest."""
        kept: dict[str, UUID] = {}
        cancelled: list[str] = []
        for booking in self.problem.movable():
            same = _same(booking.candidate, self.decision.chosen)
            if same is not None:
                kept[same.candidate_id] = booking.booking_id
                if same.elements_epoch > booking.candidate.elements_epoch:
                    self._point_anew(booking, same)
                continue
            dropped = self.decision.dropped.get(str(booking.booking_id))
            reason = dropped or "replaced by another part of its pass, or by newer elements"
            move_booking(
                self.tx,
                booking.booking_id,
                expected=booking.state,
                to=BookingState.CANCELLED,
                reason=f"given up by a new plan: {reason}",
                at=self.at,
            )
            cancelled.append(str(booking.booking_id))
        return kept, cancelled

    def _point_anew(self, booking: Booking, same: Candidate) -> None:
        """Let a booking that is kept have the times of a newer element set."""
        move_booking(
            self.tx,
            booking.booking_id,
            expected=booking.state,
            to=booking.state,
            reason=f"kept, by the element set of {instant_key(same.elements_epoch)}",
            at=self.at,
            candidate=same,
        )

    def _book(self, candidate: Candidate, plan_id: str) -> UUID:
        entropy = self.context.entropy
        booking_id, turn = entropy.uuid("booking", candidate.candidate_id), 1
        while booking_id in self.standing.taken:
            turn += 1
            booking_id = entropy.uuid("booking", candidate.candidate_id, turn)
        add_booking(
            self.tx,
            Booking(
                booking_id=booking_id,
                candidate=candidate,
                state=BookingState.BOOKED,
                reason=self.decision.booked_because[candidate.candidate_id],
                booked_at=self.at,
                changed_at=self.at,
                plan_id=plan_id,
            ),
        )
        return booking_id

    def _newly_booked(self, kept: dict[str, UUID]) -> dict[str, int]:
        counted = {station.station_id: 0 for station in self.context.scenario.stations}
        for candidate in self.decision.chosen:
            for name in candidate.station_ids:
                counted[name] += int(candidate.candidate_id not in kept)
        return counted


def _same(candidate: Candidate, chosen: Sequence[Candidate]) -> Candidate | None:
    """The chosen session that is this very one, moments apart at most."""
    for other in chosen:
        if other.candidate_id == candidate.candidate_id:
            return other
        if (other.satellite_id, other.station_id) == (candidate.satellite_id, candidate.station_id):
            shifts = (
                abs((other.acquires_at - candidate.acquires_at).total_seconds()),
                abs((other.loses_at - candidate.loses_at).total_seconds()),
            )
            if max(shifts) <= SHIFT_S_MAX:
                return other
    return None


def _count(context: Context, ahead: PlanOutlook, *, dark_only: bool) -> dict[str, int]:
    counted = {station.station_id: 0 for station in context.scenario.stations}
    for item in ahead.forecasts:
        for name in station_ids(item.row.station):
            counted[name] += int(item.row.dark or not dark_only)
    return counted
