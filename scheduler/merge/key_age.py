"""Key that is young enough: for demands with a limit of age, as further hops of the allocation.

Limits nest: what is young enough for one is young enough for every longer one. Key of a link
therefore suffices if, for each limit, the demands of that limit and of shorter ones take no more
than the link holds of that age. Each of these conditions is one more hop, which a demand passes
if its own limit is no longer. Who then takes key in the order of the limits, the shortest first,
finds enough of the right age whichever part of it the ones before took.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scheduler.domain import KEY_GRAIN_BITS, Demand
from scheduler.errors import PlanError

YoungStock = Mapping[float, Mapping[str, int]]
"""Limit of age in seconds -> pool_id -> spendable bits younger than that."""


@dataclass(frozen=True, slots=True)
class KeyAgeLimits:
    """The limits of age that some demands set, shortest first; mostly none."""

    limits: tuple[float, ...]

    @classmethod
    def of(cls, demands: Iterable[Demand], young: YoungStock) -> KeyAgeLimits:
        """Collect the limits. Raises PlanError for one of which `young` says nothing."""
        limits = {one.max_age_s for one in demands if one.max_age_s is not None}
        if unknown := limits - young.keys():
            raise PlanError(
                f"a demand wants key younger than {min(unknown):g} s, but how much of it each link"
                f" holds is known for {', '.join(f'{one:g} s' for one in sorted(young)) or 'none'}"
            )
        return cls(tuple(sorted(limits)))

    def names(self, hops: Sequence[str], limit: float) -> tuple[str, ...]:
        """The conditions of age that a demand of that limit meets on a route, and its hops.

        Age comes first, so that reasons name it: of key that is over there may be none at all.
        """
        return (*(_name(hop, one) for hop in hops for one in self.limits if one >= limit), *hops)

    def own_names(self, hops: Sequence[str], limit: float) -> tuple[str, ...]:
        """For each hop the condition of that very limit: what the demand finds there."""
        return tuple(_name(hop, limit) for hop in hops)

    def grains(self, pools: Mapping[str, int], young: YoungStock) -> dict[str, int]:
        """What each pool holds for each limit: of its age, and not kept back."""
        return {
            _name(pool_id, limit): min(grains, young[limit].get(pool_id, 0) // KEY_GRAIN_BITS)
            for limit in self.limits
            for pool_id, grains in pools.items()
        }

    def capacity(
        self, parallel: Mapping[str, Sequence[str]], grains: Mapping[str, int]
    ) -> dict[str, int]:
        """The same for each hop: the sum over its parallel links."""
        return {
            _name(hop, limit): sum(grains[_name(pool_id, limit)] for pool_id in pools)
            for limit in self.limits
            for hop, pools in parallel.items()
        }


def _name(hop: str, limit: float) -> str:
    """As reasons say it: no key to spare on link:a--b younger than 3600 s."""
    return f"{hop} younger than {limit:g} s"
