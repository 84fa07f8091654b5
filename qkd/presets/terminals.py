"""Presets taken apart into transmitter and receiver, changed number by number, put together."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from qkd import checks
from qkd.decoy import DecoyProtocol
from qkd.entangled import LinkProtocol, PairProtocol
from qkd.errors import QkdInputError
from qkd.finite_key.leak import LeakModel, as_leak
from qkd.finite_key.terms import Security
from qkd.freespace.atmosphere import Atmosphere
from qkd.freespace.beams import AnchoredBeam, FarFieldBeam, Pointing
from qkd.hardware import OpticalSite, Receiver, SkyView, Terminal
from qkd.presets.facts import Origin, Preset, PresetNumber, Standing, numeric_leaves

ASSUMED = "assumed"
"""The source of a number that nobody measured."""

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A number, or a row of them, that stands instead of a preset's, and where it is from."""

    value: float | tuple[float, ...]
    source: str  #: in words; ASSUMED if there is none

    def __post_init__(self) -> None:
        checks.array("value", self.value, -math.inf)
        checks.kinds(self, source=str)

    @checks.takes(unit=str)
    def origin(self, unit: str) -> Origin:
        """Return the number's origin as a preset's table has it."""
        standing = Standing.ASSUMED if self.source.startswith(ASSUMED) else Standing.STATED
        return unit, self.source, standing


_SENT: Mapping[str, tuple[str, str]] = {
    "wavelength_nm": ("terminal.wavelength_nm", "nm"),
    "optics_transmittance": ("terminal.optics_transmittance", "1"),
    "pulse_width_ps": ("terminal.pulse_width_ps", "ps"),
    "pulse_rate_hz": ("protocol.pulse_rate_hz", "Hz"),
    "pair_rate_hz": ("protocol.pair_rate_hz", "Hz"),
    "source_error": ("protocol.misalignment", "1"),
    "intensities": ("protocol.intensities", "photons"),
    "probabilities": ("protocol.probabilities", "1"),
    "intensity_uncertainty": ("protocol.intensity_uncertainty", "1"),
    "key_basis": ("protocol.key_basis_alice", "1"),
    "secrecy": ("security.secrecy", "1"),
    "correctness": ("security.correctness", "1"),
    "leak_efficiency": ("leak.efficiency", "1"),
}
_BEAM_ANGLES = {"beam_half_angle_urad": 1.0, "beam_full_angle_urad": 0.5}
"""Share of each angle that is the 1/e^2 intensity half angle."""
_BEAM_FWHM = "beam_fwhm_urad"
_BEAM_LOSS = {
    "beam_loss_db": "loss_db",
    "beam_range_km": "range_km",
    "beam_telescope_m": "receiver_diameter_m",
}
_POINTING = {
    "pointing_jitter_urad": ("jitter_urad", "urad"),
    "pointing_bias_urad": ("bias_urad", "urad"),
    "pointing_loss_db": ("loss_db", "dB"),
}
TRANSMITTER_NUMBERS = (*_SENT, *_BEAM_ANGLES, _BEAM_FWHM, *_BEAM_LOSS, *_POINTING)
"""What `Transmitter.changed` takes."""

