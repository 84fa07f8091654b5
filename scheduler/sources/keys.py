"""Key sources: today the simulator, whose bytes both ends of a link share by construction."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scheduler.domain import NewBlock, SessionResult
from scheduler.entropy import Entropy

if TYPE_CHECKING:
    from qkd import Counts, Preset


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


class Distilled(NamedTuple):
    """Whole bits of secret key that a block gives, and what it may fail with."""

    secret_bits: int
    epsilon: float


def distilled(sessions: Sequence[tuple[Counts, Preset]]) -> list[Distilled]:
    """Distil the counts of sessions, each a block of its own; those of one proof in one go."""
    from qkd import Counts, block_keys

    alike: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place, (_, preset) in enumerate(sessions):
        alike[preset.protocol, preset.security, preset.bound, preset.leak].append(place)
    found: dict[int, Distilled] = {}
    for (protocol, security, bound, leak), places in alike.items():
        each = [sessions[place][0] for place in places]
        names = [item.name for item in fields(Counts)]
        many = Counts(**{name: np.stack([getattr(one, name) for one in each]) for name in names})
        keys = block_keys(many, protocol, security, bound=bound, leak=leak)
        bits = np.sum([key.length_bits for key in keys], axis=0)
        epsilon = sum(key.epsilons.total for key in keys)
        found |= zip(places, (Distilled(one, epsilon) for one in bits.tolist()), strict=True)
    return [found[place] for place in range(len(sessions))]


def simulated_session(counts: Counts, key: Distilled, preset: Preset) -> SessionResult:
    """What a session gave that drew these counts, as a block of its own.

    Of its key the tags of its own messages are paid; what does not suffice for that is no key.
    """
    clicks = counts.key_clicks + counts.check_clicks
    errors = counts.key_errors + counts.check_errors
    signal = float(clicks[0])
    tag_bits = whole_bytes(preset.authentication.bits)
    pays = key.secret_bits > tag_bits
    return SessionResult(
        sifted_bits=int(clicks.sum()),
        secret_bits=key.secret_bits if pays else 0,
        qber=float(errors[0]) / signal if signal > 0.0 else float("nan"),
        source=SIMULATOR,
        simulated=True,
        eps_total=key.epsilon + preset.authentication.forgery if pays else 0.0,
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
