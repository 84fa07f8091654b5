"""Use case: merge what is due, one transaction a tick."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.errors import LedgerBroken
from scheduler.facts import (
    Announcement,
    CombinedStep,
    MergeStep,
    NewBlock,
    Pool,
    Provenance,
    instant_key,
)
from scheduler.merge import (
    PROOF_BITS,
    TAG_KEY_BITS,
    announcement_message,
    carry_out,
    plan_merges,
    prove_equality,
    tag,
    tag_fits,
)

if TYPE_CHECKING:
    from uuid import UUID

    from scheduler.ledger import CommandHandle, SpentChunk, Transaction
    from scheduler.merge import MergePlan
    from scheduler.services.context import Context

    Hop = Sequence[SpentChunk]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One announcement: which relay made it, and the links it travels to the far end."""

    announcement_id: UUID
    relay: str
    payload: bytes
    travels: tuple[str, ...]


def decide_merges(context: Context, tx: Transaction, *, now: datetime) -> MergePlan:
    """What a tick at `now` would merge, and why each demand gets what it gets."""
    scenario = context.scenario
    return plan_merges(
        scenario=scenario,
        demands=scenario.demands,
        stock=tx.stock(),
        served=_served_lately(tx, now),
        now=now,
        tagged=True,
        proved=True,
    )


def merge_due(context: Context, *, scheduled_for: datetime) -> dict[str, Any]:
    """Plan and carry out the merges of one tick; a repeated tick returns its first answer.

    Every step spends one run of chunks on each hop, has the relays announce, proves both ends
    equal by a universal hash (256 bits of the run), and deposits what is left with its
    provenance. One tag a link covers all the tick's announcements that travel on it.
    """
    request_id = f"merge/{instant_key(scheduled_for)}"
    with context.ledger.begin() as tx:
        answered = tx.answer(request_id)
        if answered is not None:
            return answered
        plan = decide_merges(context, tx, now=scheduled_for)
        command = tx.command(request_id, kind="merge", at=scheduled_for)
        tick = _Tick(context, tx, command)
        steps: tuple[MergeStep | CombinedStep, ...] = (*plan.steps, *plan.combined)
        for index, step in enumerate(steps):
            tick.carry_out(step, natural_key=f"{request_id}/{index}")
        for link in plan.tagged_links:
            tick.tag_announcements(link)
        answer = {
            "steps": tick.steps,
            "reasons": dict(plan.reasons),
            "tags": len(plan.tagged_links),
        }
        command.finish(answer)
    return answer


def _served_lately(tx: Transaction, now: datetime) -> dict[str, int]:
    """Bits merged for each demand in the 24 hours before `now`."""
    served: Counter[str] = Counter()
    for command in tx.commands(kind="merge", since=now - timedelta(days=1)):
        for step in command.answer["steps"]:
            # A tick exactly a day ago belongs to the day before.
            if command.at > now - timedelta(days=1):
                served[step["demand"]] += step["bits"]
    return dict(served)


class _Tick:
    """The merges of one tick, inside one transaction."""

    def __init__(self, context: Context, tx: Transaction, command: CommandHandle) -> None:
        self.context = context
        self.tx = tx
        self.command = command
        self.steps: list[dict[str, Any]] = []
        self._said: list[_Said] = []
        self._simulated = tx.simulated_pools()

    def carry_out(self, step: MergeStep | CombinedStep, *, natural_key: str) -> None:
        """Spend, announce, prove and deposit one step."""
        legs = step.legs if isinstance(step, CombinedStep) else (step,)
        spent = [
            [self.tx.spend(self.command, link, step.bits) for link in leg.links] for leg in legs
        ]
        copies = [
            [_copies(hop, ends) for hop, ends in zip(hops, _ends(leg), strict=True)]
            for leg, hops in zip(legs, spent, strict=True)
        ]
        merged = carry_out(step, copies)
        near, far = prove_equality(merged.near_run), prove_equality(merged.far_run)
        if not hmac.compare_digest(near.tag, far.tag):
            raise LedgerBroken(f"merge {natural_key}: the two ends hold unequal keys")
        ids = [
            announcement_id
            for leg, hops, said in zip(legs, spent, merged.announced, strict=True)
            for announcement_id in self._announce(leg, hops, said, natural_key)
        ]
        first, last = legs[0].path[0], legs[0].path[-1]
        pool = Pool.pair(first, last)
        provenance = Provenance.of(step, tuple(ids))
        block = NewBlock(
            block_id=self.context.entropy.uuid("block", natural_key),
            pool=pool,
            natural_key=natural_key,
            length_bits=step.bits - PROOF_BITS,
            source="combined" if isinstance(step, CombinedStep) else "merge",
            simulated=any(not self._simulated.isdisjoint(leg.links) for leg in legs),
        )
        at_a, at_b = (near, far) if first == pool.node_a else (far, near)
        self.tx.deposit(
            self.command,
            block,
            material_a=at_a.key,
            material_b=at_b.key,
            provenance=provenance.as_dict(),
        )
        self.steps.append(
            {
                "demand": step.demand_id,
                "pool": pool.pool_id,
                "bits": block.length_bits,
                "paths": [list(leg.path) for leg in legs],
                "threshold": provenance.threshold,
                "block": str(block.block_id),
                "announcements": len(ids),
            }
        )

    def _announce(
        self, leg: MergeStep, hops: Sequence[Hop], said: Sequence[bytes], natural_key: str
    ) -> list[UUID]:
        """Record what the relays of one path made public."""
        ids: list[UUID] = []
        for index, payload in enumerate(said):
            relay = leg.path[index + 1]
            announcement = Announcement(
                announcement_id=self.context.entropy.uuid("announcement", natural_key, relay),
                relay=relay,
                left=tuple(item.chunk for item in hops[index]),
                right=tuple(item.chunk for item in hops[index + 1]),
                length_bits=leg.bits,
                sha256=hashlib.sha256(payload).hexdigest(),
            )
            self.tx.announce(self.command, announcement)
            ids.append(announcement.announcement_id)
            self._said.append(
                _Said(
                    announcement_id=announcement.announcement_id,
                    relay=relay,
                    payload=payload,
                    travels=leg.links[index + 1 :],
                )
            )
        return ids

    def tag_announcements(self, link: str) -> None:
        """Spend one key of a link on the tag of all announcements that travel on it.

        The sending end tags with its copy, the receiving end checks with its own.
        """
        travelling = [item for item in self._said if link in item.travels]
        if not travelling:
            return
        message = announcement_message(
            (item.announcement_id, item.relay, item.payload) for item in travelling
        )
        hop = self.tx.spend(self.command, link, TAG_KEY_BITS)
        tagged = tag(message, key=b"".join(item.material_a for item in hop))
        if not tag_fits(message, key=b"".join(item.material_b for item in hop), tagged=tagged):
            raise LedgerBroken(f"the tag of the announcements on {link} does not fit")


def _ends(leg: MergeStep) -> list[bool]:
    """For each hop, whether the path enters it at the end that the pool calls node_a."""
    return [
        Pool.parse(link).node_a == node for link, node in zip(leg.links, leg.path[:-1], strict=True)
    ]


def _copies(hop: Hop, from_a: bool) -> tuple[bytes, bytes]:
    """The run's bytes as its first and as its second node hold them."""
    at_a = b"".join(item.material_a for item in hop)
    at_b = b"".join(item.material_b for item in hop)
    return (at_a, at_b) if from_a else (at_b, at_a)
