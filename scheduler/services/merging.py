"""Use case: merge what is due, one transaction a tick."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from scheduler.errors import LedgerBroken
from scheduler.facts import Announcement, MergeStep, NewBlock, Pool, instant_key
from scheduler.merge import far_end_key, plan_merges, xor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from scheduler.ledger import CommandHandle, SpentChunk, Transaction
    from scheduler.services.context import Context


def merge_due(context: Context, *, scheduled_for: datetime) -> dict[str, Any]:
    """Plan and carry out the merges of one tick; a repeated tick returns its first answer."""
    request_id = f"merge/{instant_key(scheduled_for)}"
    with context.ledger.begin() as tx:
        answered = tx.answer(request_id)
        if answered is not None:
            return answered
        scenario = context.scenario
        plan = plan_merges(
            scenario=scenario,
            demands=scenario.demands,
            stock=tx.stock(),
            served=_served_today(tx, scheduled_for),
            now=scheduled_for,
        )
        command = tx.command(request_id, kind="merge", at=scheduled_for)
        steps = [
            _relay(context, tx, command, step, natural_key=f"{request_id}/{index}")
            for index, step in enumerate(plan.steps)
        ]
        answer = {"steps": steps, "reasons": dict(plan.reasons)}
        command.finish(answer)
    return answer


def _served_today(tx: Transaction, now: datetime) -> dict[str, int]:
    """Bits merged for each demand in the 24 hours before `now`."""
    served: Counter[str] = Counter()
    for command in tx.commands(kind="merge", since=now - timedelta(days=1)):
        for step in command.answer["steps"]:
            served[step["demand"]] += step["bits"]
    return dict(served)


def _relay(
    context: Context, tx: Transaction, command: CommandHandle, step: MergeStep, *, natural_key: str
) -> dict[str, Any]:
    """Spend one run of chunks on every hop, announce, and gain the end-to-end block."""
    hops = [tx.spend(command, link, step.bits) for link in step.links]
    # Each relay XORs its own two copies; the far end needs its own copy and what was announced.
    public = [
        xor(_held_by(before, step.links[i], relay), _held_by(after, step.links[i + 1], relay))
        for i, (relay, (before, after)) in enumerate(
            zip(step.path[1:-1], pairwise(hops), strict=True)
        )
    ]
    near_key = _held_by(hops[0], step.links[0], step.path[0])
    far_key = far_end_key(_held_by(hops[-1], step.links[-1], step.path[-1]), public)
    if near_key != far_key:
        raise LedgerBroken(f"merge {natural_key}: the two ends of {step.path} hold unequal keys")
    ids = _announce(context, tx, command, step, hops, public, natural_key)
    pool = Pool.pair(step.path[0], step.path[-1])
    block = NewBlock(
        block_id=context.entropy.uuid("block", natural_key),
        pool=pool,
        natural_key=natural_key,
        length_bits=step.bits,
        source="merge",
        simulated=not tx.simulated_pools().isdisjoint(step.links),
    )
    tx.deposit(command, block, material_a=near_key, material_b=far_key)
    return {
        "demand": step.demand_id,
        "pool": pool.pool_id,
        "bits": step.bits,
        "path": list(step.path),
        "block": str(block.block_id),
        "announcements": len(ids),
    }


def _held_by(hop: Sequence[SpentChunk], pool_id: str, node: str) -> bytes:
    """The run's bytes as `node`, one end of the link, holds them."""
    pool = Pool.parse(pool_id)
    if node not in {pool.node_a, pool.node_b}:
        raise LedgerBroken(f"{node} is no end of {pool_id}")
    return b"".join(c.material_a if node == pool.node_a else c.material_b for c in hop)


def _announce(
    context: Context,
    tx: Transaction,
    command: CommandHandle,
    step: MergeStep,
    hops: Sequence[Sequence[SpentChunk]],
    public: Sequence[bytes],
    natural_key: str,
) -> list[UUID]:
    ids: list[UUID] = []
    for index, announced in enumerate(public):
        relay = step.path[index + 1]
        announcement = Announcement(
            announcement_id=context.entropy.uuid("announcement", natural_key, relay),
            relay=relay,
            left=tuple(item.chunk for item in hops[index]),
            right=tuple(item.chunk for item in hops[index + 1]),
            length_bits=step.bits,
            sha256=hashlib.sha256(announced).hexdigest(),
        )
        tx.announce(command, announcement)
        ids.append(announcement.announcement_id)
    return ids
