"""Use case: merge link key for one pair, now, because an application asked for more than it has."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from scheduler.domain import KEY_GRAIN_BITS, Demand, KeyConstraints, Pool
from scheduler.ledger.keys.stock import get_stock, get_young_stock
from scheduler.ledger.log.canonical import request_digest
from scheduler.merge import PROOF_BITS, plan_merges
from scheduler.paths import Routes, routes_of
from scheduler.services.merges.due import too_old
from scheduler.services.merges.execute import MergeExecution

if TYPE_CHECKING:
    from scheduler.ledger import Reader, Transaction
    from scheduler.merge import MergePlan
    from scheduler.services.context import Context

STEPS_ALLOWED_FOR = 4
"""Steps whose proofs of equality are planned for, beside the bits that are wanted."""
REFILL_BITS = 64 * KEY_GRAIN_BITS
"""Merged at least, where the links have it: one merge serves the requests that follow, too."""


def merge_for(
    context: Context, pool: Pool, bits: int, *, constraints: KeyConstraints, at: datetime
) -> int:
    """Merge at least so many bits for a pair, or what link stock there is; return the bits gained.

    Under the rules of the pair's demand in the scenario, where it has one, and `constraints`
    besides; what it gains counts as served to that demand. One transaction, like any merge.
    """
    demand = _demand_for(context, pool, constraints)

    def work(tx: Transaction) -> int:
        context.check_scenario(tx)
        plan = _plan(context, tx, demand, bits, now=at)
        if not plan.steps and not plan.combined:
            return 0
        command = tx.command(
            f"merge/at-request/{uuid4()}",
            kind="merge",
            at=at,
            digest=request_digest(pool.pool_id, bits),
        )
        young = [(too_old(at, age), needs) for age, needs in plan.young_needs.items()]
        done = MergeExecution(context, tx, command, plan=plan, needs=[*young, (None, plan.needs)])
        done.announce(plan.tags)
        steps = done.deposit(done.merged_keys())
        command.finish({"steps": steps, "reasons": dict(plan.reasons), "tags": len(plan.tags)})
        return sum(step["bits"] for step in steps)

    return context.existing_ledger.run(work)


def routes_between(context: Context, pool: Pool) -> Routes:
    """By which links a pair may be served, whatever they hold."""
    demand = _demand_for(context, pool, KeyConstraints())
    return routes_of(context.scenario, (demand,))[demand.demand_id]


def _demand_for(context: Context, pool: Pool, constraints: KeyConstraints) -> Demand:
    """What the pair demands by the scenario, and the request on top of it."""
    ours = [one for one in context.scenario.demands if one.pool == pool]
    demand = (
        ours[0]
        if ours
        else Demand(
            demand_id=f"{pool.node_a}--{pool.node_b}",
            node_a=pool.node_a,
            node_b=pool.node_b,
            bits_per_day=1,
        )
    )
    ages = [age for age in (demand.max_age_s, constraints.max_age_s) if age is not None]
    return replace(
        demand,
        min_disjoint_paths=max(demand.min_disjoint_paths, constraints.min_disjoint_paths),
        avoid_nodes=demand.avoid_nodes | constraints.avoid_nodes,
        max_age_s=min(ages, default=None),
        bits_per_day=1,
        low_water_bits=0,
    )


def _plan(
    context: Context, reader: Reader, demand: Demand, bits: int, *, now: datetime
) -> MergePlan:
    """What to merge so that the pair has `bits` more than now, its proofs paid for."""
    stock = get_stock(reader, at=now)
    wanted = -(-max(bits, REFILL_BITS) // KEY_GRAIN_BITS) * KEY_GRAIN_BITS
    wanted += STEPS_ALLOWED_FOR * PROOF_BITS
    limit = demand.max_age_s
    young = {}
    if limit is not None:
        received_after = too_old(now, limit)
        young = {limit: get_young_stock(reader, received_after=received_after, at=now)}
    asked = replace(
        demand,
        bits_per_day=wanted,
        high_water_bits=stock.get(demand.pool.pool_id, 0) + wanted,
    )
    return plan_merges(
        scenario=context.scenario,
        demands=[asked],
        stock=stock,
        served={},
        now=now,
        routes=routes_of(context.scenario, (demand,)),
        young=young,
        tagged=True,
        proved=True,
    )