_RECEIVED: Mapping[str, tuple[str, str]] = {
    "telescope_m": ("receiver.diameter_m", "m"),
    "obscuration_m": ("receiver.obscuration_m", "m"),
    "optics_transmittance": ("receiver.optics_transmittance", "1"),
    "filter_transmittance": ("receiver.filter_transmittance", "1"),
    "misalignment": ("receiver.misalignment", "1"),
    "stray_rate_hz": ("receiver.stray_rate_hz", "Hz"),
    "detector_efficiency": ("receiver.detector.efficiency", "1"),
    "efficiency_mismatch": ("receiver.detector.efficiency_mismatch", "1"),
    "detector_count": ("receiver.detector.count", "1"),
    "dark_rate_hz": ("receiver.detector.dark_rate_hz", "Hz"),
    "gate_ns": ("receiver.detector.gate_ns", "ns"),
    "timing_ps": ("receiver.detector.timing_ps", "ps"),
    "dead_time_ns": ("receiver.detector.dead_time_ns", "ns"),
    "after_pulse": ("receiver.detector.after_pulse", "1"),
    "key_basis": ("key_basis", "1"),
    "sky_brightness": ("site.sky_brightness", "mag/arcsec2"),
}
_SKY = {"field_of_view_urad": "urad", "filter_width_nm": "nm"}
_AIR = "air_zenith_db"
RECEIVER_NUMBERS = (*_RECEIVED, *_SKY, _AIR)
"""What `GroundReceiver.changed` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmitter:
    """The sending end of a link: what it sends, and what its key promises."""

    name: str
    terminal: Terminal
    protocol: LinkProtocol  #: its key basis at the receiver is the receiver's to say
    security: Security
    leak: LeakModel
    base: Preset  #: the preset it comes from, for all that neither end decides
    numbers: tuple[PresetNumber, ...]

    def __post_init__(self) -> None:
        protocols = (DecoyProtocol, PairProtocol)
        checks.kinds(self, terminal=Terminal, protocol=protocols, security=Security)
        checks.kinds(self, base=Preset, numbers=tuple)
        as_leak(self.leak)

    @checks.takes(name=str, numbers=Mapping)
    def changed(self, name: str, numbers: Mapping[str, Stated]) -> Self:
        """Return a transmitter of another name with some numbers replaced.

        A beam is stated in one way: by one of its angles (1/e^2 half or full, FWHM), or by its
        loss into a telescope at a range, all three together. Of the pointing figures those left
        out become 0, for a mean loss and a jitter tell of the same thing.

        Raises QkdInputError for a number that is not in TRANSMITTER_NUMBERS, for a beam
        stated in two ways or in part, and for what the hardware itself refuses.
        """
        _refuse_unknown(numbers, TRANSMITTER_NUMBERS)
        self._refuse_foreign(numbers)
        changes, origins = _plain(numbers, _SENT)
        beam, its_origins = _beam(numbers)
        if beam is not None:
            changes["terminal.beam"] = beam
            origins |= its_origins
        pointing = {key: numbers[key] for key in _POINTING if key in numbers}
        if pointing:
            values = {_POINTING[key][0]: _one(key, stated) for key, stated in pointing.items()}
            changes["terminal.pointing"] = Pointing(**values)
            origins |= {
                f"terminal.pointing.{field}": pointing[key].origin(unit)
                for key, (field, unit) in _POINTING.items()
                if key in pointing
            }
        made = _replaced(self, {**changes, "name": name})
        parts = {part: getattr(made, part) for part in ("terminal", "protocol", "security", "leak")}
        return replace(made, numbers=tuple(_numbers(parts, self.numbers, origins)))

    def _refuse_foreign(self, numbers: Mapping[str, Stated]) -> None:
        """Raise for a number of weak pulses on an entangled source, or the other way round."""
        for key in numbers:
            part, _, field = _SENT.get(key, ("", ""))[0].partition(".")
            if part == "protocol" and not hasattr(self.protocol, field):
                kind = self.base.kind.value
                raise QkdInputError(f"{key} on {self.base.name!r}, allowed those of a {kind}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundReceiver:
    """The station's end of a downlink: telescope, detectors, and the air above it."""

    name: str
    receiver: Receiver
    site: OpticalSite
    key_basis: float  #: probability of measuring in the key basis
    numbers: tuple[PresetNumber, ...]
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checks.kinds(self, receiver=Receiver, site=OpticalSite, numbers=tuple)
        checks.number("key_basis", self.key_basis, 0.0, 1.0)

    @checks.takes(name=str, numbers=Mapping)
    def changed(
        self, name: str, numbers: Mapping[str, Stated], *, standard_air: bool = False
    ) -> Self:
        """Return a receiver of another name with some numbers replaced.

        air_zenith_db is the loss of clear air straight up, growing with the airmass;
        `standard_air` takes the standard atmosphere of the station's height instead of what the
        receiver has. field_of_view_urad and filter_width_nm together switch the sky's
        background on.

        Raises QkdInputError for a number that is not in RECEIVER_NUMBERS, for half a view
        of the sky, for two kinds of air, and for what the hardware itself refuses.
        """
        _refuse_unknown(numbers, RECEIVER_NUMBERS)
        changes, origins = _plain(numbers, _RECEIVED)
        if checks.flag("standard_air", standard_air):
            if _AIR in numbers:
                raise QkdInputError(f"{_AIR} beside the standard air, allowed one of them")
            changes["site.atmosphere"] = None
        elif _AIR in numbers:
            loss_db = _one(_AIR, numbers[_AIR])
            changes["site.atmosphere"] = Atmosphere.from_slant_loss_db(loss_db, elevation_deg=90.0)
            unit, source, standing = numbers[_AIR].origin("1")
            origins["site.atmosphere.continuum_depth"] = (
                unit, f"{source}: {loss_db:g} dB at the zenith", standing,
            )  # fmt: skip
        view = {key: _one(key, numbers[key]) for key in _SKY if key in numbers}
        if view:
            changes["receiver.sky"] = self._sky(view)
            origins |= {f"receiver.sky.{key}": numbers[key].origin(_SKY[key]) for key in view}
        made = _replaced(self, {**changes, "name": name})
        parts = {part: getattr(made, part) for part in ("receiver", "site", "key_basis")}
        return replace(made, numbers=tuple(_numbers(parts, self.numbers, origins)))

    def _sky(self, view: Mapping[str, float]) -> SkyView:
        if self.receiver.sky is not None:
            return replace(self.receiver.sky, **view)
        if len(view) != len(_SKY):
            raise QkdInputError(f"of the sky {', '.join(view)} alone, allowed both or none"
                                      f" of {', '.join(_SKY)}")  # fmt: skip
        return SkyView(**view)


