"""Polynomials over GF(2^128): the universal hash under the proofs that two keys are equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 16
SHORT_BYTES = 128
"""Messages up to here take four bits at a time, from a table of 16 products."""
LONG_BYTES = 8192
"""From here on LANES sums run side by side."""
MANY = 32
"""So many short messages of one length are worth being hashed side by side."""
LANES = 64
_LANES_LOG2 = 6
_NIBBLES = range(124, -1, -4)
_REDUCTION = 0x87  # x^128 = x^7 + x^2 + x + 1
_MASK = (1 << 128) - 1

_Words = NDArray[np.uint64]


def polynomial_hash(message: bytes, factor: int) -> int:
    """Return `sum m_i r^(n-i)` over GF(2^128), the last block times r, by Horner's rule.

    Parameters
    ----------
    message : n blocks of 16 bytes, m_0 first, each a polynomial with its highest power first
    factor : r, 0 to 2^128 - 1

    Multiplies byte by byte from a table of 256 products (Shoup, CRYPTO 1996, LNCS 1109, 313).
    A message of 12.8 kB takes 0.9 ms where one sum takes 3.1, one of 100 kB 5 ms instead of 24.
    """
    if len(message) <= SHORT_BYTES:
        return _short_hash(message, factor)
    if len(message) >= LONG_BYTES:
        return _long_hash(message, factor)
    return _hash(message, factor)


def polynomial_hashes(messages: Sequence[bytes], factors: Sequence[bytes]) -> list[bytes]:
    """Return `polynomial_hash` of each message by its own factor, as 16 bytes each.

    Parameters
    ----------
    messages : blocks of 16 bytes each, as `polynomial_hash` takes them, all of one length
    factors : 16 bytes each, big-endian

    600 messages of 48 bytes take 3 ms where one by one they take 25.
    """
    if len(messages) < MANY or len(messages[0]) > SHORT_BYTES:
        return [
            polynomial_hash(message, int.from_bytes(factor, "big")).to_bytes(BLOCK_BYTES, "big")
            for message, factor in zip(messages, factors, strict=True)
        ]
    blocks = np.frombuffer(b"".join(messages), dtype=">u8").astype(np.uint64)
    factor = np.frombuffer(b"".join(factors), dtype=">u8").astype(np.uint64)
    table = _nibble_tables(factor.reshape(-1, 2))
    total = np.zeros((len(messages), 2), dtype=np.uint64)
    for block in blocks.reshape(len(messages), -1, 2).swapaxes(0, 1):
        total = _products(total ^ block, table)
    octets = total.astype(">u8").tobytes()
    return [octets[at : at + BLOCK_BYTES] for at in range(0, len(octets), BLOCK_BYTES)]


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
_OVERFLOW_WORDS = np.array(_OVERFLOW, dtype=np.uint64)


def _hash(message: bytes, factor: int) -> int:
    table = _product_table(factor)
    total = 0
    for start in range(0, len(message), BLOCK_BYTES):
        total ^= int.from_bytes(message[start : start + BLOCK_BYTES], "big")
        product = 0
        for byte in total.to_bytes(BLOCK_BYTES, "big"):
            product = ((product << 8) & _MASK) ^ _OVERFLOW[product >> 120] ^ table[byte]
        total = product
    return total


def _short_hash(message: bytes, factor: int) -> int:
    table = _product_table(factor, degree=4)
    total = 0
    for start in range(0, len(message), BLOCK_BYTES):
        total ^= int.from_bytes(message[start : start + BLOCK_BYTES], "big")
        product = 0
        for shift in _NIBBLES:
            product = ((product << 4) & _MASK) ^ _OVERFLOW[product >> 124]
            product ^= table[total >> shift & 0xF]
        total = product
    return total


def _nibble_tables(factors: _Words) -> _Words:
    """Return each factor (n, 2) times each polynomial of degree below 4: (16, n, 2)."""
    one, high = np.uint64(1), np.uint64(63)
    table = np.zeros((16, *factors.shape), dtype=np.uint64)
    table[1] = factors
    for index in range(1, 8):
        even = table[index] << one
        even[:, 0] |= table[index, :, 1] >> high
        even[:, 1] ^= (table[index, :, 0] >> high) * np.uint64(_REDUCTION)
        table[2 * index], table[2 * index + 1] = even, even ^ factors
    return table


def _products(values: _Words, table: _Words) -> _Words:
    """Return each value (n, 2) times the factor that its column of the tables was made of."""
    four, above, low = np.uint64(4), np.uint64(60), np.uint64(0xF)
    rows = np.arange(len(values))
    product = np.zeros_like(values)
    for word in (0, 1):
        for shift in range(60, -1, -4):
            over = _OVERFLOW_WORDS[product[:, 0] >> above]
            carried = product[:, 1] >> above
            product <<= four
            product[:, 0] |= carried
            product[:, 1] ^= over
            product ^= table[(values[:, word] >> np.uint64(shift)) & low, rows]
    return product


def _long_hash(message: bytes, factor: int) -> int:
    """Sum every LANES-th block by powers of r^LANES, then the lanes by powers of r."""
    width = BLOCK_BYTES * LANES
    # Blocks of zeros in front change nothing.
    rows = np.frombuffer(bytes(-len(message) % width) + message, dtype=">u8")
    rows = rows.reshape(-1, LANES, 2)
    power = factor
    for _ in range(_LANES_LOG2):
        power = _short_hash(power.to_bytes(BLOCK_BYTES, "big"), power)
    tables, places = _byte_tables(power), np.arange(BLOCK_BYTES)
    total = rows[0]
    for row in rows[1:]:
        # An XOR comes out in the machine's own byte order.
        octets = total.astype(">u8").view(np.uint8).reshape(LANES, BLOCK_BYTES)
        product = np.bitwise_xor.reduce(tables[places, octets], axis=1)
        total = product ^ row
    return _hash(total.astype(">u8").tobytes(), factor)


def _byte_tables(factor: int) -> _Words:
    """Return `factor` times each byte at each of the 16 places: (16, 256, 2), high word first."""
    table = b"".join(one.to_bytes(BLOCK_BYTES, "big") for one in _product_table(factor))
    words = np.frombuffer(table, dtype=">u8").reshape(256, 2).astype(np.uint64)
    tables = np.empty((BLOCK_BYTES, 256, 2), dtype=np.uint64)
    eight, above = np.uint64(8), np.uint64(56)
    for place in range(BLOCK_BYTES - 1, -1, -1):
        tables[place] = words
        high, low = words[:, 0], words[:, 1]
        shifted = (high << eight) | (low >> above), (low << eight) ^ _OVERFLOW_WORDS[high >> above]
        words = np.stack(shifted, axis=1)
    return tables
