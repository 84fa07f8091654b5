"""What a stored plan holds beside its figures: every pass and option with its reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scheduler.domain import Candidate, PassRow, instant_key

if TYPE_CHECKING:
    from scheduler.plan import PlanDecision, PlanProblem
    from scheduler.services.plans.outlook import PlanOutlook


def plan_details(
    problem: PlanProblem, decision: PlanDecision, ahead: PlanOutlook, too_early: Sequence[Candidate]
) -> dict[str, Any]:
    """Return the details of a plan as JSON-able data; no wall time, so that a seed repeats it."""
    options: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for candidate in problem.candidates:
        name = candidate.candidate_id
        because = decision.booked_because.get(name)
        options[candidate.pass_id].append(
            _option(candidate, because or decision.left_out[name], booked=because is not None)
        )
    for candidate in too_early:
        present = instant_key(problem.now or candidate.acquires_at)
        why = f"its link begins before the plan's present, {present}"
        options[candidate.pass_id].append(_option(candidate, why, booked=False))
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
        "passes": [_pass(item.row, options) for item in ahead.forecasts],
    }


def _pass(row: PassRow, options: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    pass_id = f"{row.satellite}/{row.station}/{instant_key(row.rises_at)}"
    return {
        "pass": pass_id,
        "satellite": row.satellite,
        "station": row.station,
        "rises_at": instant_key(row.rises_at),
        "sets_at": instant_key(row.sets_at),
        "max_elevation_deg": row.max_elevation_deg,
        "sun_elevation_deg": row.sun_elevation_deg,
        "options": options.get(pass_id, []),
    }


def _option(candidate: Candidate, why: str, *, booked: bool) -> dict[str, Any]:
    return {
        "candidate": candidate.candidate_id,
        "acquires_at": instant_key(candidate.acquires_at),
        "loses_at": instant_key(candidate.loses_at),
        "secret_bits": candidate.secret_bits,
        "clear_probability": candidate.clear_probability,
        "booked": booked,
        "why": why,
    }
