"""Routes of a demand beyond those listed, priced in while the allocation runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from scheduler.domain import KEY_GRAIN_BITS, Demand
from scheduler.merge.key_age import KeyAgeLimits
from scheduler.paths import (
    SCARCITY_WEIGHT,
    DemandGraph,
    Route,
    route_along,
    scarcity,
    worthwhile,
)


class Penalties:
    """What scarce hops add to the cost of a route; demands of one size have it in common."""

    def __init__(self, capacity: Mapping[str, int]) -> None:
        self._capacity = capacity
        self._of_day: dict[float, dict[str, float]] = {}

    def of_day(self, day: float) -> Mapping[str, float]:
        """For each hop what it adds, for a demand of `day` grains a day."""
        known = self._of_day.get(day)
        if known is None:
            known = self._of_day[day] = {
                hop: SCARCITY_WEIGHT * scarcity(grains, day)
                for hop, grains in self._capacity.items()
            }
        return known


class FurtherRoutes:
    """Prices the routes of one demand and keeps those it found."""

    def __init__(
        self,
        graph: DemandGraph,
        demand: Demand,
        key_age: KeyAgeLimits,
        capacity: Mapping[str, int],
        penalties: Penalties,
    ) -> None:
        self._graph, self._demand, self._key_age = graph, demand, key_age
        self._capacity = capacity
        self._penalty = penalties.of_day(demand.bits_per_day / KEY_GRAIN_BITS)
        self._found: dict[tuple[str, ...], Route] = {}

    def _names(self, hops: Iterable[str]) -> tuple[str, ...]:
        """The hops, and what the demand's limit of age asks of them."""
        limit = self._demand.max_age_s
        return tuple(hops) if limit is None else self._key_age.names(tuple(hops), limit)

    def _scarce(self, hop: str) -> str:
        """The name under which a hop is scarce for this demand."""
        limit = self._demand.max_age_s
        return hop if limit is None else self._key_age.own_names((hop,), limit)[0]

    @cached_property
    def _hop_cost(self) -> dict[str, float]:
        return {
            hop: 1.0 + self._penalty[self._scarce(hop)] for hop in set(self._graph.hops.values())
        }

    @cached_property
    def _empty(self) -> frozenset[str]:
        return frozenset(
            hop for hop in self._hop_cost if any(self._capacity[n] < 1 for n in self._names((hop,)))
        )

    def cost(self, route: Route) -> float:
        """Its own cost, and what its scarce hops add."""
        return route.cost + sum(self._penalty[self._scarce(hop)] for hop in route.links)

    def price(
        self, prices: Mapping[str, float], cost_price: float, worth: float
    ) -> tuple[tuple[str, ...], float] | None:
        """The hops and the cost of the route that gains most at these prices; None if none does."""
        node_price: dict[str, float] | None = None
        if cost_price or self._demand.max_age_s is not None:
            prices = {
                hop: cost_price * cost + sum(prices.get(name, 0.0) for name in self._names((hop,)))
                for hop, cost in self._hop_cost.items()
            }
        if cost_price:
            node_price = {node: cost_price * one for node, one in self._graph.trust.items()}
        paths = worthwhile(
            self._graph, worth=worth, hop_price=prices, node_price=node_price, without=self._empty
        )
        if paths is None:
            return None
        route = route_along(self._graph, self._demand, paths, dict.fromkeys(self._hop_cost, 1.0))
        names = self._names(route.links)
        self._found[names] = route
        return names, self.cost(route)

    def routes(self, names: Iterable[tuple[str, ...]]) -> list[Route]:
        """The routes that were found, by the names of their hops."""
        return [self._found[one] for one in names]
