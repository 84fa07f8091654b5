"""What sound bounds cost: one reference pass of each preset, by older bounds and by today's."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from qkd.finite_key.key import block_keys
from qkd.finite_key.leak import BlockLeak
from qkd.geometry import circular_pass
from qkd.presets.catalogue import preset, preset_names
from qkd.presets.facts import Preset, SessionKind
from qkd.yields import pass_counts

REFERENCE_ALTITUDE_KM = 500.0
REFERENCE_ELEVATION_DEG = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceKey:
    """Secret bits of a pass at 500 km that culminates at 60 degrees, under a sky without light."""

    preset: str
    station_id: str
    parity_bits: int  #: phase error as Lim et al., signal photons in proportion, f_EC n h(Q)
    exact_bits: int  #: the phase error by the exact tail of the hypergeometric
    signal_bits: int  #: and the signal's share of the photons with its own deviation
    sound_bits: int  #: and the leak no less than finite lengths need: what the preset claims

    @property
    def change_percent(self) -> float:
        """By how much the sound bounds change the key."""
        return 100.0 * (self.sound_bits / self.parity_bits - 1.0)


def reference_keys() -> Iterator[ReferenceKey]:
    """Yield the reference pass of each downlink preset, at its first receiver."""
    seen = circular_pass(
        altitude_km=REFERENCE_ALTITUDE_KM, max_elevation_deg=REFERENCE_ELEVATION_DEG
    )
    for name in preset_names():
        found = preset(name)
        if not isinstance(found, Preset) or found.kind is not SessionKind.DOWNLINK:
            continue
        station_id = next(iter(found.receivers))
        counts = pass_counts(seen, _dark(found), station_id)[0].total()
        parity, exact, signal, sound = (
            sum(
                int(key.length_bits)
                for key in block_keys(
                    counts,
                    found.protocol,
                    found.security,
                    bound=found.bound,
                    leak=leak,
                    phase=phase,
                    signal_share=share,
                )
            )
            for phase, share, leak in (
                ("lim-parity", "proportional-parity", BlockLeak()),
                ("exact", "proportional-parity", BlockLeak()),
                ("exact", "bounded", BlockLeak()),
                ("exact", "bounded", found.leak),
            )
        )
        yield ReferenceKey(
            preset=name,
            station_id=station_id,
            parity_bits=parity,
            exact_bits=exact,
            signal_bits=signal,
            sound_bits=sound,
        )


def _dark(found: Preset) -> Preset:
    """Return the preset without its sky, which the older bounds never had."""
    receivers = {name: replace(one, sky=None) for name, one in found.receivers.items()}
    return replace(found, receivers=receivers)
