"""Use cases around a merge: what would be done, what was done, what flowed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from scheduler.domain import (
    CombinedStep,
    DemandDecision,
    KeyFlow,
    MergeDecision,
    MergeStep,
    PlannedMerge,
    Pool,
)
from scheduler.errors import InputError
from scheduler.ledger.keys.stock import get_spent
from scheduler.ledger.reader import get_commands
from scheduler.services.merges.answers import merge_views
from scheduler.services.merges.due import decide_merges

if TYPE_CHECKING:
    from scheduler.ledger import CommandRecord, Reader
    from scheduler.network import Viewer
    from scheduler.services.context import Context

HISTORY_MAX = 1001  # a page, and whether there is another
"""Ticks that one question about the past returns at most."""


def plan_merges(context: Context, *, at: datetime) -> MergeDecision:
    """Decide a tick at `at` from what the ledger holds, and write nothing."""
    with context.view.read() as reader:
        plan = decide_merges(context, reader, now=at)
        served = context.served.lately(reader, at)
    steps = plan.every_step
    gets: Counter[str] = Counter()
    for step in steps:
        gets[step.demand_id] += step.bits
    return MergeDecision(
        at=at,
        demands=tuple(
            DemandDecision(
                demand=demand,
                served_bits=served.get(demand.demand_id, 0),
                bits=gets[demand.demand_id],
                level=plan.levels[demand.demand_id],
                reason=plan.reasons[demand.demand_id],
            )
            for demand in context.scenario.demands
        ),
        merges=tuple(map(_planned, steps)),
        tagged_links=tuple(dict.fromkeys(link for link, _ in plan.tags)),
        jain_index=plan.fairness,
    )


def _planned(step: MergeStep | CombinedStep) -> PlannedMerge:
    legs = step.legs if isinstance(step, CombinedStep) else (step,)
    return PlannedMerge(
        demand_id=step.demand_id,
        bits=step.bits,
        paths=tuple(leg.path for leg in legs),
        links=tuple(leg.links for leg in legs),
        threshold=step.threshold if isinstance(step, CombinedStep) else 1,
    )


def merge_history(
    context: Context,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int = 20,
    before: str | None = None,
) -> list[dict[str, Any]]:
    """The last `limit` ticks within [start, end), the newest last, each with its answer.

    Those before the tick of request `before`, where it is named. Raises InputError for a limit
    below 1 or above HISTORY_MAX.
    """
    if not 1 <= limit <= HISTORY_MAX:
        raise InputError(f"limit {limit}; allowed: 1 to {HISTORY_MAX}")
    with context.view.read() as reader:
        commands = merge_commands(reader, start, end)
        earlier = takewhile(lambda one: one.request_id != before, commands)
        kept = deque(earlier, maxlen=limit)
        answers = merge_views(reader, [command.answer for command in kept])
    return [
        {"request": command.request_id, "at": command.at, **_shown(context.viewer, answer)}
        for command, answer in zip(kept, answers, strict=True)
    ]


def _shown(viewer: Viewer, answer: dict[str, Any]) -> dict[str, Any]:
    """An execution with those of its steps that lead over nothing that is hidden."""
    if viewer.sees_all:
        return answer
    steps = [
        step
        for step in answer["steps"]
        if viewer.hidden.isdisjoint(node for path in step["paths"] for node in path)
    ]
    reasons = {
        demand: viewer.shown(reason)
        for demand, reason in answer["reasons"].items()
        if viewer.shown(demand) == demand
    }
    return {**answer, "steps": steps, "reasons": reasons}


def key_flow(context: Context, *, start: datetime, end: datetime) -> KeyFlow:
    """Add up what merges spent on each link and gained for each pair in [start, end).

    Spent is what the ledger's accounts say: keys, proofs of equality, tags of announcements.
    """
    links: Counter[tuple[str, str]] = Counter()  # parallel links as one
    gained: dict[bool, Counter[tuple[str, str]]] = {False: Counter(), True: Counter()}
    with context.view.read() as reader:
        for name, bits in get_spent(reader, kind="merge", since=start, until=end).items():
            link = Pool.parse(name)
            if context.viewer.sees_pool(name):
                links[link.node_a, link.node_b] += bits
        for command in merge_commands(reader, start, end):
            (answer,) = merge_views(reader, [command.answer])
            for step in _shown(context.viewer, answer)["steps"]:
                pool = Pool.parse(step["pool"])
                gained[len(step["paths"]) > 1][pool.node_a, pool.node_b] += step["bits"]
    return KeyFlow(
        start=start, end=end, links=dict(links), pairs=dict(gained[False]),
        combined=dict(gained[True]),
    )  # fmt: skip


def merge_commands(
    reader: Reader, start: datetime | None = None, end: datetime | None = None
) -> Iterator[CommandRecord]:
    """Every merge command within [start, end), in the order they were given."""
    after = 0
    while page := get_commands(reader, kind="merge", since=start, after=after):
        yield from (command for command in page if end is None or command.at < end)
        after = page[-1].command_id
