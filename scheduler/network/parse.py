"""Reading a scenario: TOML text in, a checked `Scenario` out."""

from __future__ import annotations

import tomllib

from scheduler.domain import Demand, Pool
from scheduler.errors import FactError, ScenarioError
from scheduler.network.model import (
    NO_LIMIT_BITS,
    Announces,
    Link,
    LinkKind,
    Node,
    NodeKind,
    Planning,
    Satellite,
    Scenario,
    Schedule,
    Station,
    WeatherUse,
)
from scheduler.network.table import Table

SPAN_KM_MIN, SPAN_KM_MAX = 30.0, 90.0
"""Lengths allowed to the spans of a leg; a much longer one gives no key at all."""

_SUM_TOLERANCE_KM = 1e-6  # Sums of decimal fractions, nothing else.


def parse_scenario(text: str) -> Scenario:
    """Read a scenario from TOML.

    A `[[legs]]` table becomes a chain of relays, `FROM-TO-1` and on, and a satellite gets a
    link to the node of every station. Raises ScenarioError, naming the key, the value seen
    and what is allowed; keys that nobody reads are refused.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"scenario is not TOML: {error}") from error
    top = Table("scenario", document)
    name, title, notes = top.text("name"), top.text("title"), top.texts("notes")
    satellites = [_satellite(table) for table in top.tables("satellites")]
    stations = [_station(table) for table in top.tables("stations")]
    nodes = [_satellite_node(s) for s in satellites]
    nodes += [_station_node(s) for s in stations if s.node == s.station_id]
    nodes += [_node(table) for table in top.tables("nodes")]
    links = [_downlink(s, station) for s in satellites for station in stations]
    places = {node.node_id: node for node in nodes}
    for table in top.tables("legs"):
        relays, spans = _leg(table, places)
        nodes += relays
        links += spans
    for table in top.tables("links"):
        links += _links(table)
    demands = [_demand(table) for table in top.tables("demands")]
    schedule, planning = _schedule(top.table("schedule")), _planning(top.table("planning"))
    top.done()
    return Scenario(
        name=name,
        title=title,
        satellites=tuple(satellites),
        stations=tuple(stations),
        nodes=tuple(nodes),
        links=tuple(_one_per_pool(links)),
        demands=tuple(demands),
        schedule=schedule,
        planning=planning,
        notes=tuple(notes),
    )


def _satellite(table: Table) -> Satellite:
    usual = Announces.NEXT_CONTACT.value
    words = [Announces.NEXT_CONTACT.value, Announces.AT_ONCE.value]
    announces = table.choice_or_number("announces", words, "seconds after a session", usual)
    satellite = Satellite(
        satellite_id=table.text("id"),
        name=table.text("name"),
        norad_id=table.whole("norad_id"),
        preset=table.text("preset"),
        source=table.text("source", ""),
        announces=Announces.DELAY if isinstance(announces, float) else Announces(announces),
        announce_delay_s=announces if isinstance(announces, float) else 0.0,
        announces_because=table.text("announces_because", ""),
    )
    table.done()
    return satellite


def _station(table: Table) -> Station:
    station_id = table.text("id")
    station = Station(
        station_id=station_id,
        name=table.text("name"),
        lat_deg=table.number("lat_deg"),
        lon_deg=table.number("lon_deg"),
        height_m=table.number("height_m"),
        mask_deg=table.number("mask_deg"),
        node=table.text("node", station_id),
        preset=table.text("preset", ""),
        telescope_m=table.maybe_number("telescope_m"),
        mount=table.text("mount", ""),
        slew_rate_deg_s=table.maybe_number("slew_rate_deg_s"),
        source=table.text("source", ""),
    )
    table.done()
    return station


def _satellite_node(satellite: Satellite) -> Node:
    return Node(
        node_id=satellite.satellite_id,
        kind=NodeKind.SATELLITE,
        name=satellite.name,
        lat_deg=None,
        lon_deg=None,
        synthetic=False,
        source=satellite.source,
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
    )


def _node(table: Table) -> Node:
    kinds = [kind.value for kind in NodeKind if kind is not NodeKind.SATELLITE]
    node = Node(
        node_id=table.text("id"),
        kind=NodeKind(table.choice("kind", kinds)),
        name=table.text("name"),
        lat_deg=table.number("lat_deg"),
        lon_deg=table.number("lon_deg"),
        synthetic=table.flag("synthetic"),
        trust_weight=table.number("trust_weight", 1.0),
        source=table.text("source", ""),
    )
    table.done()
    return node


def _downlink(satellite: Satellite, station: Station) -> Link:
    return Link(
        pool=Pool.link(satellite.satellite_id, station.node),
        kind=LinkKind.SATELLITE,
        length_km=None,
        preset=satellite.preset,
        synthetic=False,
        source=satellite.source,
    )


def _one_per_pool(links: list[Link]) -> list[Link]:
    """Drop the second downlink of two stations that keep their key at one node."""
    kept: dict[str, Link] = {}
    for link in links:
        if kept.setdefault(link.pool.pool_id, link) != link:
            raise ScenarioError(f"link {link.pool.pool_id!r} is there twice")
    return list(kept.values())


def _spans_km(table: Table) -> list[float]:
    """Read the lengths of a leg's spans: a list, or a count of equal ones."""
    length_km = table.number("length_km")
    if table.has("span_count"):
        count = table.whole("span_count")
        if not 1 <= count <= 1000:
            raise ScenarioError(f"{table.where}.span_count is {count}; allowed: 1 to 1000")
        spans = [length_km / count] * count
        table.numbers("spans_km")
    else:
        spans = table.numbers("spans_km")
        table.whole("span_count", 0)
    for span in spans:
        if not SPAN_KM_MIN <= span <= SPAN_KM_MAX:
            raise ScenarioError(
                f"{table.where}: span of {span} km; allowed: {SPAN_KM_MIN} to {SPAN_KM_MAX}"
            )
    if abs(sum(spans) - length_km) > _SUM_TOLERANCE_KM:
        raise ScenarioError(
            f"{table.where}: spans_km add up to {sum(spans)}; allowed: length_km, {length_km}"
        )
    return spans


