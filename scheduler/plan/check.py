"""An independent look at a finished plan: no row, index or solver of the planners is used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import pairwise

from scheduler.domain import Candidate, OutageKind
from scheduler.errors import PlanError
from scheduler.plan.check_flows import flow_faults
from scheduler.plan.check_values import value_faults
from scheduler.plan.decision import PlanDecision
from scheduler.plan.problem import PlanProblem, PlanRules


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
        if figure < getattr(rules, limit):
            yield f"{name} has {figure:g}, {limit} is {getattr(rules, limit):g}"
    for outage in problem.outages:
        of_station = outage.kind is OutageKind.STATION
        if outage.name != (candidate.station_id if of_station else candidate.satellite_id):
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
        booked, locked, "satellite", lambda c: c.satellite_id, rules.satellite_gap_s, rules
    )
    yield from _too_close(
        booked, locked, "mount", lambda c: rules.mount_of(c.station_id), rules.mount_gap_s, rules
    )


def _too_close(
    booked: list[Candidate],
    locked: set[str],
    kind: str,
    resource: Callable[[Candidate], str],
    gap_s: Callable[[Candidate, Candidate], float],
    rules: PlanRules,
) -> Iterable[str]:
    """Pairs of sessions of one resource with less than setup and slew between them."""
    by_name: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in sorted(booked, key=lambda c: c.acquires_at):
        by_name[resource(candidate)].append(candidate)
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
