"""Key sources: today the simulator, whose bytes both ends of a link share by construction."""

from __future__ import annotations

from scheduler.entropy import Entropy
from scheduler.facts import NewBlock


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
