"""What one merge tick spends, says in public and merged_keys, inside one transaction."""

from __future__ import annotations

import hashlib
import hmac
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from math import fsum
from typing import TYPE_CHECKING, Any

import numpy as np

from scheduler.domain import (
    Announcement,
    Chunk,
    CombinedStep,
    MergeStep,
    NewBlock,
    Pool,
    Provenance,
    instant_key,
)
from scheduler.errors import LedgerBroken
from scheduler.ledger.keys.announcements import record_announcement
from scheduler.ledger.keys.deposit import deposit_block, expect_blocks
from scheduler.ledger.keys.spending import spend_pools
from scheduler.merge import (
    PROOF_BITS,
    TAG_KEY_BITS,
    EqualityProof,
    LinkKey,
    announcement_message,
    collision_bound,
    forgery_bound,
    legs_of,
    prove_all,
    relay_steps,
    tag,
    tag_fits,
)

if TYPE_CHECKING:
    from uuid import UUID

    from numpy.typing import NDArray

    from scheduler.ledger import CommandHandle, SpentChunk, Transaction
    from scheduler.merge import Arrived, MergePlan, RelayAnnouncement, Relayed, Taken
    from scheduler.services.context import Context


class KeyBuffer:
    """What one tick spends of one link: claimed in one piece, handed out from its front.

    A run is named by its first bit, counted over all that was claimed.
    """

    def __init__(self, link: str, claimed: Sequence[SpentChunk]) -> None:
        self._claimed = claimed
        self._starts = [0, *accumulate(one.chunk.length_bits for one in claimed)]
        self.key = LinkKey(
            pool=Pool.parse(link),
            at_a=b"".join(one.material_a for one in claimed),
            at_b=b"".join(one.material_b for one in claimed),
        )

    def copies(self, start: int, bits: int) -> tuple[bytes, bytes]:
        """A run as node_a and as node_b of the link hold it."""
        first, last = start // 8, (start + bits) // 8
        return self.key.at_a[first:last], self.key.at_b[first:last]

    def eps_and_simulated(self, taken: Taken) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """For each run the failure probability of the blocks behind it, and if any is simulated."""
        first = np.searchsorted(self._starts, taken.start, side="right") - 1
        last = np.searchsorted(self._starts, taken.start + taken.bits - 1, side="right")
        eps = np.array([one.eps_total for one in self._claimed])[first]
        simulated = np.array([one.simulated for one in self._claimed])[first]
        for row in np.flatnonzero(last > first + 1).tolist():  # those over several blocks
            behind = self._claimed[first[row] : last[row]]
            every = {one.chunk.block_id: one.eps_total for one in behind}
            eps[row] = fsum(every.values())
            simulated[row] = any(one.simulated for one in behind)
        return eps, simulated

    def oldest(self, start: int, bits: int) -> datetime:
        """When the oldest block behind a run was received; of key claimed by its age alone."""
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, start + bits - 1, first)
        known = [one.received_at for one in self._claimed[first:last] if one.received_at]
        assert len(known) == last - first
        return min(known)

    def chunks(self, start: int, bits: int) -> Iterator[Chunk]:
        """A run as ranges of blocks."""
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, start + bits - 1, first)
        for offset, one in zip(self._starts[first:last], self._claimed[first:last], strict=True):
            low = max(start - offset, 0)
            high = min(start + bits - offset, one.chunk.length_bits)
            whole = one.chunk
            yield Chunk(
                block_id=whole.block_id,
                pool_id=whole.pool_id,
                start_bit=whole.start_bit + low,
                end_bit=whole.start_bit + high,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedKey:
    """What a step gained at both ends, proved equal, not yet deposited."""

    natural_key: str
    step: MergeStep | CombinedStep
    provenance: Provenance
    announced: tuple[int, ...]  #: the ledger's numbers of what relays announced for it
    near_key: bytes = field(repr=False)
    far_key: bytes = field(repr=False)
    simulated: bool
    eps_total: float
    expires_at: datetime | None  #: where its demand limits its age


class MergeExecution:
    """The merges of one tick: carried out, announced, tagged, and their merged_keys deposited."""

    def __init__(
        self,
        context: Context,
        tx: Transaction,
        command: CommandHandle,
        *,
        plan: MergePlan,
        needs: Sequence[tuple[datetime | None, Mapping[str, int]]],
    ) -> None:
        self._context = context
        self._tx = tx
        self._command = command
        self._max_age_s = plan.max_age_s
        # One range a link, limit of age and tick, not one a merge: the ledger grows with links,
        # not with pairs. Steps take from the front of a buffer, so the shortest limit lies there.
        spent: dict[str, list[SpentChunk]] = {}
        for received_after, bits in needs:
            for link, held in spend_pools(tx, command, bits, received_after=received_after).items():
                spent[link] = spent[link] + held if link in spent else held
        self._buffers = {link: KeyBuffer(link, held) for link, held in spent.items()}
        keys = {link: buffer.key for link, buffer in self._buffers.items()}
        self._relayed: Relayed = relay_steps(plan.every_step, keys)
        self._numbers: list[int] = []  #: of what relays announced, in their order
        self._forgery: dict[str, float] = {}

    def _name(self, said: RelayAnnouncement) -> UUID:
        key = (self._command.request_id, said.relay, said.left, said.right)
        return self._context.entropy.uuid("announcement", *key)

    def announce(self, tags: Iterable[tuple[str, str]]) -> None:
        """Record what each relay made public, and spend a key of its links on each tag.

        `tags` are the links, and the node that sends over each: two keys where both do.
        """
        told: list[bytes] = []
        for said in self._relayed.announcements:
            name = self._name(said)
            told.append(announcement_message([(name, said.relay, said.payload)]))
            announcement = Announcement(
                announcement_id=name,
                relay=said.relay,
                left=self._ranges(said.left, said.left_runs),
                right=self._ranges(said.right, said.right_runs),
                length_bits=8 * len(said.payload),
                sha256=hashlib.sha256(said.payload).hexdigest(),
            )
            self._numbers.append(record_announcement(self._tx, self._command, announcement))
        used = dict(self._relayed.drawn)
        for link, sender in tags:
            message = b"".join([told[place] for place in self._relayed.travels[link, sender]])
            bound = self._tag(link, used[link], message)
            self._forgery[link] = self._forgery.get(link, 0.0) + bound
            used[link] += TAG_KEY_BITS

    def _ranges(self, link: str, runs: Iterable[tuple[int, int]]) -> tuple[Chunk, ...]:
        buffer = self._buffers[link]
        return tuple(chunk for start, bits in runs for chunk in buffer.chunks(start, bits))

    def _tag(self, link: str, start: int, message: bytes) -> float:
        """Tag what travels on a link one way; return how likely a forgery passes.

        The sending end tags with its copy, the receiving end checks with its own. Corrections
        of a combination need no tag: the proof of equality finds any change of theirs.
        """
        at_a, at_b = self._buffers[link].copies(start, TAG_KEY_BITS)
        if not tag_fits(message, key=at_b, tagged=tag(message, key=at_a)):
            raise LedgerBroken(f"the tag of the announcements on {link} does not fit")
        return forgery_bound(len(message))

    def merged_keys(self) -> list[MergedKey]:
        """Prove both ends of every step equal. Raises LedgerBroken if they are not."""
        arrived = self._relayed.arrived
        # Each end hashes its own run; here both do in one go.
        proofs = prove_all([*(one.near_run for one in arrived), *(one.far_run for one in arrived)])
        near, far = proofs[: len(arrived)], proofs[len(arrived) :]
        eps, simulated = self._eps_and_simulated()
        request = self._command.request_id
        ends = zip(arrived, near, far, eps, simulated, strict=True)
        return [self._merged_key(f"{request}/{index}", *one) for index, one in enumerate(ends)]

    def _eps_and_simulated(self) -> tuple[list[float], list[bool]]:
        """Of each step: failure probability of its source blocks and tags; simulated or not."""
        count = len(self._relayed.arrived)
        eps, simulated = np.zeros(count), np.zeros(count, dtype=np.bool_)
        for link, taken in self._relayed.taken.items():
            mine, made_up = self._buffers[link].eps_and_simulated(taken)
            np.add.at(eps, taken.step, mine + self._forgery.get(link, 0.0))
            np.logical_or.at(simulated, taken.step, made_up)
        return eps.tolist(), simulated.tolist()

    def _merged_key(
        self,
        natural_key: str,
        one: Arrived,
        near: EqualityProof,
        far: EqualityProof,
        eps: float,
        simulated: bool,
    ) -> MergedKey:
        if not hmac.compare_digest(near.tag, far.tag):
            raise LedgerBroken(f"merge {natural_key}: the two ends hold unequal keys")
        return MergedKey(
            natural_key=natural_key,
            step=one.step,
            provenance=Provenance.of(one.step, runs=one.runs),
            announced=tuple([self._numbers[place] for place in one.announcements]),
            near_key=near.key,
            far_key=far.key,
            simulated=simulated,
            # Failure probabilities add up: of the source blocks, of the tags, of the proof.
            eps_total=eps + collision_bound(len(near.key)),
            expires_at=self._expires_at(one) if self._max_age_s else None,
        )

    def _expires_at(self, one: Arrived) -> datetime | None:
        """When the oldest link key behind a step grows too old for its demand."""
        limit = self._max_age_s.get(one.step.demand_id)
        if limit is None:
            return None
        oldest = min(
            self._buffers[link].oldest(start, one.step.bits)
            for leg, starts in zip(legs_of(one.step), one.runs, strict=True)
            for link, start in zip(leg.links, starts, strict=True)
        )
        return oldest + timedelta(seconds=limit)

    def deposit(self, merged_keys: Sequence[MergedKey]) -> list[dict[str, Any]]:
        """Put what the steps gained into the pools of their two ends; return what to tell."""
        blocks = [self._block(gain) for gain in merged_keys]
        expect_blocks(self._tx, blocks)
        return [self._deposit(gain, block) for gain, block in zip(merged_keys, blocks, strict=True)]

    def _block(self, gain: MergedKey) -> NewBlock:
        path = legs_of(gain.step)[0].path
        return NewBlock(
            block_id=self._context.entropy.uuid("block", gain.natural_key),
            pool=Pool.pair(path[0], path[-1]),
            natural_key=gain.natural_key,
            length_bits=gain.step.bits - PROOF_BITS,
            source="combined" if isinstance(gain.step, CombinedStep) else "relayed",
            simulated=gain.simulated,
            eps_total=gain.eps_total,
        )

    def _deposit(self, gain: MergedKey, block: NewBlock) -> dict[str, Any]:
        legs, pool = legs_of(gain.step), block.pool
        at_a, at_b = gain.near_key, gain.far_key
        if legs[0].path[0] != pool.node_a:
            at_a, at_b = at_b, at_a
        deposit_block(
            self._tx,
            self._command,
            block,
            material_a=at_a,
            material_b=at_b,
            provenance=gain.provenance,
            announced=gain.announced,
            expires_at=gain.expires_at,
        )
        limited = {} if gain.expires_at is None else {"expires_at": instant_key(gain.expires_at)}
        return {
            **limited,
            "demand": gain.step.demand_id,
            "pool": pool.pool_id,
            "bits": block.length_bits,
            "threshold": gain.provenance.threshold,
            "block": str(block.block_id),
            "announcements": len(gain.announced),
        }
