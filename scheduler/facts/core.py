"""Passes, bookings, pools, blocks, chunks and merges as facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from orbits import as_utc
from scheduler.errors import FactError

MAX_AGE_S_MAX = 3660 * 86_400.0
"""Longest limit of age that a demand may set: what a replay can span."""

KEY_GRAIN_BITS = 256
"""Merges move whole multiples of this; one AES-256 key is the least that anyone draws."""


class BookingState(StrEnum):
    """Life of a booking (terminal: settled, failed, missed, cancelled)."""

    PROPOSED = "proposed"
    BOOKED = "booked"
    PREPARING = "preparing"
    RUNNING = "running"
    SETTLED = "settled"
    FAILED = "failed"
    MISSED = "missed"
    CANCELLED = "cancelled"


TERMINAL_STATES = frozenset(
    {BookingState.SETTLED, BookingState.FAILED, BookingState.MISSED, BookingState.CANCELLED}
)


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
class Candidate:
    """A pass, or part of one, that could be booked, with the key it is expected to give.

    AOS and LOS (`acquires_at`, `loses_at`) bound the link itself: above the mask and dark.
    Expected bits are those of the forecast, before the weather: `clear_probability` is apart.
    """

    candidate_id: str  #: natural key: satellite/station/AOS, e.g. micius/xinglong/2016-12-19T...Z
    pass_id: str  #: natural key of the whole pass: satellite/station/rise
    satellite_id: str
    station_id: str
    acquires_at: datetime
    loses_at: datetime
    max_elevation_deg: float
    range_km_min: float
    elements_epoch: datetime
    sifted_bits: float
    secret_bits: float
    qber: float
    secret_bits_spread: float = 0.0  #: one standard deviation
    clear_probability: float = 1.0
    acquires_azimuth_deg: float | None = None  #: where the track is known, for slews
    acquires_elevation_deg: float | None = None
    loses_azimuth_deg: float | None = None
    loses_elevation_deg: float | None = None

    def __post_init__(self) -> None:
        for name in ("acquires_at", "loses_at", "elements_epoch"):
            object.__setattr__(self, name, as_utc(getattr(self, name)))
        if not self.acquires_at < self.loses_at:
            raise FactError(f"AOS {self.acquires_at} is not before LOS {self.loses_at}")
        if not 0.0 <= self.clear_probability <= 1.0:
            raise FactError(f"clear_probability {self.clear_probability}, not 0..1")
        if not self.secret_bits >= 0.0:
            raise FactError(f"secret_bits {self.secret_bits}; allowed: 0 and up")

    @property
    def expected_bits(self) -> float:
        """Secret bits expected of it, weather included."""
        return self.secret_bits * self.clear_probability

    @property
    def duration_s(self) -> float:
        """Seconds from AOS to LOS."""
        return (self.loses_at - self.acquires_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A pass that was decided on, and what became of it."""

    booking_id: UUID
    candidate: Candidate
    state: BookingState
    reason: str
    booked_at: datetime
    changed_at: datetime
    locked: bool = False
    plan_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingEvent:
    """One change in the life of a booking."""

    booking_id: UUID
    at: datetime
    from_state: BookingState | None
    to_state: BookingState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """What a session or a span interval gave: whole bits, floored here and nowhere else."""

    sifted_bits: int
    secret_bits: int
    qber: float
    source: str  #: which key source it was, e.g. "simulator"
    simulated: bool  #: the bytes come from a seeded or otherwise simulated source, for ever
    eps_total: float = 0.0  #: failure probability of the key, secrecy and correctness together


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
class Demand:
    """End-to-end key that two nodes want."""

    demand_id: str
    node_a: str
    node_b: str
    bits_per_day: int
    weight: float = 1.0
    priority: int = 0
    min_disjoint_paths: int = 1
    spare_paths: int = 0  #: paths beyond those that may fail without loss of the key
    avoid_nodes: frozenset[str] = field(default_factory=frozenset)
    low_water_bits: int = 0
    high_water_bits: int = 2**62
    max_age_s: float | None = None
    """Its key is of no use when older: counted from when the oldest link key behind it was
    received. Merges for it spend younger key only, and what they gain expires in time."""

    def __post_init__(self) -> None:
        if self.node_a == self.node_b:
            raise FactError(f"demand {self.demand_id}: both ends are {self.node_a}")
        if self.max_age_s is not None and not 0.0 < self.max_age_s <= MAX_AGE_S_MAX:
            raise FactError(
                f"demand {self.demand_id}: max_age_s {self.max_age_s:g}; allowed: above 0, up to"
                f" {MAX_AGE_S_MAX:g}"
            )
        if self.bits_per_day <= 0 or self.weight <= 0.0 or self.min_disjoint_paths < 1:
            raise FactError(
                f"demand {self.demand_id}: bits_per_day {self.bits_per_day}, weight {self.weight},"
                f" min_disjoint_paths {self.min_disjoint_paths}; all must be positive"
            )
        if not 0 <= self.spare_paths <= 8:
            raise FactError(
                f"demand {self.demand_id}: spare_paths {self.spare_paths}; allowed: 0 to 8"
            )

    @property
    def pool(self) -> Pool:
        """Where the served key goes."""
        return Pool.pair(self.node_a, self.node_b)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeStep:
    """Relay `bits` along one path: one chunk run spent on every hop, one gained end to end."""

    demand_id: str
    path: tuple[str, ...]  #: node names, from one end to the other
    links: tuple[str, ...]  #: pool_id of the link of each hop; one fewer than nodes
    bits: int

    def __post_init__(self) -> None:
        if len(self.path) < 2 or len(self.links) != len(self.path) - 1:
            raise FactError(f"path {self.path} needs one link a hop, got {self.links}")
        if self.bits <= 0 or self.bits % KEY_GRAIN_BITS:
            raise FactError(f"merge of {self.bits} bits; allowed: multiples of {KEY_GRAIN_BITS}")


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
class VerifyReport:
    """What `ledger verify` looked at and found; `problems` is empty for a sound ledger."""

    commands: int
    entries: int
    blocks: int
    pools: int
    problems: tuple[str, ...]
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True when nothing was found wrong."""
        return not self.problems
