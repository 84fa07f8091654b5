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
    ENTANGLED = "entangled"  #: from one source in orbit to both ends at once: no node between
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


class SessionKind(StrEnum):
    """How a satellite and its stations make key in a session; the words of `qkd.SessionKind`."""

    DOWNLINK = "downlink"  #: the satellite sends weak pulses
    UPLINK = "uplink"  #: a station sends them, the satellite in eclipse
    DUAL_DOWNLINK = "dual-downlink"  #: two stations at once get the photons of entangled pairs
    COMMISSIONING = "commissioning"  #: takes satellite and mount, and gives no key


class KeyBlocks(StrEnum):
    """What the finite-key blocks of a downlink are made of."""

    PER_PASS = "per-pass"  #: every session by itself
    POOLED = "pooled"  #: sessions together, until a size or an age is reached


DOWNLINK_PRESETS = (
    "micius-2016",
    "micius-2016-fitted",
    "graz",
    "nanshan-2020",
    "portable-280mm",
    "zvenigorod",
    "jinan-1",
)
DUAL_PRESETS = ("micius-entangled-2020", "speqtre-like")
UPLINK_PRESETS = ("qeyssat-like",)
SATELLITE_PRESETS = (*DOWNLINK_PRESETS, *DUAL_PRESETS, *UPLINK_PRESETS)
"""Those of `qkd.presets`; their names alone, for reading a scenario loads no physics."""

SESSION_OF_PRESET = {
    **dict.fromkeys(DOWNLINK_PRESETS, SessionKind.DOWNLINK),
    **dict.fromkeys(DUAL_PRESETS, SessionKind.DUAL_DOWNLINK),
    **dict.fromkeys(UPLINK_PRESETS, SessionKind.UPLINK),
}

FIBRE_KINDS = (LinkKind.FIBRE.value, LinkKind.METRO.value, LinkKind.ACCESS.value)

FIBRE_PRESETS = ("trunk-span", "toshiba-like")
"""The fibre links of `qkd.presets`."""