@checks.takes(preset=Preset)
def transmitter_of(preset: Preset) -> Transmitter:
    """Return the satellite's end of a preset."""
    kept = ("terminal.", "protocol.", "security.", "leak.")
    return Transmitter(
        name=preset.name,
        terminal=preset.terminal,
        protocol=preset.protocol,
        security=preset.security,
        leak=preset.leak,
        base=preset,
        numbers=tuple(
            number
            for number in preset.numbers
            if number.name.startswith(kept) and number.name != "protocol.key_basis_bob"
        ),
    )


@checks.takes(preset=Preset, station_id=str)
def receiver_of(preset: Preset, station_id: str) -> GroundReceiver:
    """Return the receiver of one station of a preset; its first one's for any other station.

    The height of the site is that of the preset's own station; `compose` is told the true one.
    """
    chosen = station_id if station_id in preset.receivers else next(iter(preset.receivers))
    receiver, site = preset.station(chosen)
    told = {f"receivers.{chosen}.": "receiver.", f"sites.{chosen}.": "site."}
    numbers = [
        replace(number, name=own + number.name.removeprefix(prefix))
        for number in preset.numbers
        for prefix, own in told.items()
        if number.name.startswith(prefix) and number.name != f"sites.{chosen}.height_m"
    ]
    numbers += [
        replace(number, name="key_basis")
        for number in preset.numbers
        if number.name == "protocol.key_basis_bob"
    ]
    return GroundReceiver(
        name=preset.name,
        receiver=receiver,
        site=site,
        key_basis=preset.protocol.key_basis_bob,
        numbers=tuple(numbers),
        missing=preset.missing,
    )


@checks.takes(transmitter=Transmitter, receiver=GroundReceiver, station_id=str)
def compose(
    transmitter: Transmitter, receiver: GroundReceiver, *, station_id: str, height_m: float
) -> Preset:
    """Return the downlink of a transmitter into a receiver that stands at one station.

    `height_m` above the ellipsoid is the station's; it decides the standard air, where the
    receiver brings none of its own.
    """
    site = replace(receiver.site, height_m=height_m)
    places = {"receiver.": f"receivers.{station_id}.", "site.": f"sites.{station_id}."}

    def placed(name: str) -> str:
        for own, place in places.items():
            if name.startswith(own):
                return place + name.removeprefix(own)
        return "protocol.key_basis_bob"

    numbers = (
        *transmitter.numbers,
        *(replace(number, name=placed(number.name)) for number in receiver.numbers),
        PresetNumber(
            name=f"sites.{station_id}.height_m",
            value=height_m,
            unit="m",
            source="the station's own",
            standing=Standing.STATED,
        ),
    )
    kept = {number.name for number in numbers}
    base = transmitter.base
    # What neither end decides, such as the cost of authentication.
    rest = [
        number
        for number in base.numbers
        if number.name not in kept and not number.name.startswith(("receivers.", "sites.",
                                                                   "terminal."))
    ]  # fmt: skip
    return replace(
        base,
        name=f"{transmitter.name}/{receiver.name}",
        title=f"{transmitter.name} received by {receiver.name} at {station_id}",
        terminal=transmitter.terminal,
        receivers={station_id: receiver.receiver},
        sites={station_id: site},
        protocol=replace(transmitter.protocol, key_basis_bob=receiver.key_basis),
        security=transmitter.security,
        leak=transmitter.leak,
        numbers=(*numbers, *rest),
        missing=tuple(dict.fromkeys((*base.missing, *receiver.missing))),
    )


