"""The words a scenario chooses among."""

from __future__ import annotations

from enum import StrEnum


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
    METRO = "metro"
    ACCESS = "access"


class Announces(StrEnum):
    """When a satellite announces the XOR of two of its keys, which makes a relay of it."""

    NEXT_CONTACT = "next-contact"  # commanded and answered when it next meets a station
    AT_ONCE = "at-once"  # as if it were never out of reach
    DELAY = "delay"  # so many seconds after a session, for a reason that the scenario gives


class WeatherUse(StrEnum):
    """Which weather a scenario plans with, unless the settings say otherwise."""

    NONE = "none"  #: every sky counts as clear
    CLIMATOLOGY = "climatology"


class KeyBlocks(StrEnum):
    """What the finite-key blocks of a downlink are made of."""

    PER_PASS = "per-pass"  #: every session by itself
    POOLED = "pooled"  #: sessions together, until a size or an age is reached


SATELLITE_PRESETS = (
    "micius-2016",
    "micius-2016-fitted",
    "graz",
    "nanshan-2020",
    "portable-280mm",
    "zvenigorod",
    "jinan-1",
)
"""The downlinks of `qkd.presets`; their names alone, for reading a scenario loads no physics."""

FIBRE_KINDS = tuple(kind.value for kind in LinkKind if kind is not LinkKind.SATELLITE)

FIBRE_PRESETS = ("trunk-span", "toshiba-like")
"""The fibre links of `qkd.presets`."""
