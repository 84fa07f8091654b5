"""What an operator is shown of a network that several share: its part, and nothing of others'."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scheduler.domain import Pool, station_ids
from scheduler.network.kinds import NodeKind

if TYPE_CHECKING:
    from scheduler.network.model import Scenario
    from scheduler.network.operators import Operator, Sharing

ANOTHER = "another operator's"
"""What stands in a sentence where a hidden name stood."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: everybody, who sees all, or one operator."""

    operator: Operator | None = None
    sharing: Sharing | None = None
    hidden: frozenset[str] = frozenset()  #: satellites, stations and their nodes, by id
    numbers: frozenset[int] = frozenset()  #: catalogue numbers of those satellites
    _words: re.Pattern[str] | None = field(default=None, repr=False)

    @property
    def sees_all(self) -> bool:
        """Whether nothing is hidden."""
        return self.operator is None

    def sees(self, satellite_id: str, stations: Sequence[str]) -> bool:
        """Whether a session is shown: of its satellites, and over its stations."""
        if self.operator is None or self.sharing is None:
            return True
        return self.hidden.isdisjoint({satellite_id, *stations}) and self.sharing.may_see(
            self.operator, satellite_id, stations
        )

    def sees_pool(self, pool_id: str) -> bool:
        """Whether both ends of a pool are shown."""
        if not self.hidden:
            return True
        pool = Pool.parse(pool_id)
        return self.hidden.isdisjoint({pool.node_a, pool.node_b})

    def shown(self, text: str) -> str:
        """Return a text with other operators' names replaced."""
        return text if self._words is None else self._words.sub(ANOTHER, text)


EVERYBODY = Viewer()


def part_of(scenario: Scenario, operator: Operator) -> tuple[Scenario, Viewer]:
    """Return the network as an operator sees it, and what it does not.

    Shown are its satellites, nobody's, and those whose operators have a share in its stations;
    its stations, nobody's, and those it has a share in; of the network whatever ends at none of
    the others. Names are matched wherever a letter or figure neither precedes nor follows.
    """
    sharing, mine = scenario.sharing, operator.operator_id
    owners = dict(sharing.owners)
    guests = {one.operator for one in sharing.shares if owners.get(one.station) == mine}
    hosts = {one.station for one in sharing.shares if one.operator == mine}
    satellites = tuple(
        one
        for one in scenario.satellites
        if sharing.operator_of(one.satellite_id) in {"", mine, *guests}
    )
    stations = tuple(
        one for one in scenario.stations if one.owner in ("", mine) or one.station_id in hosts
    )
    away = [one for one in scenario.satellites if one not in satellites]
    closed = [one for one in scenario.stations if one not in stations]
    at = {one.node for one in closed} - {one.node for one in stations}
    nodes = {x.node_id for x in scenario.nodes if x.kind is NodeKind.STATION and x.node_id in at}
    hidden = frozenset({*(x.satellite_id for x in away), *(x.station_id for x in closed), *nodes})
    names = {*hidden, *(x.name for x in away), *(x.name for x in closed)}
    names |= {str(x.norad_id) for x in away}
    words = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    viewer = Viewer(
        operator,
        sharing,
        hidden,
        frozenset(one.norad_id for one in away),
        re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])", re.IGNORECASE) if names else None,
    )
    links = tuple(one for one in scenario.links if viewer.sees_pool(one.pool.pool_id))
    kept = tuple(one for one in scenario.nodes if one.node_id not in hidden)
    domains = {one.domain for one in kept}
    part = replace(
        scenario,
        satellites=satellites,
        stations=stations,
        nodes=kept,
        links=links,
        demands=tuple(
            replace(
                one,
                avoid_nodes=one.avoid_nodes - hidden,
                avoid_domains=one.avoid_domains & domains,
            )
            for one in scenario.demands
            if viewer.sees_pool(one.pool.pool_id) and one.require_domains <= domains
        ),
        block_policies=tuple(
            one
            for one in scenario.block_policies
            if hidden.isdisjoint({one.satellite, *station_ids(one.station)})
        ),
        notes=tuple(map(viewer.shown, scenario.notes)),
        sharing=_part_of_sharing(sharing, hidden),
    )
    return part, viewer


def _part_of_sharing(sharing: Sharing, hidden: frozenset[str]) -> Sharing:
    """Who shares what is shown, without anybody's tokens."""
    owners = tuple(one for one in sharing.owners if one[0] not in hidden)
    shares = tuple(one for one in sharing.shares if one.station not in hidden)
    named = {owner for _, owner in owners} | {one.operator for one in shares}
    operators = [
        replace(one, tokens=(), satellites=tuple(x for x in one.satellites if x not in hidden))
        for one in sharing.operators
    ]
    kept = tuple(one for one in operators if one.satellites or one.operator_id in named)
    return replace(sharing, operators=kept, shares=shares, owners=owners)
