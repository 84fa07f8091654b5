"""The value types of a network; all frozen, and checked against each other when built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import TypeVar

from scheduler.domain import Demand, Pool, station_ids
from scheduler.errors import ScenarioError, UnknownName
from scheduler.network.ends import Satellite, Station, check_name, check_within
from scheduler.network.keys import NO_LIMIT_BITS, check_limits
from scheduler.network.kinds import KeyBlocks, LinkKind, NodeKind, WeatherUse
from scheduler.network.operators import Sharing
from scheduler.network.schema import DOWNLINKS, LINKS, NODES, PLANNING, SCHEDULE, SWITCHES

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A place that holds key. A satellite has no fixed place: both degrees are None."""

    node_id: str
    kind: NodeKind
    name: str
    lat_deg: float | None
    lon_deg: float | None
    synthetic: bool  #: its place, or its being there at all, is our invention
    trust_weight: float = 1.0  #: cost of relying on it; 1 is an ordinary trusted relay
    source: str = ""
    domain: str = ""  #: whose it is, as demands require or avoid it; "" is nobody's

    def __post_init__(self) -> None:
        check_name("node", self.node_id)
        check_limits(NODES, f"node {self.node_id}: ", self)

    @property
    def relays(self) -> bool:
        """True if key of others may pass through it."""
        return self.kind is not NodeKind.USER


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A quantum link and the buffer of key at its two ends."""

    pool: Pool
    kind: LinkKind
    length_km: float | None  #: of fibre; None for a satellite link
    preset: str  #: of fibre: in `qkd.presets`; of a satellite: its transmitter's name
    synthetic: bool
    buffer_bits: int | None = None  #: beyond it no key is made; None: `forecast.buffer_bits` says
    reserve_bits: int = 0  #: merges leave this much
    parallel: int = 1
    source: str = ""
    rate_bps: float | None = None  #: secret, while on, as a source states it; None: by its preset
    switch: str = ""  #: through which it runs; "" is always on
    share: float = 1.0  #: of time for which it is on

    def __post_init__(self) -> None:
        where = f"link {self.pool.pool_id}"
        if (self.length_km is None) == self.is_fibre:
            raise ScenarioError(f"{where}: length_km {self.length_km} on a {self.kind} link")
        check_limits(LINKS, f"{where}: ", self)
        limit_bits = NO_LIMIT_BITS if self.buffer_bits is None else self.buffer_bits
        check_within(f"{where}: reserve_bits", self.reserve_bits, 0, limit_bits)
        if not self.switch and self.share != 1.0:
            raise ScenarioError(f"{where}: share {self.share:g}; allowed: 1 without a switch")
        if self.parallel != self.pool.parallel:
            raise ScenarioError(f"{where}: parallel {self.parallel}, not {self.pool.parallel}")

    @property
    def is_fibre(self) -> bool:
        """Whether it makes key all the time, and not in sessions."""
        return self.kind not in {LinkKind.SATELLITE, LinkKind.ENTANGLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """An optical switch: of its links, and of the switches behind it, so many are on at once.

    It passes light and holds no key, so it is no node and nobody has to trust it.
    """

    switch_id: str
    at_once: int
    behind: str = ""  #: the switch of which one port leads here
    synthetic: bool = True
    source: str = ""

    def __post_init__(self) -> None:
        check_name("switch", self.switch_id)
        check_limits(SWITCHES, f"switch {self.switch_id}: ", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPolicy:
    """How the key of one satellite over one station is made into finite-key blocks."""

    satellite: str
    station: str
    blocks: KeyBlocks = KeyBlocks.PER_PASS
    target_sifted_bits: float | None = None  #: of a pooled block; of those that become key
    age_s_max: float | None = None  #: of its oldest session
    epsilon_max: float = 1.0  #: of all blocks of the link together
    source: str = ""

    @property
    def downlink(self) -> str:
        """Its name among other downlinks."""
        return f"{self.satellite} over {self.station}"

    def __post_init__(self) -> None:
        where = f"downlink {self.downlink}"
        check_limits(DOWNLINKS, f"{where}: ", self)
        pooled = self.blocks is KeyBlocks.POOLED
        if pooled and self.target_sifted_bits is None:
            raise ScenarioError(f"{where}: pooled without target_sifted_bits; allowed: with it")
        if not pooled and (self.target_sifted_bits, self.age_s_max) != (None, None):
            raise ScenarioError(
                f"{where}: {self.blocks} with target_sifted_bits {self.target_sifted_bits},"
                f" age_s_max {self.age_s_max}; allowed: with blocks = 'pooled' alone"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How often the jobs run, in seconds of the clock in use."""

    plan_interval_s: int = 86_400
    trunk_interval_s: int = 21_600
    merge_interval_s: int = 21_600

    def __post_init__(self) -> None:
        check_limits(SCHEDULE, "schedule.", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What a pass must satisfy to be booked."""

    sun_elevation_deg_max: float = -6.0
    min_elevation_deg: float = 10.0
    setup_s: float = 0.0  #: from the start of the arc to the first key
    slew_s: float = 0.0  #: between two sessions of one satellite or one station
    min_secret_bits: int = 0
    max_element_age_days: float = 14.0
    element_lag_s: float = 0.0  #: from an element set's epoch to its arrival
    min_duration_s: float = 0.0  #: of a session
    max_sessions_per_day: int | None = None  #: of one satellite; energy
    max_sessions_per_orbit: int | None = None
    weather: WeatherUse = WeatherUse.CLIMATOLOGY

    def __post_init__(self) -> None:
        check_limits(PLANNING, "planning.", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One network with its demands and rules; checks that every name in it is known."""

    name: str
    title: str
    satellites: tuple[Satellite, ...] = ()
    stations: tuple[Station, ...] = ()
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    demands: tuple[Demand, ...] = ()
    switches: tuple[Switch, ...] = ()
    schedule: Schedule = field(default_factory=Schedule)
    planning: Planning = field(default_factory=Planning)
    notes: tuple[str, ...] = ()
    block_policies: tuple[BlockPolicy, ...] = ()
    sharing: Sharing = field(default_factory=Sharing)

    def __post_init__(self) -> None:
        check_name("scenario", self.name)
        wrong = contradictions(
            self.satellites,
            self.stations,
            self.nodes,
            self.links,
            self.demands,
            self.switches,
            self.block_policies,
        )
        said = [one.text for one in wrong]
        said += self.sharing.strange(self.satellites, self.stations)
        if said:
            raise ScenarioError("; ".join(said))

    def block_policy(self, satellite_id: str, station_id: str) -> BlockPolicy:
        """Return how the key of a satellite over a station is made: by the pass if nobody said."""
        for one in self.block_policies:
            if (one.satellite, one.station) == (satellite_id, station_id):
                return one
        return BlockPolicy(satellite=satellite_id, station=station_id)

    @property
    def fibre_km(self) -> float:
        """Kilometres of long-distance fibre: each span once, whatever runs side by side."""
        spans = {
            (link.pool.node_a, link.pool.node_b): link.length_km or 0.0
            for link in self.links
            if link.kind is LinkKind.FIBRE
        }
        return fsum(spans.values())

    @property
    def user_count(self) -> int:
        """How many nodes are users: they relay nobody else's key."""
        return sum(not node.relays for node in self.nodes)

    def satellite(self, satellite_id: str) -> Satellite:
        """Return one satellite. Raises UnknownName, listing the known ones."""
        return _find("satellite", satellite_id, {s.satellite_id: s for s in self.satellites})

    def station(self, station_id: str) -> Station:
        """Return one station. Raises UnknownName, listing the known ones."""
        return _find("station", station_id, {s.station_id: s for s in self.stations})

    def node(self, node_id: str) -> Node:
        """Return one node. Raises UnknownName, listing the known ones."""
        return _find("node", node_id, {n.node_id: n for n in self.nodes})

    def link(self, pool_id: str) -> Link:
        """Return the link with that pool. Raises UnknownName, listing the known ones."""
        return _find("link", pool_id, {link.pool.pool_id: link for link in self.links})

    def demand(self, demand_id: str) -> Demand:
        """Return one demand. Raises UnknownName, listing the known ones."""
        return _find("demand", demand_id, {d.demand_id: d for d in self.demands})


def _find(what: str, name: str, table: dict[str, _T]) -> _T:
    try:
        return table[name]
    except KeyError:
        raise UnknownName(f"no {what} {name!r}; {known_names(table)}") from None


NAMES_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """One thing that does not hold together, and which part says it."""

    kind: str  #: satellite, station, node, link, switch, demand or downlink
    name: str
    text: str


def known_names(names: Iterable[str]) -> str:
    """Say which names are known, NAMES_SHOWN of them at most."""
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMES_SHOWN} more" if len(ordered) > NAMES_SHOWN else ""
    return f"known: {', '.join(ordered[:NAMES_SHOWN]) or 'none'}{more}"


