"""The polynomial hash: every way of computing it gives what a schoolbook gives."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from scheduler.merge.field import LONG_BYTES, SHORT_BYTES, polynomial_hash

WORD = st.integers(min_value=0, max_value=2**128 - 1)
MODULUS = (1 << 128) | 0x87


def times(one: int, other: int) -> int:
    """Multiply modulo x^128 + x^7 + x^2 + x + 1, bit by bit."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one, other = one << 1, other >> 1
        if one >> 128:
            one ^= MODULUS
    return product


def schoolbook(message: bytes, factor: int) -> int:
    total = 0
    for start in range(0, len(message), 16):
        total = times(total ^ int.from_bytes(message[start : start + 16], "big"), factor)
    return total


@given(
    blocks=st.sampled_from(
        [0, 1, 3, SHORT_BYTES // 16, SHORT_BYTES // 16 + 1, 100, LONG_BYTES // 16 - 1,
         LONG_BYTES // 16, LONG_BYTES // 16 + 1, 600, 640]
    ),
    seed=st.binary(min_size=1, max_size=8),
    factor=WORD,
)  # fmt: skip
def test_every_length_hashes_as_the_schoolbook_does(blocks: int, seed: bytes, factor: int) -> None:
    message = hashlib.shake_256(seed).digest(16 * blocks)

    assert polynomial_hash(message, factor) == schoolbook(message, factor)


def test_the_modulus_is_the_one_it_says() -> None:
    # What defines the field: x^128 = x^7 + x^2 + x + 1, hence
    # x^127 times x is that.
    assert polynomial_hash((1 << 127).to_bytes(16, "big"), 2) == 0x87
