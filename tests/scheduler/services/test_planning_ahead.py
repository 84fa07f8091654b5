"""The planner counts key that waits for an announcement as key to come, not as stock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from scheduler.domain import Candidate, LinkSupply
from scheduler.plan import PlanDecision, PlanProblem, make_plan
from scheduler.services import Services
from scheduler.services.plans import make
from scheduler.services.plans.inputs import coming_key, demand_facts
from tests.scheduler.services.nights import MORNING, NANSHAN, XINGLONG, booked, run

Open = Callable[..., Services]

POLAR = (
    'announces = "next-contact"',
    'announces = 3600\nannounces_because = "telemetry comes down over a polar station"',
)


def _coming(
    services: Services, sessions: list[Candidate], present: datetime
) -> dict[str, list[tuple[datetime, int]]]:
    with services.ledger.read() as reader:
        return coming_key(services, reader.waiting(), sessions, present=present)


def test_it_comes_with_the_first_session_that_may_be(open_services: Open) -> None:
    services = open_services()
    xinglong, nanshan, delingha = booked(services)
    run(services, xinglong)
    (key,) = services.waiting_key()
    over = xinglong.candidate.loses_at
    later = [delingha.candidate, nanshan.candidate]

    found = _coming(services, [xinglong.candidate, *later], over)

    assert found == {XINGLONG: [(nanshan.candidate.acquires_at, key.bits)]}
    assert _coming(services, [xinglong.candidate], over) == {}
    with services.ledger.read() as reader:
        facts = demand_facts(services, reader.stock(), {}, found)
    (supply,) = [one for one in facts["supplies"] if one.pool_id == XINGLONG]
    assert supply == LinkSupply(
        pool_id=XINGLONG, stock_bits=0, coming=((nanshan.candidate.acquires_at, key.bits),)
    )


def test_with_a_delay_it_comes_in_its_time(open_services: Open) -> None:
    services = open_services(POLAR)
    xinglong, *_ = booked(services)
    run(services, xinglong)
    over = xinglong.candidate.loses_at

    ((when, _),) = _coming(services, [], over)[XINGLONG]

    assert when == over + timedelta(hours=1)


def test_a_plan_is_asked_with_it(open_services: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    services = open_services()
    xinglong, nanshan, *_ = booked(services)
    run(services, xinglong)
    run(services, nanshan)
    services.close_overdue(at=MORNING)
    (key,) = services.waiting_key()
    assert key.pool_id == NANSHAN
    asked: list[PlanProblem] = []

    def seen(problem: PlanProblem, **more: Any) -> PlanDecision:
        asked.append(problem)
        return make_plan(problem, **more)

    monkeypatch.setattr(make, "make_plan", seen)
    first = booked(services, MORNING)[0]

    (problem,) = asked
    supplies = {one.pool_id: one for one in problem.supplies}
    earliest = min(one.acquires_at for one in problem.candidates)
    assert supplies[NANSHAN].coming == ((earliest, key.bits),)
    assert supplies[NANSHAN].stock_bits == 0
    assert supplies[XINGLONG].stock_bits > 0
    assert first.candidate.acquires_at >= earliest
