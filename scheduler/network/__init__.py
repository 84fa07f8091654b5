"""The network of a scenario: satellites, stations, trusted relays, links and demands."""

from scheduler.network.ends import Satellite, Station
from scheduler.network.keys import NO_LIMIT_BITS, SPAN_KM_MAX, SPAN_KM_MIN
from scheduler.network.kinds import (
    FIBRE_PRESETS,
    SATELLITE_PRESETS,
    Announces,
    KeyBlocks,
    LinkKind,
    NodeKind,
    SessionKind,
    WeatherUse,
)
from scheduler.network.model import (
    BlockPolicy,
    Link,
    Node,
    Planning,
    Scenario,
    Schedule,
    Switch,
)
from scheduler.network.operators import Operator, QuietHours, Share, Sharing
from scheduler.network.pairs import pairs_of, pool_of, stations_of
from scheduler.network.parse import parse_scenario
from scheduler.network.terminals import StatedNumber, Terminal, published
from scheduler.network.viewers import EVERYBODY, Viewer, part_of

__all__ = [
    "EVERYBODY",
    "FIBRE_PRESETS",
    "NO_LIMIT_BITS",
    "SATELLITE_PRESETS",
    "SPAN_KM_MAX",
    "SPAN_KM_MIN",
    "Announces",
    "BlockPolicy",
    "KeyBlocks",
    "Link",
    "LinkKind",
    "Node",
    "NodeKind",
    "Operator",
    "Planning",
    "QuietHours",
    "Satellite",
    "Scenario",
    "Schedule",
    "SessionKind",
    "Share",
    "Sharing",
    "StatedNumber",
    "Station",
    "Switch",
    "Terminal",
    "Viewer",
    "WeatherUse",
    "pairs_of",
    "parse_scenario",
    "part_of",
    "pool_of",
    "published",
    "stations_of",
]
