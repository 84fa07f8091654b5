"""The network of a scenario: satellites, stations, trusted relays, links and demands."""

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
from scheduler.network.parse import SPAN_KM_MAX, SPAN_KM_MIN, parse_scenario

__all__ = [
    "NO_LIMIT_BITS",
    "SPAN_KM_MAX",
    "SPAN_KM_MIN",
    "Announces",
    "Link",
    "LinkKind",
    "Node",
    "NodeKind",
    "Planning",
    "Satellite",
    "Scenario",
    "Schedule",
    "Station",
    "WeatherUse",
    "parse_scenario",
]
