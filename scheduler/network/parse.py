"""Reading a scenario: TOML text in, a checked `Scenario` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from orbits import HorizonMask, StationError, as_mask, read_horizon
from scheduler.domain import Demand, Pool
from scheduler.errors import ScenarioError
from scheduler.network import schema
from scheduler.network.ends import Satellite, Station
from scheduler.network.expand import Expansion, expand_leg, expand_links
from scheduler.network.extend import Base, read_document
from scheduler.network.keys import TableSchema
from scheduler.network.kinds import (
    Announces,
    KeyBlocks,
    LinkKind,
    NodeKind,
    SessionKind,
    WeatherUse,
)
from scheduler.network.metro import Ends, expand_metro, pairs_of
from scheduler.network.model import (
    BlockPolicy,
    Contradiction,
    Link,
    Node,
    Planning,
    Scenario,
    Schedule,
    Switch,
    contradictions,
)
from scheduler.network.operators import QuietHours, read_sharing
from scheduler.network.pairs import entangled_links, strange_pairs
from scheduler.network.schema_sharing import OPERATORS, SHARES
from scheduler.network.stated import read_terminals
from scheduler.network.switches import time_shares
from scheduler.network.table import Mistakes, Table, read_single, read_table, read_tables
from scheduler.network.terminals import Terminal, resolve
from scheduler.network.trunk import expand_trunk

_T = TypeVar("_T")


def _no_file(name: str) -> str:
    raise ScenarioError(
        f"file {name!r} is beside no scenario file; allowed: the corners themselves"
    )


def _no_base(name: str) -> str:
    raise ScenarioError(f"scenario {name!r} is beside no scenario file; allowed: in a file")


def parse_scenario(
    text: str, *, beside: Callable[[str], str] = _no_file, base: Base = _no_base
) -> Scenario:
    """Read a scenario from TOML.

    `beside` gives the text of a file that it names, `base` that of a scenario that it extends.
    A `[[legs]]` table becomes a chain of relays, `FROM-TO-1` and on, and a satellite gets a
    link to the node of every station. Raises ScenarioError telling every mistake of the file,
    one a line, each with its line, its key, the value seen and what is allowed; keys that
    nobody reads are refused.
    """
    document = read_document(text, base)
    return _Reader(document.values, Mistakes(document.lines), beside).scenario()


class _Reader:
    """One file being read; what is wrong is gathered until the end."""

    def __init__(
        self, document: Mapping[str, Any], mistakes: Mistakes, beside: Callable[[str], str]
    ) -> None:
        self.document = document
        self.mistakes = mistakes
        self.beside = beside
        self.places: dict[tuple[str, str], Table] = {}

    def scenario(self) -> Scenario:
        """Return the scenario, or raise with all mistakes."""
        top = self._top()
        sent = read_terminals(
            self._tables(schema.TRANSMITTERS), self._given("preset", "satellites")
        )
        received = read_terminals(self._tables(schema.RECEIVERS), self._given("preset", "stations"))
        downlinks = self._tables(schema.DOWNLINKS)
        satellites = _sound(
            self._satellite(table, sent, downlinks) for table in self._tables(schema.SATELLITES)
        )
        stations = _sound(self._station(table, received) for table in self._tables(schema.STATIONS))
        nodes = [_satellite_node(s) for s in satellites]
        nodes += [_station_node(s) for s in stations if s.node == s.station_id]
        for table in self._tables(schema.NODES):
            nodes += self._node(table)
        missing = self._missing(nodes)
        links = [
            _downlink(s, station)
            for s in satellites
            for station in stations
            if s.session_over(station.station_id) in {SessionKind.DOWNLINK, SessionKind.UPLINK}
        ]
        places = {node.node_id: node for node in nodes}
        switches = _sound(self._switch(table) for table in self._tables(schema.SWITCHES))
        for made in self._expanded(places, missing):
            nodes += made.nodes
            links += made.links
            switches += made.switches
        links = self._switched(_one_per_pool(links), switches)
        links += entangled_links(satellites, stations, links)
        demands = self._demands(nodes)
        policies = _sound(self._policy(table) for table in downlinks)
        sharing = read_sharing(self._tables(OPERATORS), self._tables(SHARES), stations)
        self._tell(
            Contradiction(kind="operator", name="", text=said)
            for said in sharing.strange(satellites, stations)
        )
        self._tell(strange_pairs(satellites, stations, policies))
        schedule, planning = self._schedule(), self._planning()
        parts = satellites, stations, nodes, links, demands, switches, policies
        self._tell(contradictions(*parts, excused=self._is_excused(missing)))
        self.mistakes.refuse()
        assert top is not None  # else it would have been refused
        return Scenario(
            name=top["name"],
            title=top["title"],
            satellites=tuple(satellites),
            stations=tuple(stations),
            nodes=tuple(nodes),
            links=tuple(links),
            demands=tuple(demands),
            switches=tuple(switches),
            schedule=schedule,
            planning=planning,
            notes=tuple(top["notes"]),
            block_policies=tuple(policies),
            sharing=sharing,
        )

    def _tell(self, wrong: Iterable[Contradiction]) -> None:
        for one in wrong:
            owner = self.places.get((one.kind, one.name))
            self.mistakes.add(one.text, *((owner.place,) if owner else ()))

    def _top(self) -> Table | None:
        """Read the keys at the top; a table that nobody knows is a key that nobody reads."""
        known = set(schema.table_names())
        plain = {key: value for key, value in self.document.items() if key not in known}
        top = read_table(schema.TOP, plain, self.mistakes)
        if top is not None:
            with top.checked():
                Scenario(name=top["name"], title=top["title"])
        return top

    def _tables(self, one: TableSchema) -> list[Table]:
        return read_tables(one, self.document.get(one.name, []), self.mistakes)

    def _expanded(self, places: Mapping[str, Node], missing: frozenset[str]) -> Iterator[Expansion]:
        """What every table stands for that is more than one part, or has links."""
        for one, expand in (
            (schema.LEGS, expand_leg),
            (schema.TRUNK, expand_trunk),
            (schema.METRO, expand_metro),
            (schema.LINKS, lambda table, _, __: Expansion(links=expand_links(table))),
        ):
            for table in self._tables(one):
                made = expand(table, places, missing)
                self.places |= {("node", node.node_id): table for node in made.nodes}
                self.places |= {("link", link.pool.pool_id): table for link in made.links}
                self.places |= {("switch", switch.switch_id): table for switch in made.switches}
                yield made

    def _satellite(
        self, table: Table, sent: Mapping[str, Terminal], downlinks: Sequence[Table]
    ) -> Satellite | None:
        self.places["satellite", table["id"]] = table
        self.places["norad_id", str(table["norad_id"])] = table
        announces = table["announces"]
        delayed = isinstance(announces, float)
        with table.checked():
            return Satellite(
                satellite_id=table["id"],
                name=table["name"],
                norad_id=table["norad_id"],
                transmitter=_terminal_of(table["preset"], sent),
                source=table["source"],
                announces=Announces.DELAY if delayed else Announces(announces),
                announce_delay_s=announces if delayed else 0.0,
                announces_because=table["announces_because"],
                elements=table["elements"],
                domain=table["domain"],
                session=None if table["session"] is None else SessionKind(table["session"]),
                sessions=tuple(
                    (one["station"], SessionKind(one["session"]))
                    for one in downlinks
                    if one["satellite"] == table["id"] and one["session"] is not None
                ),
            )
        return None

    def _station(self, table: Table, received: Mapping[str, Terminal]) -> Station | None:
        self.places["station", table["id"]] = table
        with table.checked():
            preset = table["preset"]
            return Station(
                station_id=table["id"],
                name=table["name"],
                lat_deg=table["lat_deg"],
                lon_deg=table["lon_deg"],
                height_m=table["height_m"],
                mask_deg=table["mask_deg"],
                node=table["node"] or table["id"],
                receiver=None if preset is None else _terminal_of(preset, received),
                telescope_m=table["telescope_m"],
                mount=table["mount"],
                slew_rate_deg_s=table["slew_rate_deg_s"],
                source=table["source"],
                horizon=self._horizon(table),
                domain=table["domain"],
                owner=table["owner"],
                quiet_hours=tuple(str(QuietHours.parse(one)) for one in table["quiet_hours"]),
            )
        return None

    def _horizon(self, table: Table) -> HorizonMask | None:
        given = table["horizon"]
        if given is None and table["horizon_refraction"]:
            raise ScenarioError("horizon_refraction without a horizon; allowed: with one")
        if given is None:
            return None
        in_file = isinstance(given, str)
        try:
            horizon = read_horizon(self.beside(given)) if in_file else as_mask(given)
        except StationError as error:
            named = f"file {given!r}: " if in_file else ""
            raise ScenarioError(f"{named}{error}") from None
        return horizon.seen_through_air() if table["horizon_refraction"] else horizon

    def _node(self, table: Table) -> list[Node]:
        self.places["node", table["id"]] = table
        with table.checked():
            return [
                Node(
                    node_id=table["id"],
                    kind=NodeKind(table["kind"]),
                    name=table["name"],
                    lat_deg=table["lat_deg"],
                    lon_deg=table["lon_deg"],
                    synthetic=table["synthetic"],
                    trust_weight=table["trust_weight"],
                    source=table["source"],
                    domain=table["domain"],
                )
            ]
        return []

    def _switch(self, table: Table) -> Switch | None:
        self.places["switch", table["id"]] = table
        with table.checked():
            return Switch(
                switch_id=table["id"],
                at_once=table["at_once"],
                behind=table["behind"],
                synthetic=table["synthetic"],
                source=table["source"],
            )
        return None

    def _switched(self, links: Sequence[Link], switches: Sequence[Switch]) -> list[Link]:
        """The links, each with the share of time for which its switch turns to it."""
        stated = {
            link.pool.pool_id: table.values.get("share")
            for link in links
            if (table := self.places.get(("link", link.pool.pool_id))) is not None
        }
        shares, wrong = time_shares(switches, links, stated)
        self._tell(wrong)
        return [replace(link, share=shares.get(link.pool.pool_id, 1.0)) for link in links]

    def _missing(self, nodes: Sequence[Node]) -> frozenset[str]:
        """Ids of satellites, stations and nodes of the file that did not become nodes."""
        made = {node.node_id for node in nodes}
        given = self._given("id", "satellites", "stations", "nodes")
        return frozenset(name for name in given if name not in made)

    def _is_excused(self, missing: frozenset[str]) -> Callable[[str], bool]:
        """Tell of a name whether something else is wrong with what should bear it."""
        tables = ("legs", "trunk", "metro") if self.mistakes.found else ()
        prefixes = tuple(f"{_prefix(one)}-" for one in self._raw(*tables))
        return lambda name: name in missing or (bool(prefixes) and name.startswith(prefixes))

    def _given(self, key: str, *names: str) -> list[str]:
        """What the file's tables of some names say under one key, sound or not."""
        return [one[key] for one in self._raw(*names) if isinstance(one.get(key), str)]

    def _raw(self, *names: str) -> Iterator[Mapping[str, Any]]:
        """The file's tables of some names, sound or not."""
        for name in names:
            given = self.document.get(name)
            if isinstance(given, list):
                yield from (one for one in given if isinstance(one, dict))

    def _demands(self, nodes: Sequence[Node]) -> list[Demand]:
        demands = [
            self._demand(table, (table["from"], table["to"]), table["id"])
            for table in self._tables(schema.DEMANDS)
        ]
        metros = set(self._given("id", "metro"))
        for table in self._tables(schema.TRAFFIC):
            pairs = pairs_of(table, metros, nodes)
            demands += [self._demand(table, ends) for ends in pairs]
        return _sound(demands)

    def _demand(self, table: Table, ends: Ends, name: str | None = None) -> Demand | None:
        demand_id = name or f"{ends[0]}--{ends[1]}"
        self.places["demand", demand_id] = table
        with table.checked():
            return Demand(
                demand_id=demand_id,
                node_a=min(ends),
                node_b=max(ends),
                bits_per_day=table["bits_per_day"],
                weight=table["weight"],
                priority=table["priority"],
                min_disjoint_paths=table["min_disjoint_paths"],
                spare_paths=table["spare_paths"],
                avoid_nodes=frozenset(table["avoid_nodes"]),
                require_domains=frozenset(table["require_domains"]),
                avoid_domains=frozenset(table["avoid_domains"]),
                low_water_bits=table["low_water_bits"],
                high_water_bits=table["high_water_bits"],
                max_age_s=table["max_age_s"],
            )
        return None

    def _policy(self, table: Table) -> BlockPolicy | None:
        with table.checked():
            values = {key: value for key, value in table.values.items() if key != "session"}
            policy = BlockPolicy(**{**values, "blocks": KeyBlocks(table["blocks"])})
            self.places["downlink", policy.downlink] = table
            return policy
        return None

    def _schedule(self) -> Schedule:
        table = self._single(schema.SCHEDULE)
        return Schedule() if table is None else Schedule(**table.values)

    def _planning(self) -> Planning:
        table = self._single(schema.PLANNING)
        if table is None:
            return Planning()
        return Planning(**{**table.values, "weather": WeatherUse(table["weather"])})

    def _single(self, one: TableSchema) -> Table | None:
        return read_single(one, self.document.get(one.name, {}), self.mistakes)


