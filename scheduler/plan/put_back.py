"""Standing bookings that a plan gave up for less than their bonus, put back."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.plan.greedy import Choice, by_value
from scheduler.plan.staged import Found, better

TRIES_MAX = 200


def put_back(found: Found, first: Callable[[Choice], float]) -> bool:
    """Put back what was moved for no more than its bonus; return whether anything was.

    A solver that ends within a part of the best may move a booking for nothing. Each is tried
    with what clashes with it given up and the rest filled in, and stays where the first measure,
    its bonus included, is then no less; `first` measures a choice so.
    """
    choice, model = found.choice, found.choice.model
    best = found.measures[0]
    moved = [i for i in by_value(model) if model.standing[i] and not choice.chosen[i]]
    done = False
    for option in moved[:TRIES_MAX]:
        given_up = _in_the_way(choice, option)
        if any(model.fixed[i] for i in given_up):
            continue
        for other in given_up:
            choice.drop(other)
        if not choice.fits(option):
            _undo(choice, [], given_up)
            continue
        taken = [option, *_refilled(choice, option, given_up)]
        measured = first(choice)
        if better((best,), (measured,)):
            _undo(choice, taken, given_up)
        else:
            best, done = measured, True
    return done


def _in_the_way(choice: Choice, option: int) -> set[int]:
    """What has to go for an option: of each full row one, the least worth of those not standing."""
    model = choice.model
    found: set[int] = set()
    for row in model.rows_of[option]:
        if choice.room[row] > 0:
            continue
        booked = [i for i in model.rows.members[row] if choice.chosen[i]]
        if found.isdisjoint(booked):
            found.add(
                min(booked, key=lambda i: (model.fixed[i], model.standing[i], model.value[i]))
            )
    return found


def _refilled(choice: Choice, option: int, given_up: set[int]) -> list[int]:
    """Book the option, then the best of what fits where the others were; return these."""
    model = choice.model
    choice.take(option)
    rows = {row for other in given_up for row in model.rows_of[other]}
    near = {i for row in rows for i in model.rows.members[row] if not choice.chosen[i]}
    order = sorted(near - given_up, key=lambda i: (-model.value[i], model.options[i].candidate_id))
    choice.fill(i for i in order if model.value[i] > 0.0)
    return [i for i in order if choice.chosen[i]]


def _undo(choice: Choice, taken: list[int], given_up: set[int]) -> None:
    for option in taken:
        choice.drop(option)
    for option in given_up:
        choice.take(option)
