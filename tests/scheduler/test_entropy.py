"""Keyed entropy depends on what is asked for, never on when."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.entropy import KeyedEntropy, SystemEntropy
from scheduler.errors import InputError

PARTS = st.lists(st.one_of(st.text(max_size=8), st.integers()), min_size=1, max_size=3)


@given(seed=st.integers(0, 2**70), key=PARTS)
def test_the_same_key_gives_the_same_bytes_in_any_order(seed: int, key: list[str | int]) -> None:
    one, other = KeyedEntropy(seed), KeyedEntropy(seed)
    other.key_bytes("key", "something else", length=64)
    other.uuid("block", *key)

    assert one.key_bytes("key", *key, length=33) == other.key_bytes("key", *key, length=33)
    assert one.uuid("block", *key) == other.uuid("block", *key)
    draws = [source.generator("counts", *key).poisson(1e5, 4) for source in (one, other)]
    np.testing.assert_array_equal(*draws)


def test_purpose_seed_and_every_part_of_the_key_matter() -> None:
    asked = [
        (1, "key", ("a", "bc")),
        (1, "key", ("ab", "c")),
        (1, "key", ("abc",)),
        (1, "key", ("a", "bc", "")),
        (1, "other", ("a", "bc")),
        (2, "key", ("a", "bc")),
    ]

    made = {KeyedEntropy(seed).key_bytes(what, *key, length=16) for seed, what, key in asked}

    assert len(made) == len(asked)


def test_ids_carry_the_bits_of_version_4() -> None:
    made = KeyedEntropy(7).uuid("block", "session/micius/xinglong")

    assert made.version == 4
    assert SystemEntropy().uuid("block").version == 4


def test_only_the_systems_bytes_are_no_simulation() -> None:
    assert KeyedEntropy(1).simulated
    assert not SystemEntropy().simulated
    assert SystemEntropy().key_bytes("key", length=32) != SystemEntropy().key_bytes(
        "key", length=32
    )


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="seed -1"):
        KeyedEntropy(-1)
