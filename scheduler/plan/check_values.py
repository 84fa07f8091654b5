"""An independent look at the figures of a plan: its bits, its value, its bound."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from scheduler.domain import Candidate
from scheduler.plan.decision import Objective, PlanDecision
from scheduler.plan.problem import PlanProblem

ROUNDING = 1e-6  # relative; sums of floats in another order


def value_faults(
    problem: PlanProblem, decision: PlanDecision, booked: Sequence[Candidate]
) -> Iterable[str]:
    """Sums that do not add up, and values that the bookings or flows are not worth."""
    total = math.fsum(candidate.expected_bits for candidate in decision.chosen)
    if not math.isclose(total, decision.expected_bits, rel_tol=ROUNDING, abs_tol=ROUNDING):
        yield f"expected_bits {decision.expected_bits:g}, but its bookings add up to {total:g}"
    if not (math.isfinite(decision.value) and math.isfinite(decision.bound)):
        yield f"value {decision.value} and bound {decision.bound} must be finite"
        return
    if decision.value > decision.bound * (1.0 + ROUNDING) + ROUNDING:
        yield f"value {decision.value:g} exceeds its bound {decision.bound:g}"
    of_station: dict[str, list[float]] = defaultdict(list)
    for candidate in booked:
        of_station[candidate.station_id].append(candidate.expected_bits)
    for station, bits in decision.station_bits.items():
        right = math.fsum(of_station[station])
        if not math.isclose(right, bits, rel_tol=ROUNDING, abs_tol=1.0):
            yield f"station {station} has {bits:g} bits, but its sessions add up to {right:g}"
    match decision.objective:
        case Objective.TOTAL:
            yield from _total(problem, decision, booked)
        case Objective.MAX_MIN:
            yield from _least(decision, _station_shares(problem, booked), "station")
        case Objective.DEMAND:
            yield from _least(decision, _demand_shares(problem, decision), "demand")


def _bits(problem: PlanProblem, candidate: Candidate) -> float:
    """Expected bits less `risk_aversion` standard deviations of clear sky and yield."""
    clear, bits = candidate.clear_probability, candidate.secret_bits
    spread = candidate.secret_bits_spread
    mean = clear * bits
    variance = clear * (bits**2 + spread**2) - mean**2
    return max(0.0, mean - problem.rules.risk_aversion * math.sqrt(max(0.0, variance)))


def _total(
    problem: PlanProblem, decision: PlanDecision, booked: Sequence[Candidate]
) -> Iterable[str]:
    """The value without any bonus at least, and with the bonus of all that stood at most.

    The bonus is in parts of what a standing session is worth on average, so no more than the
    best of the candidates.
    """
    weights = problem.value_weights
    least = math.fsum(
        _bits(problem, c) * weights.get(c.satellite_id, 1.0) * weights.get(c.station_id, 1.0)
        for c in booked
    )
    best = max((_bits(problem, c) for c in problem.candidates), default=0.0)
    best *= max([1.0, *weights.values()]) ** 2
    most = least + len(problem.movable()) * problem.rules.stability_bonus * best
    slack = ROUNDING * most + ROUNDING
    if not least - slack <= decision.value <= most + slack:
        yield f"value {decision.value:g}, but its bookings are worth {least:g} to {most:g}"


def _station_shares(problem: PlanProblem, booked: Sequence[Candidate]) -> dict[str, float]:
    of_station: dict[str, list[float]] = {c.station_id: [] for c in problem.candidates}
    for candidate in booked:
        of_station.setdefault(candidate.station_id, []).append(_bits(problem, candidate))
    return {
        station: math.fsum(bits) / problem.station_weights.get(station, 1.0)
        for station, bits in of_station.items()
    }


def _demand_shares(problem: PlanProblem, decision: PlanDecision) -> dict[str, float]:
    """Shares by weight of the highest class that is served at all."""
    noted = " ".join(decision.notes)
    open_ = [d for d in problem.demands if f"demand {d.demand_id} (" not in noted]
    top = max((demand.priority for demand in open_), default=0)
    shares = {}
    for demand in open_:
        if demand.priority != top:
            continue
        weight = demand.weight
        stock = problem.pair_stock.get(demand.demand_id)
        if stock is not None and stock < demand.low_water_bits:
            weight *= 2.0 - stock / demand.low_water_bits
        shares[demand.demand_id] = decision.served_share.get(demand.demand_id, 0.0) / weight
    return shares


def _least(decision: PlanDecision, shares: dict[str, float], what: str) -> Iterable[str]:
    """The value is the least share, those apart that a note says cannot have any."""
    counted = {
        name: share for name, share in shares.items()
        if not any(note.startswith(f"{what} {name} ") for note in decision.notes)
    }  # fmt: skip
    if not counted:
        return
    name = min(counted, key=lambda one: (counted[one], one))
    least = counted[name]
    if not math.isclose(decision.value, least, rel_tol=1e-5, abs_tol=ROUNDING):
        yield f"value {decision.value:g}, but {what} {name} has a share of {least:g}"
