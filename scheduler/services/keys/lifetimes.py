"""How long key of a link is of use, where every demand that may use it limits its age."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.paths import hops_of

if TYPE_CHECKING:
    from scheduler.network import Scenario
    from scheduler.paths import Routes


def link_lifetimes(scenario: Scenario, routes: Mapping[str, Routes]) -> dict[str, float]:
    """Seconds after which no demand can use key of a link any more; others are left out.

    Such key would fill the buffer of its link for ever, and the link would make no other.
    """
    longest: dict[str, float | None] = {}
    for demand in scenario.demands:
        limit = demand.max_age_s
        for pool_id in hops_of(scenario, routes[demand.demand_id]):
            before = longest.get(pool_id, 0.0)
            longest[pool_id] = None if limit is None or before is None else max(limit, before)
    return {pool_id: limit for pool_id, limit in longest.items() if limit is not None}


def use_until(
    lifetimes_s: Mapping[str, float], pool_id: str, received_at: datetime
) -> datetime | None:
    """When key of a link that is received then is of no use any more; None for no limit."""
    lifetime_s = lifetimes_s.get(pool_id)
    return None if lifetime_s is None else received_at + timedelta(seconds=lifetime_s)
