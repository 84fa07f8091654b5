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
    """Draw the counts of a session around what was expected, and distil whole bits from them.

    Of these the tags of its own messages are paid; what does not suffice for that is no key.
    """
    from qkd import draw_counts, yield_of_counts

    gained = yield_of_counts(draw_counts(expected, generator), preset, budget)
    tag_bits = whole_bytes(preset.authentication.bits)
    pays = gained.secret_bits > tag_bits
    return SessionResult(
        sifted_bits=int(gained.sifted_bits),
        secret_bits=gained.secret_bits if pays else 0,
        qber=gained.qber,
        source="simulator",
        simulated=True,
        eps_total=gained.epsilon + preset.authentication.forgery if pays else 0.0,
        tag_bits=tag_bits if pays else 0,
    )


def whole_bytes(bits: int) -> int:
    """The bits of so many bits' whole bytes: a tag's key is spent as all key is."""
    return -(-bits // 8) * 8
