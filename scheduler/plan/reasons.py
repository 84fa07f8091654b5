"""One sentence for every candidate: why it is booked, or what took its place."""

from __future__ import annotations

from collections.abc import Mapping

from scheduler.domain import Candidate
from scheduler.plan.greedy import Choice
from scheduler.plan.model import Model, RowKind, same_session


def booked_because(model: Model, choice: Choice) -> dict[str, str]:
    """A sentence for each booked candidate, locked bookings apart."""
    found = {}
    for option in range(model.locked_count, len(model.options)):
        if not choice.chosen[option]:
            continue
        candidate = model.options[option]
        if model.fixed[option]:
            how = "pinned by hand"
        elif model.standing[option]:
            how = "booked already and kept"
        else:
            rivals = _rivals(model, option)
            how = (
                f"chosen over {rivals} that clash with it" if rivals else "nothing clashes with it"
            )
        found[candidate.candidate_id] = f"{how}; {expected(candidate)}"
    return found


def expected(candidate: Candidate) -> str:
    """The expected bits of a candidate and where they come from, for people."""
    return (
        f"{candidate.expected_bits:,.0f} bits expected ({candidate.secret_bits:,.0f} by"
        f" {candidate.clear_probability:.2f} clear sky)"
    )


def left_out_because(model: Model, choice: Choice) -> dict[str, str]:
    """A sentence for each candidate that is not booked: the rule or the booking in its way."""
    found = dict(model.left_out)
    taken: dict[int, list[int]] = {}
    for option in range(model.locked_count, len(model.options)):
        if choice.chosen[option]:
            continue
        candidate = model.options[option]
        full = next((r for r in model.rows_of[option] if choice.room[r] <= 0), None)
        if full is None:
            found[candidate.candidate_id] = f"adds nothing to this objective; {expected(candidate)}"
            continue
        if full not in taken:
            taken[full] = [i for i in model.rows.members[full] if choice.chosen[i]]
        found[candidate.candidate_id] = _in_the_way(model, full, taken[full], candidate)
    return found


def _in_the_way(model: Model, row: int, taken: list[int], candidate: Candidate) -> str:
    kind, name = model.rows.kinds[row], model.rows.names[row]
    mine = f"against {candidate.expected_bits:,.0f} here"
    if kind in {RowKind.DAY, RowKind.ORBIT, RowKind.SHARE}:
        span = "" if kind is not RowKind.ORBIT else f" within {model.problem.rules.orbit_s:,.0f} s"
        least = min(model.options[i].expected_bits for i in taken)
        return (
            f"{name} has its {len(taken)} sessions{span} with at least {least:,.0f} bits each,"
            f" {mine}"
        )
    option = taken[0]
    other = model.options[option]
    locked = ", locked" if option < model.locked_count else ""
    if kind is RowKind.SATELLITE:
        where = f"{name} is with {other.station_id}"
    elif kind is RowKind.MOUNT:
        where = f"{name} is with {other.satellite_id}"
    else:
        where = "another part of this pass is booked"
    return (
        f"{where} {other.acquires_at:%Y-%m-%dT%H:%M:%SZ} to {other.loses_at:%H:%M:%SZ}"
        f" ({other.expected_bits:,.0f} bits expected{locked}), {mine}"
    )


def _rivals(model: Model, option: int) -> int:
    kinds = {RowKind.SATELLITE, RowKind.MOUNT}
    others = {
        i for row in model.rows_of[option] if model.rows.kinds[row] in kinds
        for i in model.rows.members[row]
    }  # fmt: skip
    return len(others - {option})


def dropped_because(model: Model, choice: Choice, left_out: Mapping[str, str]) -> dict[str, str]:
    """A sentence for each standing booking that the plan gives up or moves."""
    found: dict[str, str] = {}
    by_pair: dict[tuple[str, str], list[Candidate]] = {}
    for candidate, taken in zip(model.options, choice.chosen, strict=True):
        if taken:
            pair = (candidate.satellite_id, candidate.station_id)
            by_pair.setdefault(pair, []).append(candidate)
    for booking in model.problem.movable():
        old = booking.candidate
        mine = by_pair.get((old.satellite_id, old.station_id), [])
        if any(same_session(one, old) for one in mine):
            continue
        instead = next(
            (c for c in mine if c.acquires_at < old.loses_at and old.acquires_at < c.loses_at), None
        )
        found[str(booking.booking_id)] = (
            f"moved to {instead.acquires_at:%Y-%m-%dT%H:%M:%SZ} to {instead.loses_at:%H:%M:%SZ}"
            if instead is not None
            else left_out.get(old.candidate_id, "its pass is no longer among the candidates")
        )
    return found
