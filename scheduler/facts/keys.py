"""What is told about merges and keys: decisions, where a key came from, what flowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from scheduler.facts.core import Announcement, Chunk, Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandDecision:
    """What one demand would get at a tick, and why."""

    demand: Demand
    served_bits: int  #: in the 24 hours before the tick
    bits: int  #: that this tick would spend on each hop for it, proofs of equality included
    level: float  #: served/demanded of a day, this tick included
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMerge:
    """One merge that a tick would make."""

    demand_id: str
    bits: int  #: spent on each hop, the proof of equality included
    paths: tuple[tuple[str, ...], ...]
    links: tuple[tuple[str, ...], ...]  #: pool_id of each hop of each path
    threshold: int  #: paths that must be corrupt before the key is known


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoKnows:
    """Who could know an end-to-end key, in short."""

    paths: int
    threshold: int  #: paths that must be corrupt before the key is known
    single_points: tuple[str, ...]  #: nodes that know it all by themselves
    words: str  #: the same in a sentence, with the relays of each path


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeDecision:
    """What a tick would merge, nothing of it written down."""

    at: datetime
    demands: tuple[DemandDecision, ...]
    merges: tuple[PlannedMerge, ...]
    tagged_links: tuple[str, ...]  #: pools that would spend a key on tagging announcements
    jain_index: float  #: of served/demanded bits over the demands, this tick included

    @property
    def bits(self) -> int:
        """End-to-end bits of the whole tick, proofs of equality included."""
        return sum(merge.bits for merge in self.merges)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingKey:
    """A block of link key that its satellite has had no contact to announce; not yet usable."""

    block_id: UUID
    pool_id: str
    natural_key: str  #: e.g. session/micius/xinglong/2016-12-19T16:48:03.120Z
    bits: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBlock:
    """A block of key as a trace shows it: what it is, and which command made it."""

    block_id: UUID
    pool_id: str
    natural_key: str  #: e.g. session/micius/xinglong/2016-12-19T16:48:03.120Z
    length_bits: int
    left_bits: int  #: behind the cursor: not yet handed out
    state: str
    source: str  #: which key source it came from, e.g. simulator, relayed, combined
    simulated: bool
    eps_total: float
    made_at: datetime
    expires_at: datetime | None  #: it leaves its pool then, and is never delivered after
    made_by: str  #: request id of the command
    command_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedHop:
    """One link of a path, and the ranges that were spent on it."""

    pool_id: str
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedPath:
    """One path behind an end-to-end key: nodes, hops, and what its relays announced."""

    nodes: tuple[str, ...]
    hops: tuple[TracedHop, ...]
    announcements: tuple[Announcement, ...]  #: one a relay, in the order of the path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTrace:
    """Where a block, or a key drawn from it, came from, and who could know it."""

    block: SourceBlock
    drawn: Chunk | None  #: the range of the drawn key that was asked about; None for a block
    paths: tuple[TracedPath, ...]  #: empty for a block that no merge made
    threshold: int  #: paths that must be corrupt before the key is known; 0 without a path
    known_to: str  #: a sentence
    single_points: tuple[str, ...]  #: nodes that know the key all by themselves
    minimal_sets: tuple[tuple[str, ...], ...]  #: the smallest sets that know it, smallest first
    sources: tuple[SourceBlock, ...]  #: sessions, spans and drops behind it, each once


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFlow:
    """Key that merges moved through the network in [start, end), in bits."""

    start: datetime
    end: datetime
    links: Mapping[tuple[str, str], int]  #: spent on relaying between two nodes, all its links
    pairs: Mapping[tuple[str, str], int]  #: gained end to end over single paths
    combined: Mapping[tuple[str, str], int]  #: gained end to end over several disjoint paths
