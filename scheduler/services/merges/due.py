"""Use case: merge what is due, one transaction a tick."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.domain import instant_key
from scheduler.ledger.keys.stock import get_stock, get_young_stock
from scheduler.ledger.log.canonical import request_digest
from scheduler.ledger.reader import last_command
from scheduler.merge import plan_merges
from scheduler.services.merges.answers import executed_view, merge_views
from scheduler.services.merges.execute import MergeExecution

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.merge import MergePlan
    from scheduler.services.context import Context


def decide_merges(context: Context, reader: Reader, *, now: datetime) -> MergePlan:
    """What a tick at `now` would merge, and why each demand gets what it gets."""
    context.check_scenario(reader)
    scenario = context.scenario
    limits = {one.max_age_s for one in scenario.demands if one.max_age_s is not None}
    return plan_merges(
        scenario=scenario,
        demands=scenario.demands,
        stock=get_stock(reader, at=now),
        young={
            limit: get_young_stock(reader, received_after=too_old(now, limit), at=now)
            for limit in limits
        },
        served=context.served.lately(reader, now),
        now=now,
        routes=context.routes,
        tagged=True,
        proved=True,
    )


def too_old(now: datetime, limit: float) -> datetime:
    """Key received then or before is too old for a demand of that limit."""
    return now - timedelta(seconds=limit)


def merge_due(
    context: Context, *, scheduled_for: datetime, request: str | None = None
) -> dict[str, Any]:
    """Plan and carry out the merges of one tick; a repeated tick returns its first answer.

    A tick is known by its instant, or by the `request` that somebody names it. It is decided on a
    snapshot, and once more inside the transaction if any command came in between.

    Every step spends one run of chunks on each hop, has the relays announce, proves both ends
    equal by a universal hash (256 bits of the run), and deposits what is left with its
    provenance. A relay announces once for any two of its links, and one tag for each direction
    of a link covers all the tick's announcements that travel there.
    """
    request_id = f"merge/{request or instant_key(scheduled_for)}"
    # Whoever names a request asks for its answer, whenever that is.
    digest = request_digest(request or scheduled_for)
    # Decided before the only writer is held up; good if nobody wrote in between.
    with context.existing_ledger.view.read() as reader:
        answered = reader.answer(request_id, kind="merge", digest=digest)
        if answered is not None:
            return merge_views(reader, [answered])[0]
        seen, plan = last_command(reader), decide_merges(context, reader, now=scheduled_for)
    with context.ledger.begin() as tx:
        if last_command(tx) != seen:
            answered = tx.answer(request_id, kind="merge", digest=digest)
            if answered is not None:
                return merge_views(tx, [answered])[0]
            plan = decide_merges(context, tx, now=scheduled_for)
        command = tx.command(request_id, kind="merge", at=scheduled_for, digest=digest)
        # The shortest limit takes first, in the order of the plan's steps.
        young = [(too_old(scheduled_for, age), bits) for age, bits in plan.young_needs.items()]
        tick = MergeExecution(context, tx, command, plan=plan, needs=[*young, (None, plan.needs)])
        tick.announce(plan.tags)
        merged_keys = tick.merged_keys()
        answer = {
            "steps": tick.deposit(merged_keys),
            "reasons": dict(plan.reasons),
            "tags": len(plan.tags),
        }
        command.finish(answer)
    return executed_view(answer, merged_keys)
