"""What one merge tick spends, says in public and gains, inside one transaction."""

from __future__ import annotations

import hashlib
import hmac
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from math import fsum
from typing import TYPE_CHECKING, Any

from scheduler.errors import LedgerBroken
from scheduler.facts import Announcement, Chunk, CombinedStep, MergeStep, NewBlock, Pool, Provenance
from scheduler.merge import (
    PROOF_BITS,
    TAG_KEY_BITS,
    announcement_message,
    carry_out,
    collision_bound,
    forgery_bound,
    prove_equality,
    tag,
    tag_fits,
)

if TYPE_CHECKING:
    from uuid import UUID

    from scheduler.ledger import CommandHandle, SpentChunk, Transaction
    from scheduler.services.context import Context

Meeting = tuple[str, str, str]
"""A relay and the two links that it joins, in the direction of the path."""


class Purse:
    """What one tick spends of one link: claimed in one piece, handed out run by run.

    A run is named by its first bit, counted over all that was claimed.
    """

    def __init__(self, claimed: Sequence[SpentChunk]) -> None:
        self.claimed = claimed
        self._at_a = b"".join(one.material_a for one in claimed)
        self._at_b = b"".join(one.material_b for one in claimed)
        self._starts = [0, *accumulate(one.chunk.length_bits for one in claimed)]
        self._next = 0

    def draw(self, bits: int) -> int:
        """The first bit of the next run of `bits`, whole bytes."""
        start = self._next
        self._next += bits
        assert self._next <= self._starts[-1]
        return start

    def copies(self, start: int, bits: int) -> tuple[bytes, bytes]:
        """A run as node_a and as node_b of the link hold it."""
        first, last = start // 8, (start + bits) // 8
        return self._at_a[first:last], self._at_b[first:last]

    def behind(self, start: int, bits: int) -> Sequence[SpentChunk]:
        """The claimed ranges that a run lies in."""
        first = bisect_right(self._starts, start) - 1
        return self.claimed[first : bisect_right(self._starts, start + bits - 1)]

    def chunks(self, start: int, bits: int) -> Iterator[Chunk]:
        """A run as ranges of blocks."""
        first = bisect_right(self._starts, start) - 1
        for offset, one in zip(self._starts[first:], self.behind(start, bits), strict=False):
            low = max(start - offset, 0)
            high = min(start + bits - offset, one.chunk.length_bits)
            origin = one.chunk.start_bit
            yield replace(one.chunk, start_bit=origin + low, end_bit=origin + high)


