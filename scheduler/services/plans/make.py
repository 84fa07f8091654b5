"""Use case: look one window ahead and book what the planner chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orbits import as_utc
from scheduler.domain import instant_key
from scheduler.errors import InputError, PlanError
from scheduler.ledger.books import directives, plans
from scheduler.ledger.log.canonical import request_digest
from scheduler.plan import PlanDecision, PlanProblem, make_plan
from scheduler.services.plans.directives import check_operator, directed, parse_pass
from scheduler.services.plans.inputs import rules_of
from scheduler.services.plans.outlook import PlanOutlook, plan_outlook
from scheduler.services.plans.problem import (
    PlanRequest,
    new_directives,
    plan_problem,
    read_standing,
)
from scheduler.services.plans.record import Writing

if TYPE_CHECKING:
    from scheduler.network import Operator
    from scheduler.services.context import Context


def plan_window(context: Context, *, start: datetime, end: datetime) -> dict[str, Any]:
    """Book the passes of a window with what is known at its start: the clockwork's plan.

    Passes whose link begins before the clock's present are not offered; those that begin at once
    are, since no earlier plan could book them: where one could, the freeze holds. A repeat returns
    the first answer. Raises as `carry_out` does.
    """
    start = as_utc(start)
    with context.ledger.view.read() as reader:
        earlier = plans.last_made(reader.connection, at=start)
    could_book = earlier is not None and earlier.window_end > start
    freeze_s = rules_of(context).freeze_s if could_book else 0.0
    return carry_out(context, PlanRequest(start=start, end=end), at=start, freeze_s=freeze_s)


def plan_by_hand(
    context: Context,
    *,
    start: datetime,
    end: datetime,
    at: datetime | None = None,
    objective: str | None = None,
    solver: str | None = None,
    seed: int = 0,
    pins: Sequence[str] = (),
    vetoes: Sequence[str] = (),
    allow: Sequence[str] = (),
    request_id: str | None = None,
    operator: Operator | None = None,
) -> dict[str, Any]:
    """Plan a window anew, keeping what stands as far as it is good, and book what is chosen.

    `at` is the plan's present: what was known by then counts, and what begins before it is
    not booked. By default it is now, or the start of a window that is over. Whatever it is,
    nothing is booked that begins sooner than the freeze allows from now, unless the window is
    over. Raises as `carry_out` does, and NotAllowed where an `operator` pins, vetoes or allows
    passes of another one's satellites.
    """
    for name in (*pins, *vetoes, *allow):
        check_operator(context, operator, parse_pass(context, name).satellite_id)
    start, end = as_utc(start), as_utc(end)
    now = context.clock.now()
    request = PlanRequest(
        start=start,
        end=end,
        at=None if at is None else as_utc(at),
        objective=objective,
        solver=solver,
        seed=seed,
        pins=tuple(pins),
        vetoes=tuple(vetoes),
        lift=tuple(allow),
        request_id=request_id or f"plan/by-hand/{instant_key(now)}",
    )
    known_at = request.at or (now if now < end else start)
    return carry_out(context, request, at=known_at, freeze_s=rules_of(context).freeze_s)


def carry_out(
    context: Context, request: PlanRequest, *, at: datetime, freeze_s: float
) -> dict[str, Any]:
    """Book passes of a window with what is known at `at`; a repeated request is not done again.

    Standing bookings that are locked, about to start, under way or outside what can be planned
    stay; the others may be given up for better ones, with an event. While the window lasts,
    nothing new begins earlier than `freeze_s` from now. One transaction. The answer
    names the plan, its bookings (kept ones too) and those it cancelled, counts passes and dark
    passes by station, and lists the spans for which nothing was planned since the elements were
    too old.

    Raises InputError for reversed or overlong times, PlanError where locks or pins contradict,
    LedgerMismatch if the ledger belongs to another scenario.
    """
    _check(context, request, at)
    request_id = (
        request.request_id or f"plan/{instant_key(request.start)}/{instant_key(request.end)}"
    )
    # The clockwork's own request has one answer, whatever the settings say by then.
    span = request_digest(request.start, request.end)
    digest = request.digest() if request.request_id else span
    with context.ledger.view.read() as reader:
        context.check_scenario(reader)
        answered = reader.answer(request_id, kind="plan", digest=digest)
        standing = read_standing(reader, request, at=at)
    if answered is not None:
        return answered
    ahead = plan_outlook(context, request.start, request.end, at=at)
    problem, too_early = plan_problem(context, request, ahead, standing, at=at, freeze_s=freeze_s)
    decision, problem = _decide(context, request, problem, ahead)
    with context.ledger.begin() as tx:
        command = tx.command(request_id, kind="plan", at=at, digest=digest)
        directives.add(tx, command, new_directives(context, request, problem.candidates))
        writing = Writing(context, tx, problem, decision, standing, at=at, request=request)
        answer = writing.write(command, ahead, too_early)
        command.finish(answer)
    return answer


def _check(context: Context, request: PlanRequest, at: datetime) -> None:
    start, end = request.start, request.end
    if not start < end:
        raise InputError(
            f"the plan's end {instant_key(end)} is not after its start {instant_key(start)}"
        )
    limit = context.settings.plan_days_max
    if end - start > timedelta(days=limit):
        days = (end - start) / timedelta(days=1)
        raise InputError(
            f"to {instant_key(end)} is {days:g} days after from; allowed: up to {limit:g} days"
        )
    if not at < end:
        raise InputError(
            f"to {instant_key(end)} is before the plan's present {instant_key(at)}; allowed: later"
        )


def _decide(
    context: Context, request: PlanRequest, problem: PlanProblem, ahead: PlanOutlook
) -> tuple[PlanDecision, PlanProblem]:
    """Plan; an earlier pin that no longer fits is set aside and named, a new one is refused."""

    def plan(asked: PlanProblem) -> PlanDecision:
        return make_plan(
            asked,
            solver=request.solver or context.settings.planner,
            objective=request.objective or context.settings.objective,
            seed=request.seed,
        )

    try:
        return plan(problem), problem
    except PlanError as error:
        new, _ = directed(new_directives(context, request, problem.candidates), problem.candidates)
        if problem.pins <= new:
            raise
        without = replace(problem, pins=new)
        decision = plan(without)
        ahead.notes.append(f"earlier pins are set aside: {error}")
        return decision, without
