"""The value types of a network; all frozen, and checked against each other when built."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from scheduler.domain import Demand, Pool
from scheduler.errors import ScenarioError, UnknownName

NO_LIMIT_BITS = 2**62
"""Stands for "as much as comes" where a number of bits is asked for."""

_T = TypeVar("_T")
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class NodeKind(StrEnum):
    """What a node is; every one but a user relays, and then sees the key in clear."""

    SATELLITE = "satellite"
    STATION = "station"
    RELAY = "relay"
    BACKBONE = "backbone"
    USER = "user"


class LinkKind(StrEnum):
    """What a link runs through."""

    SATELLITE = "satellite"
    FIBRE = "fibre"
    ACCESS = "access"


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ScenarioError(
            f"{what} {name!r}; allowed: lower-case letters and digits, parts joined by one '-'"
        )


def _check_within(what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ScenarioError(f"{what} {value}; allowed: {low} to {high}")


def _check_unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ScenarioError(f"{what} {name!r} is there twice")
        seen.add(name)


class Announces(StrEnum):
    """When a satellite announces the XOR of two of its keys, which makes a relay of it."""

    NEXT_CONTACT = "next-contact"  # commanded and answered when it next meets a station
    AT_ONCE = "at-once"  # as if it were never out of reach
    DELAY = "delay"  # so many seconds after a session, for a reason that the scenario gives


DELAY_S_MAX = 31 * 86_400.0
"""Longest delay of an announcement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Satellite:
    """A satellite that downlinks key; in the network it is a trusted relay.

    It holds one key for each pass and can relay only what it has announced: on command, the XOR
    of two of them (Liao et al., PRL 120, 030501, 2018). Until then a session's key waits.
    """

    satellite_id: str
    name: str
    norad_id: int
    preset: str  #: of its downlink, in `qkd.presets`
    source: str = ""
    announces: Announces = Announces.NEXT_CONTACT
    announce_delay_s: float = 0.0  #: from the end of a session; with `Announces.DELAY` alone
    announces_because: str = ""  #: what takes so long, or brings it without a station

    def __post_init__(self) -> None:
        where = f"satellite {self.satellite_id}"
        _check_name("satellite", self.satellite_id)
        if self.norad_id < 1:
            raise ScenarioError(f"{where}: norad_id {self.norad_id}, not > 0")
        if self.announces is Announces.DELAY:
            _check_within(f"{where}: announces", self.announce_delay_s, 1.0, DELAY_S_MAX)
            if not self.announces_because.strip():
                raise ScenarioError(
                    f"{where}: announces {self.announce_delay_s:g} s after a session, but"
                    " announces_because is empty; allowed: what takes so long, or how the"
                    " announcement comes down without a station"
                )
        elif self.announce_delay_s or self.announces_because:
            raise ScenarioError(
                f"{where}: announces {self.announces} with announces_because"
                f" {self.announces_because!r}; allowed: only with a delay in seconds"
            )

    @property
    def announcing(self) -> str:
        """The choice in one word or figure, as a run is bound to it."""
        if self.announces is Announces.DELAY:
            return f"{self.announce_delay_s:g} s"
        return self.announces.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A ground telescope: its place, its mask, and the node that keeps its key."""

    station_id: str
    name: str
    lat_deg: float  #: WGS84, north positive
    lon_deg: float  #: east positive
    height_m: float  #: above the WGS84 ellipsoid
    mask_deg: float  #: least elevation, all round
    node: str
    preset: str  #: of its receiver; "" takes the satellite's
    telescope_m: float | None = None
    mount: str = ""  #: receivers that name the same one take turns; "" is a mount of its own
    slew_rate_deg_s: float | None = None  #: of its slower axis; None: the planning rules' slew_s
    source: str = ""

    def __post_init__(self) -> None:
        _check_name("station", self.station_id)
        _check_within(f"station {self.station_id}: lat_deg", self.lat_deg, -90.0, 90.0)
        _check_within(f"station {self.station_id}: lon_deg", self.lon_deg, -180.0, 180.0)
        _check_within(f"station {self.station_id}: height_m", self.height_m, -500.0, 9000.0)
        _check_within(f"station {self.station_id}: mask_deg", self.mask_deg, 0.0, 89.0)
        if self.slew_rate_deg_s is not None:
            _check_within(
                f"station {self.station_id}: slew_rate_deg_s", self.slew_rate_deg_s, 0.01, 90.0
            )
        if self.telescope_m is not None:
            _check_within(f"station {self.station_id}: telescope_m", self.telescope_m, 0.01, 40.0)


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

    def __post_init__(self) -> None:
        _check_name("node", self.node_id)
        if self.lat_deg is not None:
            _check_within(f"node {self.node_id}: lat_deg", self.lat_deg, -90.0, 90.0)
        if self.lon_deg is not None:
            _check_within(f"node {self.node_id}: lon_deg", self.lon_deg, -180.0, 180.0)
        _check_within(f"node {self.node_id}: trust_weight", self.trust_weight, 1e-3, 1e6)

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
    preset: str  #: in `qkd.presets`
    synthetic: bool
    buffer_bits: int = NO_LIMIT_BITS  #: deposits beyond it are not made
    reserve_bits: int = 0  #: merges leave this much
    parallel: int = 1
    source: str = ""

    def __post_init__(self) -> None:
        where = f"link {self.pool.pool_id}"
        if (self.length_km is None) != (self.kind is LinkKind.SATELLITE):
            raise ScenarioError(f"{where}: length_km {self.length_km} on a {self.kind} link")
        if self.length_km is not None:
            _check_within(f"{where}: length_km", self.length_km, 0.001, 1000.0)
        _check_within(f"{where}: buffer_bits", self.buffer_bits, 1, NO_LIMIT_BITS)
        _check_within(f"{where}: reserve_bits", self.reserve_bits, 0, self.buffer_bits)
        if self.parallel != self.pool.parallel:
            raise ScenarioError(f"{where}: parallel {self.parallel}, not {self.pool.parallel}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How often the jobs run, in seconds of the clock in use."""

    plan_interval_s: int = 86_400
    trunk_interval_s: int = 21_600
    merge_interval_s: int = 21_600

    def __post_init__(self) -> None:
        for name in ("plan_interval_s", "trunk_interval_s", "merge_interval_s"):
            _check_within(f"schedule.{name}", getattr(self, name), 1, 31 * 86_400)