@dataclass(slots=True)
class _Said:
    """What one relay makes public in a tick about two of its links: runs laid end to end."""

    announcement_id: UUID
    left: list[tuple[int, int]] = field(default_factory=list)  #: (first bit, bits) of each run
    right: list[tuple[int, int]] = field(default_factory=list)
    payload: bytearray = field(default_factory=bytearray)
    travels: set[str] = field(default_factory=set)  #: links on the way to the far ends
    told: bytes = b""  #: as tags cover it: id, relay and payload

    def add(self, left: int, right: int, payload: bytes) -> None:
        """Say one run more."""
        bits = 8 * len(payload)
        for runs, start in ((self.left, left), (self.right, right)):
            first, before = runs[-1] if runs else (start, 0)
            if runs and first + before == start:
                runs[-1] = (first, before + bits)
            else:
                runs.append((start, bits))
        self.payload += payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What a step gained at both ends, proved equal, not yet deposited."""

    natural_key: str
    step: MergeStep | CombinedStep
    provenance: Provenance
    near_key: bytes = field(repr=False)
    far_key: bytes = field(repr=False)
    simulated: bool
    eps_total: float


def legs_of(step: MergeStep | CombinedStep) -> tuple[MergeStep, ...]:
    """The paths of a step, one or several."""
    return step.legs if isinstance(step, CombinedStep) else (step,)


class Tick:
    """The merges of one tick. Steps first, then what they said in public, then their gains."""

    def __init__(
        self, context: Context, tx: Transaction, command: CommandHandle, needs: dict[str, int]
    ) -> None:
        self.context = context
        self.tx = tx
        self.command = command
        self._said: dict[Meeting, _Said] = {}
        self._ways: set[tuple[str, ...]] = set()
        self._forgery: dict[str, float] = {}
        # One range a link and tick, not one a merge: the ledger grows with links, not with pairs.
        self._purses = {link: Purse(held) for link, held in tx.spend_all(command, needs).items()}

    def carry_out(self, step: MergeStep | CombinedStep, *, natural_key: str) -> Gain:
        """Spend one run a hop, XOR at the relays, and prove both ends equal."""
        legs = legs_of(step)
        runs = tuple(
            tuple(self._purses[link].draw(step.bits) for link in leg.links) for leg in legs
        )
        copies = [
            [self._copies(leg, hop, start) for hop, start in enumerate(starts)]
            for leg, starts in zip(legs, runs, strict=True)
        ]
        merged = carry_out(step, copies)
        near, far = prove_equality(merged.near_run), prove_equality(merged.far_run)
        if not hmac.compare_digest(near.tag, far.tag):
            raise LedgerBroken(f"merge {natural_key}: the two ends hold unequal keys")
        ids = tuple(
            announcement_id
            for leg, starts, said in zip(legs, runs, merged.announced, strict=True)
            for announcement_id in self._say(leg, starts, said)
        )
        sources = {
            one.chunk.block_id: one
            for leg, starts in zip(legs, runs, strict=True)
            for link, start in zip(leg.links, starts, strict=True)
            for one in self._purses[link].behind(start, step.bits)
        }
        return Gain(
            natural_key=natural_key,
            step=step,
            provenance=Provenance.of(step, ids, runs),
            near_key=near.key,
            far_key=far.key,
            simulated=any(one.simulated for one in sources.values()),
            # Failure probabilities add up: every source block's, and that of the proof.
            eps_total=fsum(
                [*(one.eps_total for one in sources.values()), collision_bound(len(near.key))]
            ),
        )

    def _copies(self, leg: MergeStep, hop: int, start: int) -> tuple[bytes, bytes]:
        """A run of one hop as the hop's first and as its second node hold it."""
        link = leg.links[hop]
        at_a, at_b = self._purses[link].copies(start, leg.bits)
        return (at_a, at_b) if Pool.parse(link).node_a == leg.path[hop] else (at_b, at_a)

    def _say(
        self, leg: MergeStep, starts: Sequence[int], payloads: Sequence[bytes]
    ) -> Iterator[UUID]:
        """Add what the relays of one path say to what each says in the whole tick."""
        new_way = leg.links not in self._ways
        self._ways.add(leg.links)
        joined = zip(leg.path[1:-1], pairwise(leg.links), pairwise(starts), payloads, strict=True)
        for hop, (relay, (left, right), (left_at, right_at), payload) in enumerate(joined):
            meeting = (relay, left, right)
            said = self._said.get(meeting)
            if said is None:
                name = (self.command.request_id, relay, left, right)
                said = _Said(self.context.entropy.uuid("announcement", *name))
                self._said[meeting] = said
            said.add(left_at, right_at, payload)
            if new_way:
                said.travels.update(leg.links[hop + 1 :])
            yield said.announcement_id

    def announce(self) -> None:
        """Record what each relay made public: one announcement for two links and a tick."""
        for (relay, left, right), said in self._said.items():
            payload = bytes(said.payload)
            said.told = announcement_message([(said.announcement_id, relay, payload)])
            self.tx.announce(
                self.command,
                Announcement(
                    announcement_id=said.announcement_id,
                    relay=relay,
                    left=self._ranges(left, said.left),
                    right=self._ranges(right, said.right),
                    length_bits=8 * len(payload),
                    sha256=hashlib.sha256(payload).hexdigest(),
                ),
            )

    def _ranges(self, link: str, runs: Iterable[tuple[int, int]]) -> tuple[Chunk, ...]:
        purse = self._purses[link]
        return tuple(chunk for start, bits in runs for chunk in purse.chunks(start, bits))

    def tag_announcements(self, link: str) -> None:
        """Spend one key of a link on the tag of all announcements that travel on it.

        The sending end tags with its copy, the receiving end checks with its own. Corrections
        of a combination need no tag: the proof of equality finds any change of theirs.
        """
        message = b"".join(said.told for said in self._said.values() if link in said.travels)
        purse = self._purses[link]
        at_a, at_b = purse.copies(purse.draw(TAG_KEY_BITS), TAG_KEY_BITS)
        if not tag_fits(message, key=at_b, tagged=tag(message, key=at_a)):
            raise LedgerBroken(f"the tag of the announcements on {link} does not fit")
        self._forgery[link] = forgery_bound(len(message))

    def deposit(self, gains: Sequence[Gain]) -> list[dict[str, Any]]:
        """Put what the steps gained into the pools of their two ends."""
        blocks = [self._block(gain) for gain in gains]
        self.tx.expect(blocks)
        return [self._deposit(gain, block) for gain, block in zip(gains, blocks, strict=True)]

    def _block(self, gain: Gain) -> NewBlock:
        step, legs = gain.step, legs_of(gain.step)
        forgery = [self._forgery.get(link, 0.0) for leg in legs for link in leg.links]
        return NewBlock(
            block_id=self.context.entropy.uuid("block", gain.natural_key),
            pool=Pool.pair(legs[0].path[0], legs[0].path[-1]),
            natural_key=gain.natural_key,
            length_bits=step.bits - PROOF_BITS,
            source="combined" if isinstance(step, CombinedStep) else "relayed",
            simulated=gain.simulated,
            eps_total=fsum([gain.eps_total, *forgery]),
        )

    def _deposit(self, gain: Gain, block: NewBlock) -> dict[str, Any]:
        legs, pool = legs_of(gain.step), block.pool
        at_a, at_b = gain.near_key, gain.far_key
        if legs[0].path[0] != pool.node_a:
            at_a, at_b = at_b, at_a
        self.tx.deposit(
            self.command,
            block,
            material_a=at_a,
            material_b=at_b,
            provenance=gain.provenance.as_dict(),
        )
        return {
            "demand": gain.step.demand_id,
            "pool": pool.pool_id,
            "bits": block.length_bits,
            "paths": [list(leg.path) for leg in legs],
            "threshold": gain.provenance.threshold,
            "block": str(block.block_id),
            "announcements": len(gain.provenance.announcements),
        }
