"""Use case: merge what is due, one transaction a tick."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import fsum
from typing import TYPE_CHECKING, Any

from scheduler.errors import LedgerBroken
from scheduler.facts import (
    Announcement,
    Chunk,
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
    collision_bound,
    forgery_bound,
    plan_merges,
    prove_equality,
    tag,
    tag_fits,
)

if TYPE_CHECKING:
    from uuid import UUID

    from scheduler.ledger import CommandHandle, Reader, SpentChunk, Transaction
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gain:
    """What a step gained at both ends, proved equal, not yet deposited."""

    natural_key: str
    step: MergeStep | CombinedStep
    provenance: Provenance
    near_key: bytes = field(repr=False)
    far_key: bytes = field(repr=False)
    simulated: bool
    eps_total: float


def decide_merges(context: Context, reader: Reader, *, now: datetime) -> MergePlan:
    """What a tick at `now` would merge, and why each demand gets what it gets."""
    scenario = context.scenario
    return plan_merges(
        scenario=scenario,
        demands=scenario.demands,
        stock=reader.stock(),
        served=served_lately(reader, now),
        now=now,
        routes=context.routes,
        tagged=True,
        proved=True,
    )


def merge_due(
    context: Context, *, scheduled_for: datetime, request: str | None = None
) -> dict[str, Any]:
    """Plan and carry out the merges of one tick; a repeated tick returns its first answer.

    A tick is known by its instant, or by the `request` that somebody names it.

    Every step spends one run of chunks on each hop, has the relays announce, proves both ends
    equal by a universal hash (256 bits of the run), and deposits what is left with its
    provenance. One tag a link covers all the tick's announcements that travel on it.
    """
    request_id = f"merge/{request or instant_key(scheduled_for)}"
    with context.ledger.begin() as tx:
        answered = tx.answer(request_id, kind="merge")
        if answered is not None:
            return answered
        plan = decide_merges(context, tx, now=scheduled_for)
        command = tx.command(request_id, kind="merge", at=scheduled_for)
        tick = _Tick(context, tx, command, plan)
        steps: tuple[MergeStep | CombinedStep, ...] = (*plan.steps, *plan.combined)
        gains = [
            tick.carry_out(step, natural_key=f"{request_id}/{index}")
            for index, step in enumerate(steps)
        ]
        for link in plan.tagged_links:
            tick.tag_announcements(link)
        answer = {
            "steps": [tick.deposit(gain) for gain in gains],
            "reasons": dict(plan.reasons),
            "tags": len(plan.tagged_links),
        }
        command.finish(answer)
    return answer


def served_lately(reader: Reader, now: datetime) -> dict[str, int]:
    """Bits merged for each demand in the 24 hours before `now`."""
    served: Counter[str] = Counter()
    for command in reader.commands(kind="merge", since=now - timedelta(days=1)):
        for step in command.answer["steps"]:
            # A tick exactly a day ago belongs to the day before.
            if command.at > now - timedelta(days=1):
                served[step["demand"]] += step["bits"]
    return dict(served)


class _Purse:
    """What one tick spends of one link: claimed in one piece, handed out run by run."""

    def __init__(self, chunks: Sequence[SpentChunk]) -> None:
        self._chunks = list(chunks)

    def draw(self, bits: int) -> Hop:
        """The next run of `bits`, whole bytes."""
        run: list[SpentChunk] = []
        while bits:
            chunk = self._chunks.pop(0)
            if chunk.chunk.length_bits > bits:
                chunk, rest = _split(chunk, bits)
                self._chunks.insert(0, rest)
            run.append(chunk)
            bits -= chunk.chunk.length_bits
        return run


def _split(spent: SpentChunk, bits: int) -> tuple[SpentChunk, SpentChunk]:
    """Cut a spent range in two after `bits`, a multiple of 8."""
    at, cut = spent.chunk.start_bit + bits, bits // 8
    first = replace(
        spent,
        chunk=replace(spent.chunk, end_bit=at),
        material_a=spent.material_a[:cut],
        material_b=spent.material_b[:cut],
    )
    rest = replace(
        spent,
        chunk=replace(spent.chunk, start_bit=at),
        material_a=spent.material_a[cut:],
        material_b=spent.material_b[cut:],
    )
    return first, rest


def _needs(plan: MergePlan) -> dict[str, int]:
    """Bits that the plan spends on each link, tags included."""
    needs: Counter[str] = Counter()
    legs = [*plan.steps, *(leg for step in plan.combined for leg in step.legs)]
    for leg in legs:
        for link in leg.links:
            needs[link] += leg.bits
    needs.update(dict.fromkeys(plan.tagged_links, TAG_KEY_BITS))
    return dict(needs)


class _Tick:
    """The merges of one tick, inside one transaction."""

    def __init__(
        self, context: Context, tx: Transaction, command: CommandHandle, plan: MergePlan
    ) -> None:
        self.context = context
        self.tx = tx
        self.command = command
        self._said: list[_Said] = []
        self._forgery: dict[str, float] = {}
        # One range a link and tick, not one a merge: the ledger grows with links, not with pairs.
        self._purses = {
            link: _Purse(tx.spend(command, link, bits)) for link, bits in _needs(plan).items()
        }

    def carry_out(self, step: MergeStep | CombinedStep, *, natural_key: str) -> _Gain:
        """Spend, announce, and prove both ends equal; the gain is deposited by `deposit`."""
        legs = step.legs if isinstance(step, CombinedStep) else (step,)
        spent = [[self._purses[link].draw(step.bits) for link in leg.links] for leg in legs]
        copies = [
            [_copies(hop, from_a) for hop, from_a in zip(hops, _ends(leg), strict=True)]
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
        chunks = [chunk for hops in spent for hop in hops for chunk in hop]
        sources = {chunk.chunk.block_id: chunk.eps_total for chunk in chunks}
        return _Gain(
            natural_key=natural_key,
            step=step,
            provenance=Provenance.of(step, tuple(ids), _direct(legs, spent)),
            near_key=near.key,
            far_key=far.key,
            simulated=any(chunk.simulated for chunk in chunks),
            # Failure probabilities add up: every source block's, and that of the proof.
            eps_total=fsum([*sources.values(), collision_bound(len(near.key))]),
        )

    def deposit(self, gain: _Gain) -> dict[str, Any]:
        """Put what a step gained into the pool of its two ends."""
        step = gain.step
        legs = step.legs if isinstance(step, CombinedStep) else (step,)
        first, last = legs[0].path[0], legs[0].path[-1]
        pool = Pool.pair(first, last)
        block = NewBlock(
            block_id=self.context.entropy.uuid("block", gain.natural_key),
            pool=pool,
            natural_key=gain.natural_key,
            length_bits=step.bits - PROOF_BITS,
            source="combined" if isinstance(step, CombinedStep) else "relayed",
            simulated=gain.simulated,
            eps_total=gain.eps_total
            + sum(self._forgery.get(link, 0.0) for leg in legs for link in leg.links),
        )
        at_a, at_b = gain.near_key, gain.far_key
        if first != pool.node_a:
            at_a, at_b = at_b, at_a
        self.tx.deposit(
            self.command,
            block,
            material_a=at_a,
            material_b=at_b,
            provenance=gain.provenance.as_dict(),
        )
        return {
            "demand": step.demand_id,
            "pool": pool.pool_id,
            "bits": block.length_bits,
            "paths": [list(leg.path) for leg in legs],
            "threshold": gain.provenance.threshold,
            "block": str(block.block_id),
            "announcements": len(gain.provenance.announcements),
        }

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
        hop = self._purses[link].draw(TAG_KEY_BITS)
        tagged = tag(message, key=b"".join(item.material_a for item in hop))
        if not tag_fits(message, key=b"".join(item.material_b for item in hop), tagged=tagged):
            raise LedgerBroken(f"the tag of the announcements on {link} does not fit")
        self._forgery[link] = forgery_bound(len(message))


def _direct(legs: Sequence[MergeStep], spent: Sequence[Sequence[Hop]]) -> tuple[Chunk, ...]:
    """The ranges of a path that is one link long; announcements name those of the others."""
    return tuple(
        item.chunk
        for leg, hops in zip(legs, spent, strict=True)
        if len(leg.links) == 1
        for item in hops[0]
    )


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
