"""What the planner is told of the world: outages, and the links and paths that demands use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orbits import as_utc
from scheduler.errors import FactError
from scheduler.facts.core import Pool


class OutageKind(StrEnum):
    """What is out of service."""

    STATION = "station"
    SATELLITE = "satellite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A station or satellite that is out of service in [starts_at, ends_at)."""

    kind: OutageKind
    name: str  #: station_id or satellite_id
    starts_at: datetime
    ends_at: datetime
    reason: str = ""
    outage_id: str = ""

    def __post_init__(self) -> None:
        for name in ("starts_at", "ends_at"):
            object.__setattr__(self, name, as_utc(getattr(self, name)))
        if not self.starts_at < self.ends_at:
            raise FactError(
                f"outage of {self.name}: start {self.starts_at} is not before end {self.ends_at}"
            )


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
        lapsing = sum(bits for _, bits in self.expiring)
        if any(bits < 0 for _, bits in self.expiring) or lapsing > self.stock_bits:
            raise FactError(f"{self.pool_id}: {lapsing} bits lapse of a stock of {self.stock_bits}")
