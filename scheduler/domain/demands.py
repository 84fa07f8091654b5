"""End-to-end key that pairs of nodes want, and what the planner knows of their paths."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

from orbits import as_utc
from scheduler.domain.keys import Pool
from scheduler.errors import FactError

MAX_AGE_S_MAX = 3660 * 86_400.0
"""Longest limit of age that a demand may set: what a replay can span."""


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
    require_domains: frozenset[str] = field(default_factory=frozenset)  #: empty: any will do
    avoid_domains: frozenset[str] = field(default_factory=frozenset)
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
        if self.require_domains & self.avoid_domains:
            both = ", ".join(sorted(self.require_domains & self.avoid_domains))
            raise FactError(
                f"demand {self.demand_id}: requires and avoids domain {both}; allowed: one of them"
            )

    def may_pass(self, node_id: str, domain: str) -> bool:
        """Whether its key may pass through a relay of that name and trust domain."""
        return (
            node_id not in self.avoid_nodes
            and domain not in self.avoid_domains
            and (not self.require_domains or domain in self.require_domains)
        )

    @property
    def pool(self) -> Pool:
        """Where the served key goes."""
        return Pool.pair(self.node_a, self.node_b)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathSet:
    """One way to serve a demand: a path, or node-disjoint paths whose keys are combined.

    `uses` says how many bits of each link one end-to-end bit costs (1 on a path's hop; more
    where paths of the set share a link).
    """

    demand_id: str
    uses: tuple[tuple[str, int], ...]  #: (pool_id of a link, bits of it for one bit served)
    paths: tuple[tuple[str, ...], ...] = ()  #: node names of each path, for people

    def __post_init__(self) -> None:
        if not self.uses:
            raise FactError(f"path set of demand {self.demand_id} uses no link")
        names = [pool_id for pool_id, _ in self.uses]
        for pool_id, times in self.uses:
            Pool.parse(pool_id)
            if times < 1 or names.count(pool_id) > 1:
                raise FactError(
                    f"path set of demand {self.demand_id}: link {pool_id} used {times} times,"
                    f" listed {names.count(pool_id)} times; allowed: 1 and up, listed once"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSupply:
    """The key of one link at the start of a plan, and what comes without any booking."""

    pool_id: str
    stock_bits: int = 0
    refill_bits_per_day: float = 0.0  #: fibre; 0 for a link that only sessions fill
    reserve_bits: int = 0  #: kept back for other uses, as far as stock and refill cover it
    buffer_bits: int | None = None  #: what the link's buffers hold at most; None for no limit
    lifetime_s: float | None = None  #: key older than this is of no use; None for no limit
    expiring: tuple[tuple[datetime, int], ...] = ()  #: (when, bits of the stock) that lapse
    coming: tuple[tuple[datetime, int], ...] = ()
    """(from when, bits): received already, usable once a satellite has announced it; no stock."""

    def __post_init__(self) -> None:
        Pool.parse(self.pool_id)
        for name in ("expiring", "coming"):
            dated = tuple((as_utc(when), bits) for when, bits in getattr(self, name))
            object.__setattr__(self, name, dated)
        refill = self.refill_bits_per_day
        if self.stock_bits < 0 or self.reserve_bits < 0 or not 0.0 <= refill < math.inf:
            raise FactError(
                f"{self.pool_id}: stock_bits {self.stock_bits}, reserve_bits {self.reserve_bits},"
                f" refill_bits_per_day {refill}; allowed: 0 and up"
            )
        if self.buffer_bits is not None and self.buffer_bits < 0:
            raise FactError(f"{self.pool_id}: buffer_bits {self.buffer_bits}; allowed: 0 and up")
        if self.lifetime_s is not None and not self.lifetime_s > 0.0:
            raise FactError(f"{self.pool_id}: lifetime_s {self.lifetime_s}; allowed: above 0")
        if any(bits < 0 for _, bits in self.coming):
            raise FactError(f"{self.pool_id}: coming {self.coming}; allowed: 0 bits and up")
        ending = sum(bits for _, bits in self.expiring)
        if any(bits < 0 for _, bits in self.expiring) or ending > self.stock_bits:
            raise FactError(f"{self.pool_id}: {ending} bits lapse of a stock of {self.stock_bits}")