def _leg(table: Table, places: dict[str, Node]) -> tuple[list[Node], list[Link]]:
    """Expand one leg into its relays and spans, set evenly on the straight line between."""
    start, end = table.text("from"), table.text("to")
    for key, name in (("from", start), ("to", end)):
        node = places.get(name)
        if node is None or node.lat_deg is None:
            raise ScenarioError(
                f"{table.where}.{key} is {name!r}; allowed: a station or one of [[nodes]]"
            )
    prefix = table.text("prefix", f"{start}-{end}")
    spans = _spans_km(table)
    parallel = [int(n) for n in table.numbers("parallel")] or [1] * len(spans)
    if len(parallel) != len(spans) or not all(1 <= n <= 64 for n in parallel):
        raise ScenarioError(
            f"{table.where}.parallel is {parallel}; allowed: 1 to 64 for each of {len(spans)} spans"
        )
    preset, synthetic = table.text("preset"), table.flag("synthetic")
    buffer_bits = table.whole("buffer_bits", NO_LIMIT_BITS)
    reserve_bits = table.whole("reserve_bits", 0)
    source = table.text("source", "")
    table.done()
    relays = _relays(prefix, places[start], places[end], spans)
    chain = [start, *(relay.node_id for relay in relays), end]
    links = [
        Link(
            pool=Pool.link(chain[hop], chain[hop + 1], twin),
            kind=LinkKind.FIBRE,
            length_km=length_km,
            preset=preset,
            synthetic=synthetic,
            buffer_bits=buffer_bits,
            reserve_bits=reserve_bits,
            parallel=twin,
            source=source,
        )
        for hop, length_km in enumerate(spans)
        for twin in range(1, parallel[hop] + 1)
    ]
    return relays, links


