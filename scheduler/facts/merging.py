"""Combined keys: what a merge over several disjoint paths does, and what is known of its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from scheduler.errors import FactError
from scheduler.facts.core import Chunk, MergeStep


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
    announcements: tuple[UUID, ...] = ()  #: they name the ranges spent on every path with a relay
    direct: tuple[
        Chunk, ...
    ] = ()  #: ranges spent on a path without a relay, of which no one speaks

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
        direct: tuple[Chunk, ...] = (),
    ) -> Provenance:
        """Return the provenance of what a step gains."""
        legs = step.legs if isinstance(step, CombinedStep) else (step,)
        return cls(
            paths=tuple(leg.path for leg in legs),
            links=tuple(leg.links for leg in legs),
            threshold=step.threshold if isinstance(step, CombinedStep) else 1,
            announcements=announcements,
            direct=direct,
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
            "direct": [
                [str(one.block_id), one.pool_id, one.start_bit, one.end_bit] for one in self.direct
            ],
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
                direct=tuple(
                    Chunk(block_id=UUID(block), pool_id=pool, start_bit=start, end_bit=end)
                    for block, pool, start, end in data.get("direct", ())
                ),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FactError(f"provenance {data!r} is not of this form: {error!r}") from error
