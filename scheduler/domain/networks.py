"""The network as it stands at an instant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStock:
    """A link and the key at its two ends."""

    pool: str
    node_a: str
    node_b: str
    kind: str
    length_km: float | None  #: of fibre
    stock_bits: int
    buffer_bits: int | None  #: beyond it no key is made; None: no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandStock:
    """A demand, the key of its pair, and the paths that could bring more."""

    demand_id: str
    node_a: str
    node_b: str
    bits_per_day: int
    min_disjoint_paths: int
    max_age_s: float | None
    stock_bits: int
    paths: tuple[tuple[str, ...], ...]
    refusal: str  #: why no path will do; empty if one does
