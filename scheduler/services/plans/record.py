"""What a stored plan holds: its figures, and every pass and option with its reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.domain import Candidate, PassRow, PlanOption, PlanPass, instant_key

if TYPE_CHECKING:
    from scheduler.plan import PlanDecision, PlanProblem
    from scheduler.services.plans.outlook import PlanOutlook


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
    }


def plan_passes(
    problem: PlanProblem,
    decision: PlanDecision,
    ahead: PlanOutlook,
    too_early: Sequence[Candidate],
    bookings: Mapping[str, UUID],
) -> list[PlanPass]:
    """Return the passes of a plan with their options; `bookings` are those of the candidates."""
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
        add(candidate, why, booked=because is not None, booking_id=bookings.get(name))
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