def _relays(prefix: str, start: Node, end: Node, spans_km: list[float]) -> list[Node]:
    """Place a relay at each joint of two spans. Their places are always our invention."""
    assert start.lat_deg is not None
    assert start.lon_deg is not None
    assert end.lat_deg is not None
    assert end.lon_deg is not None
    total_km, along_km, relays = sum(spans_km), 0.0, []
    for number, span_km in enumerate(spans_km[:-1], start=1):
        along_km += span_km
        part = along_km / total_km
        relays.append(
            Node(
                node_id=f"{prefix}-{number}",
                kind=NodeKind.RELAY,
                name=f"{prefix} {number}",
                lat_deg=round(start.lat_deg + part * (end.lat_deg - start.lat_deg), 6),
                lon_deg=round(start.lon_deg + part * (end.lon_deg - start.lon_deg), 6),
                synthetic=True,
                source="synthetic: on the straight line between the ends of its leg",
            )
        )
    return relays


def _links(table: Table) -> list[Link]:
    """Read one `[[links]]` table: a single link, or several in parallel."""
    kinds = [LinkKind.FIBRE.value, LinkKind.ACCESS.value]
    ends = table.text("from"), table.text("to")
    if ends[0] == ends[1]:
        raise ScenarioError(f"{table.where}: both ends are {ends[0]!r}; allowed: two nodes")
    kind = LinkKind(table.choice("kind", kinds))
    length_km, preset = table.number("length_km"), table.text("preset")
    synthetic, source = table.flag("synthetic"), table.text("source", "")
    buffer_bits = table.whole("buffer_bits", NO_LIMIT_BITS)
    reserve_bits, parallel = table.whole("reserve_bits", 0), table.whole("parallel", 1)
    if not 1 <= parallel <= 64:
        raise ScenarioError(f"{table.where}.parallel is {parallel}; allowed: 1 to 64")
    table.done()
    return [
        Link(
            pool=Pool.link(*ends, twin),
            kind=kind,
            length_km=length_km,
            preset=preset,
            synthetic=synthetic,
            buffer_bits=buffer_bits,
            reserve_bits=reserve_bits,
            parallel=twin,
            source=source,
        )
        for twin in range(1, parallel + 1)
    ]


def _demand(table: Table) -> Demand:
    ends = table.text("from"), table.text("to")
    try:
        demand = Demand(
            demand_id=table.text("id", f"{ends[0]}--{ends[1]}"),
            node_a=min(ends),
            node_b=max(ends),
            bits_per_day=table.whole("bits_per_day"),
            weight=table.number("weight", 1.0),
            priority=table.whole("priority", 0),
            min_disjoint_paths=table.whole("min_disjoint_paths", 1),
            spare_paths=table.whole("spare_paths", 0),
            avoid_nodes=frozenset(table.texts("avoid_nodes")),
            low_water_bits=table.whole("low_water_bits", 0),
            high_water_bits=table.whole("high_water_bits", NO_LIMIT_BITS),
            max_age_s=table.maybe_number("max_age_s"),
        )
    except FactError as error:
        raise ScenarioError(f"{table.where}: {error}") from error
    table.done()
    return demand


def _schedule(table: Table) -> Schedule:
    usual = Schedule()
    schedule = Schedule(
        plan_interval_s=table.whole("plan_interval_s", usual.plan_interval_s),
        trunk_interval_s=table.whole("trunk_interval_s", usual.trunk_interval_s),
        merge_interval_s=table.whole("merge_interval_s", usual.merge_interval_s),
    )
    table.done()
    return schedule


def _planning(table: Table) -> Planning:
    usual = Planning()
    planning = Planning(
        sun_elevation_deg_max=table.number("sun_elevation_deg_max", usual.sun_elevation_deg_max),
        min_elevation_deg=table.number("min_elevation_deg", usual.min_elevation_deg),
        setup_s=table.number("setup_s", usual.setup_s),
        slew_s=table.number("slew_s", usual.slew_s),
        min_secret_bits=table.whole("min_secret_bits", usual.min_secret_bits),
        max_element_age_days=table.number("max_element_age_days", usual.max_element_age_days),
        element_lag_s=table.number("element_lag_s", usual.element_lag_s),
        min_duration_s=table.number("min_duration_s", usual.min_duration_s),
        max_sessions_per_day=table.maybe_whole("max_sessions_per_day"),
        max_sessions_per_orbit=table.maybe_whole("max_sessions_per_orbit"),
        weather=WeatherUse(table.choice("weather", list(WeatherUse), usual.weather)),
    )
    table.done()
    return planning
