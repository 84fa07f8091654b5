"""Pools, blocks and chunks of key, and where a key came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from scheduler.errors import FactError

MADE_HERE = ("merge/", "pooled/", "session/", "sifted/", "span/")
"""How the natural keys of blocks that are made here begin; key from outside has other ones."""


class PoolKind(StrEnum):
    """What a pool holds: key of one quantum link, or end-to-end key of a pair of nodes."""

    LINK = "link"
    PAIR = "pair"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The key that two nodes share, by one link or end to end.

    `pool_id` is the natural key, `link:a--b`, `link:a--b#2` (a parallel link) or `pair:a--b`,
    with the two node names in alphabetical order.
    """

    kind: PoolKind
    node_a: str
    node_b: str
    parallel: int = 1
    #: the name under which the ledger keeps this pool
    pool_id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.node_a < self.node_b:
            raise FactError(
                f"a pool names two nodes in alphabetical order, got {self.node_a}, {self.node_b}"
            )
        if self.parallel < 1:
            raise FactError(f"parallel link {self.parallel}; allowed: 1 and up")
        suffix = f"#{self.parallel}" if self.parallel > 1 else ""
        pool_id = f"{self.kind.value}:{self.node_a}--{self.node_b}{suffix}"
        object.__setattr__(self, "pool_id", pool_id)

    @staticmethod
    def link(one: str, other: str, parallel: int = 1) -> Pool:
        """The pool of a quantum link between two nodes, in either order."""
        return _pool_between(PoolKind.LINK, *sorted((one, other)), parallel)

    @staticmethod
    def pair(one: str, other: str) -> Pool:
        """The pool of end-to-end key between two nodes, in either order."""
        return _pool_between(PoolKind.PAIR, *sorted((one, other)))

    @classmethod
    def parse(cls, pool_id: str) -> Pool:
        """Read a `pool_id` back. Raises FactError if it has not that form."""
        return _parse_pool(pool_id)


@lru_cache(maxsize=4096)
def _pool_between(kind: PoolKind, node_a: str, node_b: str, parallel: int = 1) -> Pool:
    """Return the one object for each pool of a network; every tick asks for all of them."""
    return Pool(kind=kind, node_a=node_a, node_b=node_b, parallel=parallel)


@lru_cache(maxsize=4096)
def _parse_pool(pool_id: str) -> Pool:
    """Read a pool's name; a merge asks thousands of times for the few hundred of a network."""
    kind, _, rest = pool_id.partition(":")
    nodes, _, parallel = rest.partition("#")
    node_a, found, node_b = nodes.partition("--")
    if (
        kind not in {"link", "pair"}
        or not found
        or (parallel and not (parallel.isascii() and parallel.isdigit() and len(parallel) <= 9))
    ):
        raise FactError(f"pool id {pool_id!r}; allowed: link:a--b, link:a--b#2, pair:a--b")
    return Pool(kind=PoolKind(kind), node_a=node_a, node_b=node_b, parallel=int(parallel or 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBlock:
    """A block of settled key about to be deposited; the bytes travel beside it, never inside."""

    block_id: UUID
    pool: Pool
    natural_key: str  #: e.g. session/micius/xinglong/2016-12-19T16:48:03.120Z; unique
    length_bits: int
    source: str
    simulated: bool
    eps_total: float = 0.0  #: failure probability this block carries; the ledger sums them

    def __post_init__(self) -> None:
        if self.length_bits <= 0:
            raise FactError(f"block of {self.length_bits} bits; allowed: 1 and up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The half-open range [start_bit, end_bit) of a block."""

    block_id: UUID
    pool_id: str
    start_bit: int
    end_bit: int

    def __post_init__(self) -> None:
        if not 0 <= self.start_bit < self.end_bit:
            raise FactError(f"chunk [{self.start_bit}, {self.end_bit}) is empty or backwards")

    @property
    def length_bits(self) -> int:
        """Bits in the range."""
        return self.end_bit - self.start_bit


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a relay made public: the XOR of two adjacent chunk runs of equal length.

    Holds the digest of the public bytes; the announcement itself is no secret, its parts are.
    """

    announcement_id: UUID
    relay: str
    left: tuple[Chunk, ...]
    right: tuple[Chunk, ...]
    length_bits: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingKey:
    """A block of link key that its satellite has had no contact to announce; not yet usable."""

    block_id: UUID
    pool_id: str
    natural_key: str  #: e.g. session/micius/xinglong/2016-12-19T16:48:03.120Z
    bits: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoKnows:
    """Who could know an end-to-end key, in short."""

    paths: int
    threshold: int  #: paths that must be corrupt before the key is known
    single_points: tuple[str, ...]  #: nodes that know it all by themselves
    words: str  #: the same in a sentence, with the relays of each path


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
    archived: bool = False  #: what was spent for it left with a closed period
