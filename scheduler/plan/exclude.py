"""Which candidates the rules let through, and in one sentence why not the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from scheduler.domain import Candidate, Outage, OutageKind
from scheduler.plan.problem import PlanProblem, PlanRules

ALREADY_LOCKED = "booked already and locked"

Outages = Mapping[tuple[OutageKind, str], Sequence[Outage]]


def excluded(
    problem: PlanProblem, locked: Sequence[Candidate], notes: list[str]
) -> tuple[list[Candidate], dict[str, str]]:
    """Split the candidates into those that may be booked and those that may not, with why.

    Adds to `notes` what a person should hear of: overlapping outages, locked bookings in an
    outage, a minimum that excludes every candidate.
    """
    outages = by_resource(problem.outages, notes)
    booked = {candidate.candidate_id for candidate in locked}
    for candidate in locked:
        outage = outage_of(candidate, outages)
        if outage is not None:
            notes.append(
                f"locked booking {candidate.candidate_id} stays, though {say_outage(outage)}"
            )
    allowed: list[Candidate] = []
    left_out: dict[str, str] = {}
    for candidate in problem.candidates:
        if candidate.candidate_id in booked:
            left_out[candidate.candidate_id] = ALREADY_LOCKED
            continue
        reason = _veto(candidate, problem.vetoes)
        if reason is None:
            outage = outage_of(candidate, outages)
            reason = (
                say_outage(outage)
                if outage is not None
                else quiet_at(candidate, problem.rules)
                or no_share(candidate, problem.rules)
                or too_little(candidate, problem.rules)
            )
        if reason is None and candidate.commissioning and not _is_pinned(candidate, problem):
            reason = "a commissioning pass gives no key: it is booked by hand alone (pin it)"
        if reason is None:
            allowed.append(candidate)
        else:
            left_out[candidate.candidate_id] = reason
    _note_impossible(problem, allowed, notes)
    return allowed, left_out


def outage_of(candidate: Candidate, outages: Outages) -> Outage | None:
    """The first outage of its satellite or station that a candidate overlaps."""
    if not outages:
        return None
    for key in (
        (OutageKind.SATELLITE, candidate.satellite_id),
        *((OutageKind.STATION, name) for name in candidate.station_ids),
    ):
        for outage in outages.get(key, ()):
            if candidate.acquires_at < outage.ends_at and outage.starts_at < candidate.loses_at:
                return outage
    return None


def by_resource(outages: Sequence[Outage], notes: list[str]) -> Outages:
    """Outages by what they take out of service; adds to `notes` which of them overlap."""
    found: dict[tuple[OutageKind, str], list[Outage]] = defaultdict(list)
    for outage in sorted(outages, key=lambda o: (o.starts_at, o.ends_at, o.name)):
        known = found[outage.kind, outage.name]
        if known and outage.starts_at < known[-1].ends_at:
            notes.append(
                f"outages of {outage.kind} {outage.name} overlap: {known[-1].starts_at:%F %TZ} to"
                f" {known[-1].ends_at:%F %TZ} and {outage.starts_at:%F %TZ} to"
                f" {outage.ends_at:%F %TZ}; out of service during both"
            )
        known.append(outage)
    return found


def say_outage(outage: Outage) -> str:
    """An outage in words."""
    why = f" ({outage.reason})" if outage.reason else ""
    return (
        f"{outage.kind} {outage.name} is out of service from {outage.starts_at:%Y-%m-%dT%H:%M:%SZ}"
        f" to {outage.ends_at:%Y-%m-%dT%H:%M:%SZ}{why}"
    )


def _is_pinned(candidate: Candidate, problem: PlanProblem) -> bool:
    return not problem.pins.isdisjoint({candidate.candidate_id, candidate.pass_id})


def _veto(candidate: Candidate, vetoes: frozenset[str]) -> str | None:
    if candidate.candidate_id in vetoes or candidate.pass_id in vetoes:
        return "vetoed by hand"
    return None


def quiet_at(candidate: Candidate, rules: PlanRules) -> str | None:
    """Which quiet hours a candidate meets."""
    for station in candidate.station_ids:
        for hours in rules.quiet_hours.get(station, ()):
            if hours.meets(candidate.acquires_at, candidate.loses_at):
                return f"{station} is quiet from {hours} UTC"
    return None


def no_share(candidate: Candidate, rules: PlanRules) -> str | None:
    """Whose station its operator has no share of."""
    for station in candidate.station_ids:
        if rules.sharing.sessions_per_day(candidate.satellite_id, station) == 0:
            operator = rules.sharing.operator_of(candidate.satellite_id) or "nobody's satellite"
            return f"{station} is of another operator, and {operator} has no share of it"
    return None


def too_little(candidate: Candidate, rules: PlanRules) -> str | None:
    """The first minimum that a candidate misses, with its figure and the rule's."""
    if candidate.duration_s < rules.min_duration_s:
        return f"lasts {candidate.duration_s:.0f} s, the minimum is {rules.min_duration_s:g} s"
    if candidate.max_elevation_deg < rules.min_elevation_deg:
        return (
            f"rises to {candidate.max_elevation_deg:.1f} deg,"
            f" the minimum is {rules.min_elevation_deg:g} deg"
        )
    if candidate.clear_probability < rules.min_clear_probability:
        return (
            f"the sky is clear with probability {candidate.clear_probability:.2f},"
            f" the minimum is {rules.min_clear_probability:g}"
        )
    if candidate.expected_bits < rules.min_secret_bits and not candidate.commissioning:
        return (
            f"expected to give {candidate.expected_bits:,.0f} bits"
            f" ({candidate.secret_bits:,.0f} by {candidate.clear_probability:.2f} clear sky),"
            f" the minimum is {rules.min_secret_bits:,.0f}"
        )
    return None


def _note_impossible(problem: PlanProblem, allowed: Sequence[Candidate], notes: list[str]) -> None:
    """Say which minimum no candidate reaches."""
    if allowed or not problem.candidates:
        return
    rules = problem.rules
    best = {
        "min_secret_bits": max(c.expected_bits for c in problem.candidates),
        "min_duration_s": max(c.duration_s for c in problem.candidates),
        "min_elevation_deg": max(c.max_elevation_deg for c in problem.candidates),
        "min_clear_probability": max(c.clear_probability for c in problem.candidates),
    }
    for name, most in best.items():
        if most < getattr(rules, name):
            notes.append(
                f"{name} {getattr(rules, name):g} excludes all {len(problem.candidates)}"
                f" candidates; the best of them has {most:g}"
            )