def _prefix(table: Mapping[str, Any]) -> str:
    """How the relays are named that a table stands for."""
    return str(table.get("prefix") or table.get("id") or f"{table.get('from')}-{table.get('to')}")


def _sound(parts: Iterable[_T | None]) -> list[_T]:
    return [part for part in parts if part is not None]


def _terminal_of(name: str, own: Mapping[str, Terminal]) -> Terminal:
    return own[name] if name in own else resolve(name, own)


def _satellite_node(satellite: Satellite) -> Node:
    return Node(
        node_id=satellite.satellite_id,
        kind=NodeKind.SATELLITE,
        name=satellite.name,
        lat_deg=None,
        lon_deg=None,
        synthetic=False,
        source=satellite.source,
        domain=satellite.domain,
    )


def _station_node(station: Station) -> Node:
    return Node(
        node_id=station.node,
        kind=NodeKind.STATION,
        name=station.name,
        lat_deg=station.lat_deg,
        lon_deg=station.lon_deg,
        synthetic=False,
        source=station.source,
        domain=station.domain,
    )


def _downlink(satellite: Satellite, station: Station) -> Link:
    return Link(
        pool=Pool.link(satellite.satellite_id, station.node),
        kind=LinkKind.SATELLITE,
        length_km=None,
        preset=satellite.transmitter.name,
        synthetic=False,
        source=satellite.source,
    )


def _one_per_pool(links: Sequence[Link]) -> list[Link]:
    """Drop the second downlink of two stations that keep their key at one node."""
    kept: list[Link] = []
    downlinks: set[str] = set()
    for link in links:
        if link.kind is LinkKind.SATELLITE:
            if link.pool.pool_id in downlinks:
                continue
            downlinks.add(link.pool.pool_id)
        kept.append(link)
    return kept