SESSIONS_MAX = 1000
"""Most sessions that a limit for one satellite may name."""


class WeatherUse(StrEnum):
    """Which weather a scenario plans with, unless the settings say otherwise."""

    NONE = "none"  #: every sky counts as clear
    CLIMATOLOGY = "climatology"


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
        limits = {
            "sun_elevation_deg_max": (-90.0, 90.0),
            "min_elevation_deg": (0.0, 89.0),
            "setup_s": (0.0, 3600.0),
            "slew_s": (0.0, 3600.0),
            "min_secret_bits": (0, NO_LIMIT_BITS),
            "max_element_age_days": (0.01, 366.0),
            "element_lag_s": (0.0, 31 * 86_400.0),
            "min_duration_s": (0.0, 3600.0),
            "max_sessions_per_day": (0, SESSIONS_MAX),
            "max_sessions_per_orbit": (0, SESSIONS_MAX),
        }
        for name, (low, high) in limits.items():
            if getattr(self, name) is not None:
                _check_within(f"planning.{name}", getattr(self, name), low, high)


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
    schedule: Schedule = field(default_factory=Schedule)
    planning: Planning = field(default_factory=Planning)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_name("scenario", self.name)
        _check_unique("satellite", (s.satellite_id for s in self.satellites))
        _check_unique("norad_id", (str(s.norad_id) for s in self.satellites))
        _check_unique("station", (s.station_id for s in self.stations))
        _check_unique("node", (n.node_id for n in self.nodes))
        _check_unique("link", (link.pool.pool_id for link in self.links))
        _check_unique("demand", (d.demand_id for d in self.demands))
        self._check_known("satellite", ((s.satellite_id, s.satellite_id) for s in self.satellites))
        self._check_known("station", ((s.station_id, s.node) for s in self.stations))
        for link in self.links:
            ends = (link.pool.node_a, link.pool.node_b)
            self._check_known("link", ((link.pool.pool_id, end) for end in ends))
        for demand in self.demands:
            named = (demand.node_a, demand.node_b, *sorted(demand.avoid_nodes))
            self._check_known("demand", ((demand.demand_id, name) for name in named))

    def _check_known(self, what: str, named: Iterable[tuple[str, str]]) -> None:
        known = {node.node_id for node in self.nodes}
        for owner, name in named:
            if name not in known:
                raise ScenarioError(f"{what} {owner} names node {name!r}; {_known(known)}")

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


def _known(names: Iterable[str], limit: int = 40) -> str:
    """Say which names are known, at most `limit` of them."""
    ordered = sorted(names)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return f"known: {', '.join(ordered[:limit]) or 'none'}{more}"


def _find(what: str, name: str, table: dict[str, _T]) -> _T:
    try:
        return table[name]
    except KeyError:
        raise UnknownName(f"no {what} {name!r}; {_known(table)}") from None
