"""Which stations share a satellite at once, and which pool the key of a session fills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from scheduler.domain import Pool, pair_name, station_ids
from scheduler.network.ends import Satellite, Station
from scheduler.network.kinds import LinkKind, SessionKind
from scheduler.network.model import BlockPolicy, Contradiction, Link, Scenario


def pairs_of(
    satellite: Satellite, stations: Sequence[Station]
) -> Iterator[tuple[Station, Station]]:
    """The pairs of stations, in order of name, that its dual downlinks may go to.

    Two stations that keep their key at one node make no key with each other.
    """
    dual = [
        one
        for one in stations
        if satellite.session_over(one.station_id) is SessionKind.DUAL_DOWNLINK
    ]
    for one, other in combinations(sorted(dual, key=lambda station: station.station_id), 2):
        if one.node != other.node:
            yield one, other


def stations_of(scenario: Scenario, name: str) -> tuple[Station, ...]:
    """The stations of a session: one, or the two of `a+b`. Raises UnknownName."""
    return tuple(scenario.station(one) for one in station_ids(name))


def pool_of(scenario: Scenario, satellite_id: str, name: str) -> Pool:
    """The pool that a session's key fills: of satellite and station, or of two stations."""
    nodes = [scenario.station(one).node for one in station_ids(name)]
    if len(nodes) == 1:
        return Pool.link(satellite_id, nodes[0])
    return entangled_pool(scenario.links, *nodes)


def entangled_pool(links: Sequence[Link], one: str, other: str) -> Pool:
    """The pool of two nodes that entangled pairs fill, beside the fibre that they may have."""
    between = [link for link in links if {link.pool.node_a, link.pool.node_b} == {one, other}]
    for link in between:
        if link.kind is LinkKind.ENTANGLED:
            return link.pool
    return Pool.link(one, other, 1 + max((link.parallel for link in between), default=0))


def entangled_links(
    satellites: Sequence[Satellite], stations: Sequence[Station], links: Sequence[Link]
) -> list[Link]:
    """The links between stations that dual downlinks fill, one a pair of nodes."""
    made: list[Link] = []
    for satellite in satellites:
        for one, other in pairs_of(satellite, stations):
            pool = entangled_pool([*links, *made], one.node, other.node)
            if any(link.pool == pool for link in made):
                continue
            made.append(
                Link(
                    pool=pool,
                    kind=LinkKind.ENTANGLED,
                    length_km=None,
                    preset=satellite.transmitter.name,
                    synthetic=False,
                    parallel=pool.parallel,
                    source=satellite.source,
                )
            )
    return made


def strange_pairs(
    satellites: Sequence[Satellite], stations: Sequence[Station], policies: Sequence[BlockPolicy]
) -> Iterator[Contradiction]:
    """The policies of two stations `a+b` that no dual downlink of their satellite goes to."""
    for one in policies:
        pairs = {
            pair_name(first.station_id, second.station_id)
            for satellite in satellites
            if satellite.satellite_id == one.satellite
            for first, second in pairs_of(satellite, stations)
        }
        if len(station_ids(one.station)) > 1 and one.station not in pairs:
            yield Contradiction(
                kind="downlink",
                name=one.downlink,
                text=f"downlink {one.downlink}: no dual downlink goes there; allowed: two stations"
                " of it, in order of name, at two nodes",
            )
