"""What a preset is: hardware, protocol, and where every number of it comes from."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import Enum

from qkd import checks
from qkd.decoy import DecoyProtocol
from qkd.entangled import LinkProtocol, PairProtocol
from qkd.errors import QkdInputError, UnknownPresetError
from qkd.fibre import FibreReceiver, FibreSpan
from qkd.finite_key.leak import FiniteLeak, LeakModel
from qkd.finite_key.terms import Authentication, Security, proof
from qkd.hardware import OpticalSite, Receiver, Terminal
from qkd.learning import LinkSpread


class Standing(Enum):
    """How far a number can be leant on."""

    PUBLISHED = "published"
    DERIVED = "derived"
    ASSUMED = "assumed"
    FITTED = "fitted"
    STATED = "stated"  #: by whoever described a station or a satellite of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetNumber:
    """One number of a preset; `name` is its path, `*` standing for every station."""

    name: str
    value: float
    unit: str
    source: str
    standing: Standing

    def __post_init__(self) -> None:
        checks.number("value", self.value, -math.inf)
        checks.kinds(self, standing=Standing)


class SessionKind(Enum):
    """How one satellite and its stations make key in a session."""

    DOWNLINK = "downlink"  #: weak pulses from the satellite into a station
    UPLINK = "uplink"  #: weak pulses from a station into the satellite
    DUAL_DOWNLINK = "dual-downlink"  #: one photon of each pair into each of two stations at once
    COMMISSIONING = "commissioning"  #: no key


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A satellite's hardware with its ground stations, by station id.

    Of an uplink the terminal stands at every station and the receivers are the satellite's,
    one entry a station; `sites` are always places on the ground.
    """

    name: str
    title: str
    terminal: Terminal
    receivers: Mapping[str, Receiver]
    sites: Mapping[str, OpticalSite]
    protocol: LinkProtocol
    security: Security
    bound: str
    leak: LeakModel
    authentication: Authentication
    spread: LinkSpread
    numbers: tuple[PresetNumber, ...]
    missing: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        _check_proof(self.protocol, self.security, self.bound, self.leak, self.authentication)
        checks.kinds(
            self,
            terminal=Terminal,
            receivers=Mapping,
            sites=Mapping,
            spread=LinkSpread,
            numbers=tuple,
        )

    @property
    def kind(self) -> SessionKind:
        """What its sessions are."""
        if isinstance(self.protocol, PairProtocol):
            return SessionKind.DUAL_DOWNLINK
        return SessionKind(self.terminal.direction)

    def pulses(self) -> DecoyProtocol:
        """Return the protocol of weak pulses. Raises QkdInputError for an entangled source."""
        if isinstance(self.protocol, PairProtocol):
            raise QkdInputError(
                f"preset {self.name!r} is an entangled source, allowed one of weak pulses"
            )
        return self.protocol

    @checks.takes(station_id=str)
    def station(self, station_id: str) -> tuple[Receiver, OpticalSite]:
        """Return the receiver and the site of one station.

        Raises UnknownPresetError if the preset has no such station.
        """
        if station_id not in self.receivers:
            raise UnknownPresetError(
                f"station {station_id!r} is not in preset {self.name!r}, "
                f"which has {', '.join(sorted(self.receivers))}"
            )
        return self.receivers[station_id], self.sites[station_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class FibrePreset:
    """One kind of fibre link: a typical span, its ends, and its protocol."""

    name: str
    title: str
    span: FibreSpan
    receiver: FibreReceiver
    protocol: DecoyProtocol
    security: Security
    bound: str
    leak: LeakModel
    authentication: Authentication
    block_bits: float
    numbers: tuple[PresetNumber, ...]
    missing: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        _check_proof(self.protocol, self.security, self.bound, self.leak, self.authentication)
        checks.kinds(self, span=FibreSpan, receiver=FibreReceiver, numbers=tuple)
        checks.number("block_bits", self.block_bits, 1.0, 1e14, unit="bit")


def _check_proof(
    protocol: object, security: object, bound: str, leak: LeakModel, authentication: object
) -> None:
    checks.kind("protocol", protocol, (DecoyProtocol, PairProtocol))
    checks.kind("security", security, Security)
    checks.kind("authentication", authentication, Authentication)
    proof(bound=bound, leak=leak, phase="exact")


#: Unit, source and standing of a number, as a preset's table states them.
Origin = tuple[str, str, Standing]


def published(unit: str, source: str) -> Origin:
    """Return the origin of a number read in a publication."""
    return unit, source, Standing.PUBLISHED


def derived(unit: str, source: str) -> Origin:
    """Return the origin of a number computed from published ones."""
    return unit, source, Standing.DERIVED


def assumed(unit: str, source: str) -> Origin:
    """Return the origin of a number nobody published; the source says why this one."""
    return unit, source, Standing.ASSUMED


def fitted(unit: str, source: str) -> Origin:
    """Return the origin of a number fitted to a published outcome."""
    return unit, source, Standing.FITTED


#: Origins of what every session's authentication costs.
AUTHENTICATION = {
    "authentication.tags": assumed("1", "messages a session, three a side; not published"),
    "authentication.tag_bits": assumed("bit", "Wegman-Carter tags of 64 bits; not published"),
}

#: Parts whose defaults matter as much as any number.
_ALWAYS = (DecoyProtocol, PairProtocol, Security, FiniteLeak, Authentication, LinkSpread)


def numeric_leaves(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield path and value of every number that is not its type's default ("not modelled").

    Of protocol, security and leak every number is told.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)
    elif isinstance(value, tuple):
        for index, item in enumerate(value, start=1):
            yield from numeric_leaves(item, f"{path}.{index}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from numeric_leaves(item, f"{path}.{key}")
    elif is_dataclass(value):
        for f in fields(value):
            item = getattr(value, f.name)
            usual = f.default_factory() if f.default_factory is not MISSING else f.default
            if item != usual or isinstance(value, _ALWAYS):
                yield from numeric_leaves(item, f"{path}.{f.name}")


def _matches(pattern: str, path: str) -> bool:
    wanted, seen = pattern.split("."), path.split(".")
    return len(wanted) == len(seen) and all(
        w in ("*", s) for w, s in zip(wanted, seen, strict=True)
    )


def document(
    parts: Mapping[str, object], origins: Mapping[str, Origin]
) -> tuple[PresetNumber, ...]:
    """Return every number of the parts with its origin.

    A number without an origin, or an origin without a number, is a mistake of ours.
    """
    numbers, used = [], set()
    for name, part in parts.items():
        for path, value in numeric_leaves(part, name):
            pattern = next((p for p in origins if _matches(p, path)), None)
            assert pattern is not None, f"no origin for {path}"
            used.add(pattern)
            unit, source, standing = origins[pattern]
            numbers.append(
                PresetNumber(name=path, value=value, unit=unit, source=source, standing=standing)
            )
    assert used == set(origins), f"no number for {set(origins) - used}"
    return tuple(numbers)