def contradictions(
    satellites: Sequence[Satellite],
    stations: Sequence[Station],
    nodes: Sequence[Node],
    links: Sequence[Link],
    demands: Sequence[Demand],
    switches: Sequence[Switch] = (),
    policies: Sequence[BlockPolicy] = (),
    *,
    excused: Callable[[str], bool] = lambda _: False,
) -> list[Contradiction]:
    """Return names that stand twice, and names of what there is not.

    `excused` tells of a name that something else is wrong with it: that it misses is no news.
    """
    twice = [
        *_twice("satellite", [one.satellite_id for one in satellites]),
        *_twice("norad_id", [str(one.norad_id) for one in satellites]),
        *_twice("station", [one.station_id for one in stations]),
    ]
    # What stands twice as station or satellite does so as node and link, too.
    told = {one.name for one in twice}
    twice += _twice("node", [one.node_id for one in nodes if one.node_id not in told])
    twice += _twice("link", [one.pool.pool_id for one in links if told.isdisjoint(_ends(one))])
    twice += _twice("demand", [one.demand_id for one in demands])
    twice += _twice("switch", [one.switch_id for one in switches])
    twice += _twice("downlink", [one.downlink for one in policies])
    flying = [("downlink", one.downlink, (one.satellite,)) for one in policies]
    seeing = [("downlink", one.downlink, station_ids(one.station)) for one in policies]
    named: list[tuple[str, str, Iterable[str]]] = [
        *(("station", one.station_id, (one.node,)) for one in stations),
        *(("link", one.pool.pool_id, _ends(one)) for one in links),
        *(
            ("demand", one.demand_id, (one.node_a, one.node_b, *sorted(one.avoid_nodes)))
            for one in demands
        ),
    ]
    domains = [
        ("demand", one.demand_id, sorted(one.require_domains | one.avoid_domains))
        for one in demands
    ]
    ways = [
        *(("link", one.pool.pool_id, (one.switch,)) for one in links if one.switch),
        *(("switch", one.switch_id, (one.behind,)) for one in switches if one.behind),
    ]
    return [
        *twice,
        *_on_one_place(stations),
        *_strange("node", {one.node_id for one in nodes}, named, excused),
        *_strange("domain", {one.domain for one in nodes if one.domain}, domains, excused),
        *_strange("satellite", {one.satellite_id for one in satellites}, flying, excused),
        *_strange("station", {one.station_id for one in stations}, seeing, excused),
        *_strange("switch", {one.switch_id for one in switches}, ways, excused),
    ]


