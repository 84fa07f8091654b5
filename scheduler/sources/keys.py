"""Key sources: today the simulator, whose bytes both ends of a link share by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.domain import NewBlock, SessionResult
from scheduler.entropy import Entropy

if TYPE_CHECKING:
    from numpy.random import Generator

    from qkd import Counts, LinkBudget, Preset


def simulated_material(entropy: Entropy, block: NewBlock) -> bytes:
    """The key bytes of a simulated block, a function of its natural key and the seed alone.

    Bits past `length_bits` in the last byte are zero, so that no stray bit is ever counted.
    """
    length = (block.length_bits + 7) // 8
    material = bytearray(entropy.key_bytes("key", block.natural_key, length=length))
    spare = 8 * length - block.length_bits
    if spare:
        material[-1] &= 0xFF << spare & 0xFF
    return bytes(material)


def simulated_session(
    expected: Counts, budget: LinkBudget, preset: Preset, generator: Generator
) -> SessionResult:
    """Draw the counts of a session around what was expected, and distil whole bits from them."""
    from qkd import draw_counts, yield_of_counts

    gained = yield_of_counts(draw_counts(expected, generator), preset, budget)
    return SessionResult(
        sifted_bits=int(gained.sifted_bits),
        secret_bits=gained.secret_bits,
        qber=gained.qber,
        source="simulator",
        simulated=True,
        eps_total=gained.epsilon if gained.secret_bits else 0.0,
    )
