"""Which of a hop's parallel links a step takes, for key of any age or of a limited one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from scheduler.domain import KEY_GRAIN_BITS
from scheduler.merge.key_age import KeyAgeLimits


class ParallelLinks:
    """Which of a hop's parallel links a step takes, and what each of them has left.

    The fullest goes first, and is stayed with while it lasts: grants then need few steps, runs
    lie end to end, and few links spend a tag key.
    """

    def __init__(self, parallel: Mapping[str, tuple[str, ...]], pools: dict[str, int]) -> None:
        self._parallel = parallel
        self._had = dict(pools)
        self._left = pools
        self._chosen: dict[str, str] = {}

    def room(self, hops: Sequence[str], grains: int) -> int:
        """Choose a link for each hop; return how many of the grains all of them can give."""
        chosen, left = self._chosen, self._left
        with suppress(KeyError):  # of a hop that nothing was chosen for yet
            # As mostly: what was chosen before gives enough.
            if min(map(left.__getitem__, map(chosen.__getitem__, hops))) >= grains:
                return grains
        for hop in hops:
            link = chosen.get(hop)
            if link is None or left[link] < grains:
                link = chosen[hop] = max(self._parallel[hop], key=left.__getitem__)
            grains = min(grains, left[link])
        return grains

    def take(self, hops: Sequence[str], grains: int) -> tuple[str, ...]:
        """Take grains of the links chosen for these hops; return the links."""
        links = tuple([self._chosen[hop] for hop in hops])
        for link in links:
            self._left[link] -= grains
        return links

    def spent_bits(self) -> dict[str, int]:
        """Bits taken of each link so far, of those that gave any."""
        taken = ((link, had - self._left[link]) for link, had in self._had.items())
        return {link: grains * KEY_GRAIN_BITS for link, grains in taken if grains}


class YoungParallelLinks(ParallelLinks):
    """As `ParallelLinks`, for demands of one limit of age: a link has what it has of that.

    Demands of shorter limits must have taken theirs before.
    """

    def __init__(
        self,
        parallel: Mapping[str, tuple[str, ...]],
        pools: dict[str, int],
        key_age: KeyAgeLimits,
        limit: float,
    ) -> None:
        super().__init__(parallel, pools)
        self._mine: Counter[str] = Counter()
        every = [link for pair in parallel.values() for link in pair]
        self._names = {link: key_age.names((link,), limit) for link in every}

    def _room(self, link: str) -> int:
        return min(map(self._left.__getitem__, self._names[link]))

    def room(self, hops: Sequence[str], grains: int) -> int:
        """As for any age, of what is young enough."""
        for hop in hops:
            link = self._chosen.get(hop)
            if link is None or self._room(link) < grains:
                link = self._chosen[hop] = max(self._parallel[hop], key=self._room)
            grains = min(grains, self._room(link))
        return grains

    def take(self, hops: Sequence[str], grains: int) -> tuple[str, ...]:
        """Take grains of a link, and of what it holds for this limit and longer ones."""
        links = tuple([self._chosen[hop] for hop in hops])  # a path passes no link twice
        for name in (name for link in links for name in self._names[link]):
            self._left[name] -= grains
        self._mine.update(dict.fromkeys(links, grains))
        return links

    def spent_bits(self) -> dict[str, int]:
        """Bits taken of each link for demands of this very limit."""
        return {link: grains * KEY_GRAIN_BITS for link, grains in self._mine.items()}
