"""Announcements are tagged once, and unequal ends are told apart."""

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import FactError
from scheduler.merge import (
    announcement_message,
    collision_bound,
    forgery_bound,
    integrity,
    prove_equality,
    tag,
    tag_fits,
    xor,
)

# RFC 8439 section 2.5.2.
RFC_KEY = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
RFC_MESSAGE = b"Cryptographic Forum Research Group"
RFC_TAG = bytes.fromhex("a8061dc1305136c6c22b8baf0c0127a9")


def test_the_tag_matches_the_published_vector() -> None:
    assert tag(RFC_MESSAGE, key=RFC_KEY) == RFC_TAG
    assert tag_fits(RFC_MESSAGE, key=RFC_KEY, tagged=RFC_TAG)
    assert not tag_fits(RFC_MESSAGE + b"!", key=RFC_KEY, tagged=RFC_TAG)


def test_a_tag_key_of_another_length_is_refused() -> None:
    with pytest.raises(FactError, match="tag key of 31 bytes; allowed: 32"):
        tag(b"", key=bytes(31))


def test_the_forgery_bound_is_bernsteins() -> None:
    # Bernstein (2005), theorem 3.3, for 1024 bytes: 8 * 64 / 2^106.
    assert forgery_bound(1024) == 512 / 2**106
    assert forgery_bound(1025) == 520 / 2**106


PARTS = st.lists(
    st.tuples(st.uuids(), st.text("abc-", max_size=8), st.binary(max_size=40)), max_size=5
)


@given(one=PARTS, other=PARTS)
def test_unlike_announcements_make_unlike_messages(
    one: list[tuple[UUID, str, bytes]], other: list[tuple[UUID, str, bytes]]
) -> None:
    assert (announcement_message(one) == announcement_message(other)) == (one == other)


RUNS = st.integers(2, 12).flatmap(lambda n: st.binary(min_size=32 * n, max_size=32 * n))


def product(one: int, other: int) -> int:
    """Multiply in GF(2^128) with x^128 = x^7 + x^2 + x + 1, bit by bit, as in a schoolbook."""
    total = 0
    for bit in range(128):
        if other >> bit & 1:
            total ^= one << bit
    for bit in range(255, 127, -1):
        if total >> bit & 1:
            total ^= (1 << 128 | 0x87) << (bit - 128)
    return total


@given(run=RUNS)
def test_the_proof_is_the_polynomial_it_says_it_is(run: bytes) -> None:
    factor, pad, key = int.from_bytes(run[:16], "big"), run[16:32], run[32:]
    blocks = [len(key)] + [int.from_bytes(key[i : i + 16], "big") for i in range(0, len(key), 16)]
    expected, power = int.from_bytes(pad, "big"), 1
    for block in reversed(blocks):
        power = product(power, factor)
        expected ^= product(block, power)

    proof = prove_equality(run)

    assert proof.tag == expected.to_bytes(16, "big")
    assert proof.key == key


@given(blocks=st.integers(0, 1100), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_many_lanes_give_the_value_of_one(blocks: int, seed: int) -> None:
    """Long messages are hashed in lanes side by side; whatever their number, the sum is one."""
    rng = np.random.default_rng(seed)
    message, factor = rng.bytes(16 * blocks), int.from_bytes(rng.bytes(16), "big")

    assert integrity._polynomial_hash(message, factor) == integrity._horner(message, factor)


def test_a_long_proof_is_the_polynomial_it_says_it_is() -> None:
    message, factor = np.random.default_rng(1).bytes(16 * 401), 2**127 + 5
    expected = 0
    for start in range(0, len(message), 16):
        block = int.from_bytes(message[start : start + 16], "big")
        expected = product(expected ^ block, factor)

    assert integrity._polynomial_hash(message, factor) == expected


@given(
    offset=st.integers(2, 12).flatmap(lambda n: st.binary(min_size=32 * n, max_size=32 * n)),
    seed=st.integers(0, 2**32),
)
def test_ends_that_differ_in_any_way_are_told_apart(offset: bytes, seed: int) -> None:
    """Whatever the offset, hash key and pad included; a miss has a chance below 2^-120."""
    run = np.random.default_rng(seed).bytes(len(offset))

    one, other = prove_equality(run), prove_equality(xor(run, offset))

    assert (one.tag == other.tag) == (not any(offset))


@given(run=RUNS, pad=st.binary(min_size=16, max_size=16))
def test_every_tag_is_equally_likely_whatever_the_key(run: bytes, pad: bytes) -> None:
    """For each tag exactly one pad gives it, so the tag tells nothing about the key."""
    tagged = prove_equality(run).tag
    shifted = prove_equality(run[:16] + xor(run[16:32], pad) + run[32:]).tag

    assert shifted == xor(tagged, pad)


def test_the_collision_bound_counts_the_blocks() -> None:
    assert collision_bound(32) == 3 / 2**128


@pytest.mark.parametrize("length", [0, 32, 65, 80])
def test_runs_that_leave_no_whole_key_are_refused(length: int) -> None:
    with pytest.raises(FactError, match=f"run of {length * 8} bits; allowed: multiples of 256"):
        prove_equality(bytes(length))


def test_no_key_shows_in_a_repr() -> None:
    assert "zzzz" not in repr(prove_equality(b"z" * 64))
