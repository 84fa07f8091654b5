"""Key sources: today the simulator, whose bytes both ends of a link share by construction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scheduler.domain import NewBlock, SessionResult
from scheduler.entropy import Entropy

if TYPE_CHECKING:
    from qkd import Counts, LinkBudget, Preset


SIMULATOR = "simulator"


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


def simulated_session(counts: Counts, budget: LinkBudget, preset: Preset) -> SessionResult:
    """Distil whole bits from the counts that a session drew, as a block of its own.

    Of these the tags of its own messages are paid; what does not suffice for that is no key.
    """
    from qkd import yield_of_counts

    gained = yield_of_counts(counts, preset, budget)
    tag_bits = whole_bytes(preset.authentication.bits)
    pays = gained.secret_bits > tag_bits
    return SessionResult(
        sifted_bits=int(gained.sifted_bits),
        secret_bits=gained.secret_bits if pays else 0,
        qber=gained.qber,
        source=SIMULATOR,
        simulated=True,
        eps_total=gained.epsilon + preset.authentication.forgery if pays else 0.0,
        tag_bits=tag_bits if pays else 0,
    )


def sifted_material(entropy: Entropy, name: str, bits: int, errors: int) -> tuple[bytes, bytes]:
    """The sifted bytes that both ends of a simulated link hold: alike but for the errors."""
    sent = np.frombuffer(entropy.key_bytes("sifted", name, length=-(-bits // 8)), np.uint8).copy()
    if spare := -bits % 8:
        sent[-1] &= 0xFF << spare & 0xFF
    received = sent.copy()
    wrong = entropy.generator("errors", name).choice(bits, errors, replace=False)
    np.bitwise_xor.at(received, wrong // 8, (0x80 >> (wrong % 8)).astype(np.uint8))
    return sent.tobytes(), received.tobytes()


def distilled_material(corrected: Sequence[bytes], bits: int) -> bytes:
    """The key of a simulated block, from the sifted key of its sessions after correction.

    A stand-in for the universal hash of a device, whose length is what counts here: who knows
    the seed knows the key, and it is marked simulated for ever.
    """
    hashed = hashlib.shake_256(b"".join(corrected))
    material = bytearray(hashed.digest(-(-bits // 8)))
    if spare := -bits % 8:
        material[-1] &= 0xFF << spare & 0xFF
    return bytes(material)


def whole_bytes(bits: int) -> int:
    """The bits of so many bits' whole bytes: a tag's key is spent as all key is."""
    return -(-bits // 8) * 8
