"""Use cases: all that a ledger's plans, merges and accounts came to, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.domain import BalancePoint
from scheduler.ledger.keys.history import get_balances_at
from scheduler.services.merges.answers import merge_views
from scheduler.services.merges.history import merge_commands
from scheduler.services.plans.explain import get_plan, plan_names

if TYPE_CHECKING:
    from scheduler.domain import PlanView
    from scheduler.services.context import Context


def every_plan(context: Context) -> Iterator[PlanView]:
    """Yield each plan with its passes, by the start of its window."""
    for name in plan_names(context):
        yield get_plan(context, name)


def every_merged_key(context: Context) -> Iterator[dict[str, Any]]:
    """Yield each merge of each execution with its instant, in the order in which they were done."""
    with context.view.read() as reader:
        for command in merge_commands(reader):
            (answer,) = merge_views(reader, [command.answer])
            for step in answer["steps"]:
                yield {"expires_at": None, "at": command.at, **step}


def balances_over_time(
    context: Context, *, start: datetime, end: datetime, step: timedelta = timedelta(days=1)
) -> Iterator[BalancePoint]:
    """Yield what each account that was not empty held, every `step` after `start`, and at `end`."""
    instants = []
    at = start + step
    while at < end:
        instants.append(at)
        at += step
    with context.view.read() as reader:
        for when, pool, account, bits in get_balances_at(reader, [*instants, end]):
            yield BalancePoint(at=when, pool=pool, account=account, bits=bits)
