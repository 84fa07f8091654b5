"""Merges: key relayed along paths, combined, and what a merge execution decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from scheduler.domain.demands import Demand
from scheduler.errors import FactError

KEY_GRAIN_BITS = 256
"""Merges move whole multiples of this; one AES-256 key is the least that anyone draws."""


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
class CombinedStep:
    """Relay the same number of bits along node-disjoint paths, then combine the path keys.

    All paths are needed (XOR) if `threshold` is their number; else any `threshold` of them
    suffice (Shamir), and as many corrupt paths give the key away.
    """

    demand_id: str
    legs: tuple[MergeStep, ...]  #: one a path, all between the same two ends
    threshold: int

    def __post_init__(self) -> None:
        if len(self.legs) < 2 or not 1 <= self.threshold <= len(self.legs):
            raise FactError(
                f"combination of {len(self.legs)} paths with threshold {self.threshold};"
                " allowed: two paths and up, a threshold of 1 to their number"
            )
        kinds = {(leg.bits, leg.path[0], leg.path[-1]) for leg in self.legs}
        inner = [node for leg in self.legs for node in leg.path[1:-1]]
        if len(kinds) > 1 or len(set(inner)) < len(inner):
            raise FactError(
                f"paths {[leg.path for leg in self.legs]} with {[leg.bits for leg in self.legs]}"
                " bits; allowed: equal ends and bits, no inner node twice"
            )

    @property
    def bits(self) -> int:
        """End-to-end bits gained."""
        return self.legs[0].bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a block of end-to-end key came from; names and ids only, no key."""

    paths: tuple[tuple[str, ...], ...]  #: node names of each path, ends included
    links: tuple[tuple[str, ...], ...]  #: pool_id of each hop of each path
    threshold: int  #: paths that must be corrupt before the key is known
    announcements: tuple[UUID, ...] = ()  #: one a relay; each may serve other keys of its tick too
    run_bits: int = 0  #: spent on every hop; 0 where nobody wrote down which bits
    runs: tuple[tuple[int, ...], ...] = ()
    """For each hop of each path, where its run starts in what the command spent on that link."""

    def __post_init__(self) -> None:
        hops = [(len(path) - 1, len(links)) for path, links in zip(self.paths, self.links)]  # noqa: B905
        if len(self.paths) != len(self.links) or any(n < 1 or n != m for n, m in hops):
            raise FactError(f"paths {self.paths} need one link a hop, got {self.links}")
        if not 1 <= self.threshold <= len(self.paths):
            raise FactError(
                f"threshold {self.threshold}; allowed: 1 to the {len(self.paths)} paths"
            )

    @classmethod
    def of(
        cls,
        step: MergeStep | CombinedStep,
        announcements: tuple[UUID, ...] = (),
        runs: tuple[tuple[int, ...], ...] = (),
    ) -> Provenance:
        """Return the provenance of what a step merged_keys."""
        legs = step.legs if isinstance(step, CombinedStep) else (step,)
        return cls(
            paths=tuple(leg.path for leg in legs),
            links=tuple(leg.links for leg in legs),
            threshold=step.threshold if isinstance(step, CombinedStep) else 1,
            announcements=announcements,
            run_bits=step.bits if runs else 0,
            runs=runs,
        )

    @property
    def relay_sets(self) -> tuple[frozenset[str], ...]:
        """The inner nodes of each path; any one of them knows that path's key."""
        return tuple(frozenset(path[1:-1]) for path in self.paths)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "threshold": self.threshold,
            "paths": [list(path) for path in self.paths],
            "links": [list(links) for links in self.links],
            "announcements": [str(one) for one in self.announcements],
            "run_bits": self.run_bits,
            "runs": [list(starts) for starts in self.runs],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Provenance:
        """Read back what `as_dict` wrote. Raises FactError if it is something else."""
        try:
            return cls(
                threshold=int(data["threshold"]),
                paths=tuple(tuple(map(str, path)) for path in data["paths"]),
                links=tuple(tuple(map(str, links)) for links in data["links"]),
                announcements=tuple(UUID(one) for one in data["announcements"]),
                # Blocks of the first releases say nothing of it.
                run_bits=int(data.get("run_bits", 0)),
                runs=tuple(tuple(map(int, starts)) for starts in data.get("runs", ())),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FactError(f"provenance {data!r} is not of this form: {error!r}") from error


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
class KeyFlow:
    """Key that merges moved through the network in [start, end), in bits."""

    start: datetime
    end: datetime
    links: Mapping[tuple[str, str], int]  #: spent on relaying between two nodes, all its links
    pairs: Mapping[tuple[str, str], int]  #: gained end to end over single paths
    combined: Mapping[tuple[str, str], int]  #: gained end to end over several disjoint paths
