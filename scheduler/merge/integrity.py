"""One-time tags on announcements, and the proof that both ends hold equal key."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from scheduler.domain import KEY_GRAIN_BITS
from scheduler.errors import FactError
from scheduler.merge.field import BLOCK_BYTES, polynomial_hashes
from scheduler.merge.relay import xor

TAG_KEY_BITS = 256
"""Link key that one tag costs: the r and s of Poly1305, used once."""
PROOF_BITS = 256
"""End-to-end key that one proof of equality costs: 128 bits of hash key, 128 of pad."""
_SPENT_BYTES = PROOF_BITS // 8


def announcement_message(parts: Iterable[tuple[UUID, str, bytes]]) -> bytes:
    """Return the bytes that one tag covers: id, relay and payload of each announcement.

    Lengths go before what varies, so that no two lists give the same bytes.
    """
    message = bytearray()
    for announcement_id, relay, payload in parts:
        name = relay.encode()
        message += announcement_id.bytes + len(name).to_bytes(4, "big") + name
        message += len(payload).to_bytes(8, "big") + payload
    return bytes(message)


def _check_tag_key(key: bytes) -> None:
    if len(key) * 8 != TAG_KEY_BITS:
        raise FactError(f"tag key of {len(key)} bytes; allowed: {TAG_KEY_BITS // 8}")


def tag(message: bytes, *, key: bytes) -> bytes:
    """Return the 16-byte Poly1305 tag of a message.

    Parameters
    ----------
    key : 32 bytes of link key that nothing else ever used; the same bits never tag twice

    Raises FactError. Source: Bernstein, FSE 2005, LNCS 3557, 32; RFC 8439 section 2.5. With a
    uniform one-time key it is a Wegman-Carter tag: `forgery_bound` needs no assumption.
    """
    from cryptography.hazmat.primitives.poly1305 import Poly1305  # 30 ms that few commands need

    _check_tag_key(key)
    return Poly1305.generate_tag(key, message)


def tag_fits(message: bytes, *, key: bytes, tagged: bytes) -> bool:
    """Tell whether a tag is the message's own, in constant time."""
    return hmac.compare_digest(tag(message, key=key), tagged)


def forgery_bound(message_bytes: int) -> float:
    """Return the most likely success of one forgery of a message up to so many bytes.

    Source: Bernstein (2005), theorem 3.3: 8 ceil(L / 16) / 2^106.
    """
    return 8.0 * -(-message_bytes // 16) / 2.0**106


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualityProof:
    """What an end derives from its run of bits: a tag to compare in public, and the key."""

    tag: bytes
    key: bytes = field(repr=False)


def prove_equality(run: bytes) -> EqualityProof:
    """Return the tag by which two ends show that their runs are equal, and the key that is left.

    The first 256 bits of the run are spent: a hash key r and a pad s. The tag is
    `s xor sum m_i r^i` over GF(2^128), the m_i being the length and then the key, in blocks
    of 128 bits. The pad is uniform and used once, so the tag says nothing about the key.

    Runs that differ by any offset d the adversary chose, r and s included (XOR is malleable),
    get equal tags with probability at most `collision_bound`. If d leaves r as it is, the
    difference of the tags is a non-zero polynomial in r, or the constant of s. If d changes
    r, the last block m, uniform and unknown, enters the difference as m (r xor r'), which no
    value but one makes fit.

    Raises FactError unless the run is a multiple of 256 bits, of 512 and up.
    """
    return prove_all([run])[0]


def prove_all(runs: Sequence[bytes]) -> list[EqualityProof]:
    """Return `prove_equality` of each run; runs of one length are hashed side by side."""
    alike: dict[int, list[int]] = {}
    for index, run in enumerate(runs):
        _check_run(run)
        alike.setdefault(len(run), []).append(index)
    proofs: dict[int, EqualityProof] = {}
    for length, members in alike.items():
        head = (length - _SPENT_BYTES).to_bytes(BLOCK_BYTES, "big")
        hashed = polynomial_hashes(
            [head + runs[index][_SPENT_BYTES:] for index in members],
            [runs[index][:BLOCK_BYTES] for index in members],
        )
        for index, one in zip(members, hashed, strict=True):
            run = runs[index]
            padded = xor(one, run[BLOCK_BYTES:_SPENT_BYTES])
            proofs[index] = EqualityProof(tag=padded, key=run[_SPENT_BYTES:])
    return [proofs[index] for index in range(len(runs))]


def _check_run(run: bytes) -> None:
    bits = len(run) * 8
    if bits % KEY_GRAIN_BITS or bits < PROOF_BITS + KEY_GRAIN_BITS:
        raise FactError(
            f"run of {bits} bits; allowed: multiples of {KEY_GRAIN_BITS},"
            f" from {PROOF_BITS + KEY_GRAIN_BITS} up"
        )


def collision_bound(key_bytes: int) -> float:
    """Return the probability that two unequal runs with so long a key get equal tags."""
    return (key_bytes // BLOCK_BYTES + 1) / 2.0**128
