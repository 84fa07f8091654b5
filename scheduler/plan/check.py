"""An independent look at a finished plan: no row, index or solver of the planners is used."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import pairwise

from scheduler.domain import Candidate, OutageKind
from scheduler.errors import PlanError
from scheduler.plan.check_flows import flow_faults, wanted_of
from scheduler.plan.problem import Objective, PlanDecision, PlanProblem, PlanRules

ROUNDING = 1e-6  # relative; sums of floats in another order
SAME = timedelta(seconds=2)  # by which newer elements shift the ends of one session


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
            shares = _station_shares(problem, booked)
            weights = {name: problem.station_weights.get(name, 1.0) for name in shares}
            yield from _least(problem, decision, shares, weights, "station")
        case Objective.DEMAND:
            shares, weights = _demand_shares(problem, decision, booked)
            yield from _least(problem, decision, shares, weights, "demand")


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
    """The value is what the bookings are worth by weight, and the bonus of those that stand."""

    def worth(candidate: Candidate) -> float:
        weight = problem.value_weights.get(candidate.satellite_id, 1.0)
        return (
            _bits(problem, candidate)
            * weight
            * problem.value_weights.get(candidate.station_id, 1.0)
        )

    right = math.fsum(map(worth, booked)) + _bonus(problem, decision, worth)
    if not math.isclose(decision.value, right, rel_tol=ROUNDING, abs_tol=ROUNDING):
        yield f"value {decision.value:g}, but its bookings are worth {right:g}"


def _bonus(
    problem: PlanProblem, decision: PlanDecision, worth: Callable[[Candidate], float]
) -> float:
    """What the bookings that stand and stay gain: each a part of what one is worth on average."""
    standing = _standing(problem)
    if not standing:
        return 0.0
    mean = math.fsum(map(worth, standing.values())) / len(standing)
    kept = sum(candidate.candidate_id in standing for candidate in decision.chosen)
    return problem.rules.stability_bonus * mean * kept


def _standing(problem: PlanProblem) -> dict[str, Candidate]:
    """The candidates that may be booked and are a movable booking, or most of one."""
    of_pair: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for candidate in problem.candidates if problem.movable() else ():
        of_pair[candidate.satellite_id, candidate.station_id].append(candidate)
    locked = {booking.candidate.candidate_id for booking in problem.locked()}
    found: dict[str, Candidate] = {}
    for booking in problem.movable():
        old = booking.candidate
        mine = [
            c for c in of_pair[old.satellite_id, old.station_id]
            if c.acquires_at < old.loses_at + SAME and old.acquires_at < c.loses_at + SAME
            and c.candidate_id not in locked and not any(_alone(problem, c))
        ]  # fmt: skip
        moments = [
            c for c in mine
            if max(abs(c.acquires_at - old.acquires_at), abs(c.loses_at - old.loses_at)) <= SAME
        ]  # fmt: skip
        most = [
            c for c in mine
            if 2 * (min(c.loses_at, old.loses_at) - max(c.acquires_at, old.acquires_at))
            > old.loses_at - old.acquires_at
        ]  # fmt: skip
        found |= {c.candidate_id: c for c in moments or most}
    return found


def _station_shares(problem: PlanProblem, booked: Sequence[Candidate]) -> dict[str, float]:
    of_station: dict[str, list[float]] = {c.station_id: [] for c in problem.candidates}
    for candidate in booked:
        of_station.setdefault(candidate.station_id, []).append(_bits(problem, candidate))
    return {
        station: math.fsum(bits) / problem.station_weights.get(station, 1.0)
        for station, bits in of_station.items()
    }


def _demand_shares(
    problem: PlanProblem, decision: PlanDecision, booked: Sequence[Candidate]
) -> tuple[dict[str, float], dict[str, float]]:
    """Shares by weight of the highest class that is served at all, and weighed bits wanted."""
    noted = " ".join(decision.notes)
    open_ = [d for d in problem.demands if f"demand {d.demand_id} (" not in noted]
    top = max((demand.priority for demand in open_), default=0)
    wanted = wanted_of(problem, booked)
    shares, weights = {}, {}
    for demand in open_:
        if demand.priority != top:
            continue
        weight = demand.weight
        stock = problem.pair_stock.get(demand.demand_id)
        if stock is not None and stock < demand.low_water_bits:
            weight *= 2.0 - stock / demand.low_water_bits
        shares[demand.demand_id] = decision.served_share.get(demand.demand_id, 0.0) / weight
        weights[demand.demand_id] = weight * wanted[demand.demand_id]
    return shares, weights


def _least(
    problem: PlanProblem,
    decision: PlanDecision,
    shares: dict[str, float],
    weights: dict[str, float],
    what: str,
) -> Iterable[str]:
    """The value is the least share, those apart that a note says cannot have any, and the bonus."""
    counted = {
        name: share for name, share in shares.items()
        if not any(note.startswith(f"{what} {name} ") for note in decision.notes)
    }  # fmt: skip
    if not counted:
        return
    name = min(counted, key=lambda one: (counted[one], one))
    bonus = _bonus(problem, decision, lambda candidate: _bits(problem, candidate))
    bonus /= math.fsum(weights[one] for one in counted)
    right = counted[name] + bonus
    if not math.isclose(decision.value, right, rel_tol=1e-5, abs_tol=ROUNDING):
        yield (
            f"value {decision.value:g}, but {what} {name} has a share of {counted[name]:g}"
            f" and what stays a bonus of {bonus:g}"
        )


def validate(problem: PlanProblem, decision: PlanDecision) -> None:
    """Raise PlanError with everything that is wrong with a plan; return if nothing is."""
    wrong = faults(problem, decision)
    if wrong:
        more = f" (and {len(wrong) - 5} more)" if len(wrong) > 5 else ""
        raise PlanError(f"the plan breaks its own rules: {'; '.join(wrong[:5])}{more}")


def faults(problem: PlanProblem, decision: PlanDecision) -> tuple[str, ...]:
    """Return one sentence for each way in which a plan breaks the rules or contradicts itself."""
    locked = [booking.candidate for booking in problem.locked()]
    wrong = [*_membership(problem, decision, locked)]
    for candidate in decision.chosen:
        wrong += _alone(problem, candidate)
    everything = [*locked, *decision.chosen]
    held = {candidate.candidate_id for candidate in locked}
    wrong += _clashes(problem.rules, everything, held)
    wrong += _energy(problem.rules, everything, held)
    wrong += _shares(problem.rules, everything, held)
    wrong += value_faults(problem, decision, everything)
    wrong += flow_faults(problem, decision, everything)
    return tuple(wrong)


def _membership(
    problem: PlanProblem, decision: PlanDecision, locked: Sequence[Candidate]
) -> Iterable[str]:
    known = {candidate.candidate_id: candidate for candidate in problem.candidates}
    booked = {candidate.candidate_id for candidate in locked}
    chosen: set[str] = set()
    for candidate in decision.chosen:
        name = candidate.candidate_id
        if known.get(name) != candidate:
            yield f"{name} is not a candidate of this problem"
        if name in chosen:
            yield f"{name} is booked twice"
        if name in booked:
            yield f"{name} is booked already and locked"
        if name in decision.left_out:
            yield f"{name} is both booked and left out"
        if name not in decision.booked_because:
            yield f"{name} is booked without a reason"
        chosen.add(name)
    for name in known:
        if name not in chosen and not decision.left_out.get(name):
            yield f"{name} is left out without a reason"
    kept = [*decision.chosen, *locked]
    for pin in sorted(problem.pins):
        if not any(pin in (c.candidate_id, c.pass_id) for c in kept):
            yield f"pinned {pin} is not booked"
    times = [candidate.acquires_at for candidate in decision.chosen]
    if any(later < earlier for earlier, later in pairwise(times)):
        yield "the bookings are not in order of AOS"


def _alone(problem: PlanProblem, candidate: Candidate) -> Iterable[str]:
    """What is wrong with a booking whatever else is booked."""
    rules, name = problem.rules, candidate.candidate_id
    if name in problem.vetoes or candidate.pass_id in problem.vetoes:
        yield f"{name} is vetoed"
    for limit, figure in (
        ("min_duration_s", candidate.duration_s),
        ("min_elevation_deg", candidate.max_elevation_deg),
        ("min_clear_probability", candidate.clear_probability),
        ("min_secret_bits", candidate.expected_bits),
    ):
        if limit == "min_secret_bits" and candidate.commissioning:
            continue
        if figure < getattr(rules, limit):
            yield f"{name} has {figure:g}, {limit} is {getattr(rules, limit):g}"
    for station in candidate.station_ids:
        for hours in rules.quiet_hours.get(station, ()):
            if hours.meets(candidate.acquires_at, candidate.loses_at):
                yield f"{name} lies in the quiet hours of {station}, {hours}"
    for outage in problem.outages:
        of_station = outage.kind is OutageKind.STATION
        taken = candidate.station_ids if of_station else (candidate.satellite_id,)
        if outage.name not in taken:
            continue
        if candidate.acquires_at < outage.ends_at and outage.starts_at < candidate.loses_at:
            yield f"{name} lies in the outage of {outage.kind} {outage.name}"


def _clashes(rules: PlanRules, booked: list[Candidate], locked: set[str]) -> Iterable[str]:
    passes: dict[str, str] = {}
    for candidate in booked:
        if candidate.pass_id in passes and candidate.candidate_id not in locked:
            yield f"{candidate.candidate_id} and {passes[candidate.pass_id]} are parts of one pass"
        passes[candidate.pass_id] = candidate.candidate_id
    yield from _too_close(
        booked, locked, "satellite", lambda c: (c.satellite_id,), rules.satellite_gap_s, rules
    )
    yield from _too_close(
        booked,
        locked,
        "mount",
        lambda c: {rules.mount_of(n) for n in c.station_ids},
        rules.mount_gap_s,
        rules,
    )


def _too_close(
    booked: list[Candidate],
    locked: set[str],
    kind: str,
    resources: Callable[[Candidate], Iterable[str]],
    gap_s: Callable[[Candidate, Candidate], float],
    rules: PlanRules,
) -> Iterable[str]:
    """Pairs of sessions of one resource with less than setup and slew between them."""
    by_name: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in sorted(booked, key=lambda c: c.acquires_at):
        for name in resources(candidate):
            by_name[name].append(candidate)
    longest = timedelta(seconds=rules.longest_gap_s)
    for name, sessions in by_name.items():
        for index, before in enumerate(sessions):
            for after in sessions[index + 1 :]:
                if after.acquires_at >= before.loses_at + longest:
                    break
                if {before.candidate_id, after.candidate_id} <= locked:
                    continue
                needed_s = gap_s(before, after)
                if after.acquires_at < before.loses_at + timedelta(seconds=needed_s):
                    yield (
                        f"{kind} {name}: {before.candidate_id} and {after.candidate_id} need"
                        f" {needed_s:g} s between them"
                    )


def _energy(rules: PlanRules, booked: list[Candidate], locked: set[str]) -> Iterable[str]:
    if rules.max_sessions_per_day is None and rules.max_sessions_per_orbit is None:
        return
    by_satellite: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in sorted(booked, key=lambda c: c.acquires_at):
        by_satellite[candidate.satellite_id].append(candidate)
    orbit = timedelta(seconds=rules.orbit_s)
    for satellite, sessions in by_satellite.items():
        for first in sessions:
            day = [c for c in sessions if c.acquires_at.date() == first.acquires_at.date()]
            near = [c for c in sessions if timedelta() <= c.acquires_at - first.acquires_at < orbit]
            for within, span, limit in (
                (day, f"on {first.acquires_at:%Y-%m-%d}", rules.max_sessions_per_day),
                (near, f"in {rules.orbit_s:g} s", rules.max_sessions_per_orbit),
            ):
                if limit is None or len(within) <= limit:
                    continue
                if any(c.candidate_id not in locked for c in within):
                    yield f"{satellite} has {len(within)} sessions {span}, allowed: {limit}"


def _shares(rules: PlanRules, booked: list[Candidate], locked: set[str]) -> Iterable[str]:
    """Operators that have more of a station than their share of it."""
    held: dict[tuple[str, str, str], list[Candidate]] = defaultdict(list)
    for candidate in booked:
        operator = rules.sharing.operator_of(candidate.satellite_id)
        for station in candidate.station_ids:
            held[operator, station, f"{candidate.acquires_at:%F}"].append(candidate)
    for (operator, station, day), sessions in held.items():
        limit = rules.sharing.sessions_per_day(sessions[0].satellite_id, station)
        if limit is None or len(sessions) <= limit:
            continue
        if any(one.candidate_id not in locked for one in sessions):
            who = operator or "nobody"
            yield f"{who} has {len(sessions)} sessions over {station} on {day}, allowed: {limit}"