def _on_one_place(stations: Sequence[Station]) -> Iterator[Contradiction]:
    """Stations that stand where another one does, and do not share its mount."""
    places: dict[tuple[float, float], Station] = {}
    for one in stations:
        other = places.setdefault((one.lat_deg, one.lon_deg), one)
        apart = other.station_id == one.station_id or (one.mount and one.mount == other.mount)
        if not apart:
            yield Contradiction(
                kind="station",
                name=one.station_id,
                text=f"station {one.station_id} lies on the place of {other.station_id},"
                f" {one.lat_deg:g}, {one.lon_deg:g}; allowed: places apart, or one mount for both",
            )


def _strange(
    what: str,
    known: set[str],
    named: Iterable[tuple[str, str, Iterable[str]]],
    excused: Callable[[str], bool],
) -> Iterator[Contradiction]:
    for kind, owner, names in named:
        for name in names:
            if name not in known and not excused(name):
                text = f"{kind} {owner} names {what} {name!r}; {known_names(known)}"
                yield Contradiction(kind=kind, name=owner, text=text)


def _ends(link: Link) -> tuple[str, str]:
    return link.pool.node_a, link.pool.node_b


def _twice(kind: str, names: Iterable[str]) -> Iterator[Contradiction]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Contradiction(kind=kind, name=name, text=f"{kind} {name!r} is there twice")
