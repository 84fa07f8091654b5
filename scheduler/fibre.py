"""Fibre links: the key that they make, and what their buffers hold of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import ceil
from typing import TYPE_CHECKING

from scheduler.network import NO_LIMIT_BITS

if TYPE_CHECKING:
    from qkd import FibreRate
    from scheduler.network import Link, Schedule


@cache
def _span_rate(preset_name: str, length_km: float) -> FibreRate:
    from qkd import fibre_preset, fibre_rate

    preset = fibre_preset(preset_name)
    return fibre_rate(
        replace(preset.span, length_km=length_km),
        preset.receiver,
        preset.protocol,
        preset.security,
        block_bits=preset.block_bits,
        bound=preset.bound,
        leak=preset.leak,
    )


def span_rate_bps(preset_name: str, length_km: float) -> float:
    """Steady secret rate of one fibre link of that length, bit/s."""
    return float(_span_rate(preset_name, length_km).secret_bps)


def link_rate_bps(link: Link) -> float:
    """Mean secret rate of a fibre link, bit/s: as stated, else its preset's, while it is on."""
    assert link.length_km is not None
    rate_bps = link.rate_bps
    if rate_bps is None:
        rate_bps = span_rate_bps(link.preset, link.length_km)
    return rate_bps * link.share


def span_secret_bits(link: Link, *, duration_s: float) -> int:
    """Whole secret bits that a fibre link makes in `duration_s`; floored here."""
    return int(link_rate_bps(link) * duration_s)


def buffer_bits(link: Link, schedule: Schedule) -> int:
    """What the buffers of a link hold: as stated, else what it makes between two merges.

    More would only grow, for each merge sees all there is. Key of a satellite is stored
    whatever there is of it: a session is not repeated.
    """
    if link.buffer_bits is not None:
        return link.buffer_bits
    if link.length_km is None:
        return NO_LIMIT_BITS
    longest_s = max(schedule.trunk_interval_s, schedule.merge_interval_s)
    return max(1, link.reserve_bits + span_secret_bits(link, duration_s=longest_s))


def span_eps(link: Link, *, duration_s: float) -> float:
    """Failure probability of what a fibre link makes in `duration_s`: that of every block closed.

    The interval's bits come from as many distilled blocks, the first begun with it. A rate that
    is stated has the blocks of its preset.
    """
    assert link.length_km is not None
    rate = _span_rate(link.preset, link.length_km)
    blocks = ceil(duration_s * link.share / float(rate.block_s))
    return blocks * sum(float(key.epsilons.total) for key in rate.keys)
