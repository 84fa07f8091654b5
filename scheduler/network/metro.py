"""A metropolitan network of which only counts are known, and the demands between its users."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import ceil, pi, sqrt

from scheduler.domain import Pool
from scheduler.network.expand import Expansion, fibre_link, is_place
from scheduler.network.kinds import LinkKind, NodeKind
from scheduler.network.model import Link, Node, Switch
from scheduler.network.places import distance_km, moved
from scheduler.network.table import Table

DETOUR = 1.3
"""Fibre over great circle within a city: an assumption."""
GOLDEN_ANGLE_RAD = pi * (3.0 - sqrt(5.0))
"""Between one user and the next: even at any count. Vogel, Math. Biosciences 44, 179 (1979)."""
INVENTED = "synthetic: placed by formula around its centre"

Ends = tuple[str, str]


def expand_metro(table: Table, places: Mapping[str, Node], missing: frozenset[str]) -> Expansion:
    """Return the relays, users, switches and links of a metro; none if its mistakes were noted."""
    trusted = 1 + table["relays"]
    if table["reach"] > trusted:
        table.wrong(f"is {table['reach']}; allowed: up to {trusted}, centre and relays", "reach")
    if table["switches"] > table["users"]:
        table.wrong(f"is {table['switches']}; allowed: up to {table['users']}, a user each",
                    "switches")  # fmt: skip
    if table["at_once"] is not None and table["at_once"] < table["switches"]:
        table.wrong(f"is {table['at_once']}; allowed: {table['switches']} and more, one a switch",
                    "at_once")  # fmt: skip
        return Expansion()
    if not is_place(table, "center", table["center"], places, missing):
        return Expansion()
    if table["reach"] > trusted or table["switches"] > table["users"]:
        return Expansion()
    center = places[table["center"]]
    with table.checked():
        relays, users = _relays(table, center), _users(table, center)
        links = [*_inner(table, center, relays), *_access(table, [center, *relays], users)]
        switches = _switches(table)
        return Expansion([*relays, *users], links, switches)
    return Expansion()


def _switches(table: Table) -> list[Switch]:
    count = table["switches"]
    at_once = count if table["at_once"] is None else table["at_once"]
    return [
        Switch(
            switch_id=f"{table['id']}-switch-{at + 1}",
            at_once=(at + 1) * at_once // count - at * at_once // count,
            source="synthetic",
        )
        for at in range(count)
    ]


def _relays(table: Table, center: Node) -> list[Node]:
    count = table["relays"]
    return [
        _node(table, center, NodeKind.RELAY, number, table["radius_km"] / 2.0,
              2.0 * pi * (number - 1) / count)
        for number in range(1, count + 1)
    ]  # fmt: skip


def _users(table: Table, center: Node) -> list[Node]:
    count = table["users"]
    return [
        _node(table, center, NodeKind.USER, number,
              table["radius_km"] * sqrt((number - 0.5) / count), number * GOLDEN_ANGLE_RAD)
        for number in range(1, count + 1)
    ]  # fmt: skip


def _node(
    table: Table, center: Node, kind: NodeKind, number: int, radius_km: float, bearing_rad: float
) -> Node:
    lat_deg, lon_deg = moved(center, distance_km=radius_km, bearing_rad=bearing_rad)
    return Node(
        node_id=f"{table['id']}-{kind.value}-{number}",
        kind=kind,
        name=f"{center.name} {kind.value} {number}",
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        synthetic=True,
        source=INVENTED,
        domain=table["domain"],
    )


def _fibre_km(one: Node, other: Node) -> float:
    """Whole kilometres, so that a city has few lengths."""
    return float(max(1, ceil(DETOUR * distance_km(one, other))))


def _inner(table: Table, center: Node, relays: Sequence[Node]) -> Iterator[Link]:
    for relay in relays:
        length_km = _fibre_km(center, relay)
        for number in range(1, table["relay_links"] + 1):
            pool = Pool.link(center.node_id, relay.node_id, number)
            yield fibre_link(table, pool, length_km, LinkKind.METRO)


def _access(table: Table, trusted: Sequence[Node], users: Sequence[Node]) -> Iterator[Link]:
    """The links of each user to the nearest trusted nodes, through its switch if it has one."""
    for at, user in enumerate(users):
        switches = table["switches"]
        switch = f"{table['id']}-switch-{at % switches + 1}" if switches else ""
        nearest = sorted(trusted, key=lambda node, of=user: distance_km(of, node))  # type: ignore[misc]
        for node in nearest[: table["reach"]]:
            pool = Pool.link(user.node_id, node.node_id)
            yield fibre_link(table, pool, _fibre_km(user, node), LinkKind.ACCESS, switch=switch)


def pairs_of(table: Table, metros: Collection[str], nodes: Sequence[Node]) -> list[Ends]:
    """Return the pairs of users of a `[[traffic]]` table; none if its mistakes were noted."""
    sides = [_users_of(table[key], metros, nodes) for key in ("from", "to")]
    if not all(sides):
        return []  # what is wrong with the metro is told already
    one, other = sides
    alike = table["from"] == table["to"]
    most = len(one) * ((len(one) - 1) // 2 if alike else len(other))
    if table["pairs"] > most:
        table.wrong(f"is {table['pairs']}; allowed: up to {most}, each pair once", "pairs")
        return []
    pairs = []
    for number in range(table["pairs"]):
        further, at = divmod(number, len(one))
        pairs.append((one[at], other[(at + further + alike) % len(other)]))
    return pairs


def _users_of(name: str, metros: Collection[str], nodes: Sequence[Node]) -> list[str]:
    """The users of a metro, or the node of that name."""
    if name not in metros:
        return [name]
    head = f"{name}-{NodeKind.USER.value}-"
    return [node.node_id for node in nodes if node.node_id.startswith(head)]
