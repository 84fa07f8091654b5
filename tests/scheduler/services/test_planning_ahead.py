"""The planner counts key that waits for an announcement as key to come, not as stock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from scheduler import services
from scheduler.domain import Candidate, LinkSupply
from scheduler.ledger.keys.blocks import get_waiting_blocks
from scheduler.ledger.keys.stock import get_stock
from scheduler.plan import PlanDecision, PlanProblem, make_plan
from scheduler.services.context import Context
from scheduler.services.plans import make
from scheduler.services.plans.inputs import coming_key, demand_facts
from tests.scheduler.services.nights import MORNING, NANSHAN, XINGLONG, booked, run

Open = Callable[..., Context]

POLAR = (
    'announces = "next-contact"',
    'announces = 3600\nannounces_because = "telemetry comes down over a polar station"',
)


def _coming(
    context: Context, sessions: list[Candidate], present: datetime
) -> dict[str, list[tuple[datetime, int]]]:
    with context.ledger.view.read() as reader:
        return coming_key(context, get_waiting_blocks(reader), sessions, present=present)


def test_it_comes_with_the_first_session_that_may_be(open_context: Open) -> None:
    context = open_context()
    xinglong, nanshan, delingha = booked(context)
    run(context, xinglong)
    (key,) = services.waiting_key(context)
    over = xinglong.candidate.loses_at
    later = [delingha.candidate, nanshan.candidate]

    found = _coming(context, [xinglong.candidate, *later], over)

    assert found == {XINGLONG: [(nanshan.candidate.acquires_at, key.bits)]}
    assert _coming(context, [xinglong.candidate], over) == {}
    with context.ledger.view.read() as reader:
        facts = demand_facts(context, get_stock(reader), {}, found)
    (supply,) = [one for one in facts["supplies"] if one.pool_id == XINGLONG]
    assert supply == LinkSupply(
        pool_id=XINGLONG, stock_bits=0, coming=((nanshan.candidate.acquires_at, key.bits),)
    )


def test_with_a_delay_it_comes_in_its_time(open_context: Open) -> None:
    context = open_context(POLAR)
    xinglong, *_ = booked(context)
    run(context, xinglong)
    over = xinglong.candidate.loses_at

    ((when, _),) = _coming(context, [], over)[XINGLONG]

    assert when == over + timedelta(hours=1)


def test_a_plan_is_asked_with_it(open_context: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    context = open_context()
    xinglong, nanshan, *_ = booked(context)
    run(context, xinglong)
    run(context, nanshan)
    services.close_overdue(context, at=MORNING)
    (key,) = services.waiting_key(context)
    assert key.pool_id == NANSHAN
    asked: list[PlanProblem] = []

    def seen(problem: PlanProblem, **more: Any) -> PlanDecision:
        asked.append(problem)
        return make_plan(problem, **more)

    monkeypatch.setattr(make, "make_plan", seen)
    first = booked(context, MORNING)[0]

    (problem,) = asked
    supplies = {one.pool_id: one for one in problem.supplies}
    earliest = min(one.acquires_at for one in problem.candidates)
    assert supplies[NANSHAN].coming == ((earliest, key.bits),)
    assert supplies[NANSHAN].stock_bits == 0
    assert supplies[XINGLONG].stock_bits > 0
    assert first.candidate.acquires_at >= earliest
