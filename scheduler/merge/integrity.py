"""One-time tags on announcements, and the proof that both ends hold equal key."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import FactError
from scheduler.facts import KEY_GRAIN_BITS

TAG_KEY_BITS = 256
"""Link key that one tag costs: the r and s of Poly1305, used once."""
PROOF_BITS = 256
"""End-to-end key that one proof of equality costs: 128 bits of hash key, 128 of pad."""
_BLOCK_BYTES = 16
_SHORT_BYTES = 128
_LONG_BLOCKS = 256  # from here on a message pays for the tables of many lanes
_PLACES = np.arange(_BLOCK_BYTES)
_NIBBLES = range(124, -1, -4)
_REDUCTION = 0x87  # x^128 = x^7 + x^2 + x + 1
_MASK = (1 << 128) - 1


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
    bits = len(run) * 8
    if bits % KEY_GRAIN_BITS or bits < PROOF_BITS + KEY_GRAIN_BITS:
        raise FactError(
            f"run of {bits} bits; allowed: multiples of {KEY_GRAIN_BITS},"
            f" from {PROOF_BITS + KEY_GRAIN_BITS} up"
        )
    hash_key, pad, key = run[:16], run[16:32], run[32:]
    hashed = _polynomial_hash(len(key).to_bytes(16, "big") + key, int.from_bytes(hash_key, "big"))
    return EqualityProof(tag=(hashed ^ int.from_bytes(pad, "big")).to_bytes(16, "big"), key=key)


def collision_bound(key_bytes: int) -> float:
    """Return the probability that two unequal runs with so long a key get equal tags."""
    return (key_bytes // _BLOCK_BYTES + 1) / 2.0**128


def _double(value: int) -> int:
    doubled = value << 1
    return (doubled & _MASK) ^ (_REDUCTION if doubled >> 128 else 0)


def _product_table(factor: int, degree: int = 8) -> list[int]:
    """Return `factor` times each polynomial of degree below that."""
    table = [0, factor]
    for index in range(1, 1 << (degree - 1)):
        even = _double(table[index])
        table += [even, even ^ factor]
    return table


def _overflow_table() -> list[int]:
    """Return what the 8 bits above x^128 reduce to, for each value of them."""
    table = []
    for high in range(256):
        reduced = 0
        for bit in range(8):
            if high >> bit & 1:
                reduced ^= _REDUCTION << bit
        table.append(reduced)
    return table


_OVERFLOW = _overflow_table()


def _polynomial_hash(message: bytes, factor: int) -> int:
    """Return `sum m_i r^(n-i)` over GF(2^128), the last block times r.

    A long message is cut into rows of `lanes` blocks; each lane goes down its column in steps
    of r^lanes, and the row that they end in is hashed like a short message.
    """
    blocks = len(message) // _BLOCK_BYTES
    if blocks < _LONG_BLOCKS:
        return _horner(message, factor)
    # About as many rows as lanes, but no more lanes than the last row's hash can bear.
    doublings = min(6, blocks.bit_length() // 2)
    lanes, step = 1 << doublings, factor
    for _ in range(doublings):
        step = _horner(step.to_bytes(_BLOCK_BYTES, "big"), step)
    # Blocks of zeros in front add nothing.
    whole = message.rjust(-(-blocks // lanes) * lanes * _BLOCK_BYTES, b"\0")
    rows = np.frombuffer(whole, np.uint8).reshape(-1, lanes, _BLOCK_BYTES)
    return _horner(_down_the_columns(rows, step), factor)


def _down_the_columns(rows: NDArray[np.uint8], step: int) -> bytes:
    """Return `sum row_i step^(n-1-i)`, every lane by itself, as bytes laid end to end.

    Multiplies by one table of 256 products for each of a block's 16 bytes (Shoup, CRYPTO 1996,
    LNCS 1109, 313), all lanes at once.
    """
    tables = _tables_by_byte(step)
    total: NDArray[np.uint8] = rows[0]
    for row in rows[1:]:
        products = tables[_PLACES, total]
        total = np.bitwise_xor.reduce(products, axis=1).view(np.uint8) ^ row
    return total.tobytes()


def _tables_by_byte(factor: int) -> NDArray[np.uint64]:
    """Return factor times v x^(8 (15 - i)), big-endian, at [i, v], shape (16, 256, 2)."""
    multiples = [factor]
    for _ in range(127):
        multiples.append(_double(multiples[-1]))
    raw = b"".join(value.to_bytes(_BLOCK_BYTES, "big") for value in multiples)
    basis = np.frombuffer(raw, np.uint64).reshape(_BLOCK_BYTES, 8, 2)[::-1]
    tables = np.zeros((_BLOCK_BYTES, 256, 2), np.uint64)
    for bit in range(8):
        half = 1 << bit
        tables[:, half : 2 * half] = tables[:, :half] ^ basis[:, bit : bit + 1]
    return tables


def _horner(message: bytes, factor: int) -> int:
    """The same block by block, by Horner's rule.

    Multiplies byte by byte from a table of 256 products; short messages do not pay for that
    table and take four bits at a time from 16 products.
    """
    if len(message) <= _SHORT_BYTES:
        return _short_hash(message, factor)
    table = _product_table(factor)
    total = 0
    for start in range(0, len(message), _BLOCK_BYTES):
        total ^= int.from_bytes(message[start : start + _BLOCK_BYTES], "big")
        product = 0
        for byte in total.to_bytes(_BLOCK_BYTES, "big"):
            product = ((product << 8) & _MASK) ^ _OVERFLOW[product >> 120] ^ table[byte]
        total = product
    return total


def _short_hash(message: bytes, factor: int) -> int:
    table = _product_table(factor, degree=4)
    total = 0
    for start in range(0, len(message), _BLOCK_BYTES):
        total ^= int.from_bytes(message[start : start + _BLOCK_BYTES], "big")
        product = 0
        for shift in _NIBBLES:
            product = ((product << 4) & _MASK) ^ _OVERFLOW[product >> 124]
            product ^= table[total >> shift & 0xF]
        total = product
    return total
