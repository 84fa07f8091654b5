"""What the settled sessions of each link left: a belief in its loss, and its open block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from qkd import Counts, LinkBelief, Preset

_PASSES_MAX = 10_000  # of a block; a pass of which so many were needed adds nothing to speak of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenBlock:
    """A pooled block that is still open: what was expected of its sessions, and its size."""

    expected: Counts | None  #: None of an empty one
    target_sifted_bits: float

    def added_bits(self, one: Counts, preset: Preset) -> int:
        """Secret bits that a pass adds to the block, which passes like it are to fill."""
        from qkd import added_bits, sifted_key_bits

        protocol = preset.protocol
        held = one.scaled(0.0) if self.expected is None else self.expected
        mine = sifted_key_bits(one, protocol)
        if not mine:
            return 0
        missing = self.target_sifted_bits - sifted_key_bits(held, protocol)
        more = added_bits(
            held,
            one,
            protocol,
            preset.security,
            passes=min(max(1, ceil(missing / mine)), _PASSES_MAX),
            bound=preset.bound,
            leak=preset.leak,
        )
        return int(more)


class Learned(NamedTuple):
    """What its settled sessions left of each link, by satellite and station."""

    ratios: Mapping[tuple[str, str], Sequence[float]]  #: measured over expected sifted bits
    open_blocks: Mapping[tuple[str, str], OpenBlock]  #: of pooled links

    def block_of(self, link: tuple[str, str]) -> OpenBlock | None:
        """Return the open block of a satellite over a station; None where a pass is a block."""
        return self.open_blocks.get(link)


NOTHING_LEARNED = Learned({}, {})


def belief_of(link: tuple[str, str], preset: Preset, learned: Learned) -> LinkBelief:
    """What is believed of the loss of a satellite over a station (`a+b` of a dual downlink).

    Its preset's spread, and what its sessions taught.
    """
    from qkd import LinkBelief

    ratios = learned.ratios.get(link, ())
    return LinkBelief.prior(preset.spread).updated(ratios)
