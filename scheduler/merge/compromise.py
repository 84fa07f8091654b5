"""Who must be corrupt before an end-to-end key is known: the compromise structure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice, product

from scheduler.domain import Provenance
from scheduler.errors import FactError

SETS_MAX = 10_000
"""Minimal sets listed at most; two paths of 40 relays have 1600."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompromiseStructure:
    """The key is known to a set of nodes that meets at least `threshold` of the relay sets.

    This is the factored form that is recorded; the minimal sets follow from it. The two ends
    know the key in any case and are in no set. A path without a relay has an empty set.
    """

    threshold: int
    relay_sets: tuple[frozenset[str], ...]

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= len(self.relay_sets):
            raise FactError(
                f"threshold {self.threshold}; allowed: 1 to the {len(self.relay_sets)} paths"
            )

    @classmethod
    def of(cls, provenance: Provenance) -> CompromiseStructure:
        """Return the structure of a recorded key."""
        return cls(threshold=provenance.threshold, relay_sets=provenance.relay_sets)

    def is_known_to(self, nodes: Iterable[str]) -> bool:
        """Tell whether these nodes together know the key."""
        corrupt = set(nodes)
        return sum(1 for relays in self.relay_sets if relays & corrupt) >= self.threshold

    def minimal_sets(self, limit: int = SETS_MAX) -> tuple[frozenset[str], ...]:
        """Return the smallest sets of nodes that know the key, at most `limit` of them.

        None of them contains another. Ordered by size, then by names. No set at all means
        that nobody but the ends can know the key.
        """
        found = list(islice(self._minimal(), limit))
        return tuple(sorted(found, key=lambda nodes: (len(nodes), sorted(nodes))))

    def single_points(self) -> frozenset[str]:
        """Return the nodes that know the key all by themselves."""
        nodes = frozenset().union(*self.relay_sets)
        return frozenset(node for node in nodes if self.is_known_to({node}))

    def describe(self) -> str:
        """Say in a sentence who must be corrupt."""
        shown = [_shown(relays) for relays in self.relay_sets]
        if len(shown) == 1:
            return f"known to {shown[0]}"
        alone = ", ".join(sorted(self.single_points())) or "no node alone"
        return (
            f"known to those who corrupt {self.threshold} of {len(shown)} paths,"
            f" one relay of each: {'; '.join(shown)} ({alone} suffices)"
        )

    def _minimal(self) -> Iterator[frozenset[str]]:
        """Yield the minimal sets, by way of which paths each node lies on.

        Two nodes on the same paths never share a minimal set, so it is enough to choose
        among the kinds of nodes, of which disjoint paths have one each.
        """
        kinds: dict[frozenset[int], list[str]] = {}
        for node in sorted(frozenset().union(*self.relay_sets)):
            lies_on = frozenset(i for i, relays in enumerate(self.relay_sets) if node in relays)
            kinds.setdefault(lies_on, []).append(node)
        for size in range(1, self.threshold + 1):
            for chosen in combinations(kinds, size):
                if self._covers(chosen) and not any(
                    self._covers(fewer) for fewer in combinations(chosen, size - 1)
                ):
                    yield from map(frozenset, product(*(kinds[kind] for kind in chosen)))

    def _covers(self, kinds: Iterable[frozenset[int]]) -> bool:
        return len(frozenset().union(*kinds)) >= self.threshold


def _shown(relays: frozenset[str], limit: int = 4) -> str:
    """Name the relays of one path, the first few of many."""
    names = sorted(relays)
    if not names:
        return "no relay"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"any of {', '.join(names[:limit])}{more}" if len(names) > 1 else names[0]