def _refuse_unknown(numbers: Mapping[str, Stated], allowed: tuple[str, ...]) -> None:
    for key in numbers:
        if key not in allowed:
            raise QkdInputError(f"number {key!r} is not known, allowed {', '.join(allowed)}")


def _one(key: str, stated: Stated) -> float:
    if isinstance(stated.value, tuple):
        raise QkdInputError(f"{key} is {stated.value}, allowed one number")
    return stated.value


def _plain(
    numbers: Mapping[str, Stated], table: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, Any], dict[str, Origin]]:
    """Return the numbers that are fields of some part, by path, and their origins."""
    mine = {key: numbers[key] for key in table if key in numbers}
    changes: dict[str, Any] = {table[key][0]: stated.value for key, stated in mine.items()}
    origins = {table[key][0]: stated.origin(table[key][1]) for key, stated in mine.items()}
    return changes, origins


def _beam(
    numbers: Mapping[str, Stated],
) -> tuple[FarFieldBeam | AnchoredBeam | None, dict[str, Origin]]:
    """Return the beam that the numbers state, and the origins of its own numbers."""
    angles = [key for key in (*_BEAM_ANGLES, _BEAM_FWHM) if key in numbers]
    losses = [key for key in _BEAM_LOSS if key in numbers]
    if not angles and not losses:
        return None, {}
    if len(angles) + bool(losses) > 1 or (losses and len(losses) < len(_BEAM_LOSS)):
        raise QkdInputError(
            f"the beam is stated by {', '.join((*angles, *losses))}, allowed one angle, or"
            f" {', '.join(_BEAM_LOSS)} together"
        )
    if losses:
        values = {field: _one(key, numbers[key]) for key, field in _BEAM_LOSS.items()}
        units = {"loss_db": "dB", "range_km": "km", "receiver_diameter_m": "m"}
        return AnchoredBeam(**values), {
            f"terminal.beam.{field}": numbers[key].origin(units[field])
            for key, field in _BEAM_LOSS.items()
        }
    (key,) = angles
    angle = _one(key, numbers[key])
    if key == _BEAM_FWHM:
        beam = FarFieldBeam.from_fwhm_urad(angle)
    else:
        beam = FarFieldBeam(half_angle_urad=angle * _BEAM_ANGLES[key])
    unit, source, standing = numbers[key].origin("urad")
    stated = f"{source}: {key} {angle:g}"
    return beam, {"terminal.beam.half_angle_urad": (unit, stated, standing)}


def _replaced(part: _Part, changes: Mapping[str, Any]) -> _Part:
    """Return a copy of nested dataclasses, what stands at those dotted paths changed."""
    own: dict[str, Any] = {}
    within: dict[str, dict[str, Any]] = {}
    for path, value in changes.items():
        head, _, rest = path.partition(".")
        if rest:
            within.setdefault(head, {})[rest] = value
        else:
            own[head] = value
    for head, inner in within.items():
        own[head] = _replaced(getattr(part, head), inner)
    return replace(part, **own)  # type: ignore[type-var]


def _numbers(
    parts: Mapping[str, object], before: tuple[PresetNumber, ...], origins: Mapping[str, Origin]
) -> Iterator[PresetNumber]:
    """Yield the numbers of the parts: with a new origin where there is one, else as before."""
    known = {number.name: number for number in before}
    for name, part in parts.items():
        for path, value in numeric_leaves(part, name):
            new = origins.get(path) or origins.get(path.rpartition(".")[0])
            if new is not None:
                unit, source, standing = new
                yield PresetNumber(
                    name=path, value=value, unit=unit, source=source, standing=standing
                )
            elif path in known:
                yield known[path]
