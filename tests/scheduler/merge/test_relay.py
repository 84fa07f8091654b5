"""The relay rebuilds the near end's key at the far end, and nothing is left over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import FactError
from scheduler.merge import announcements, far_end_key, xor


@st.composite
def hop_keys(draw: st.DrawFn) -> list[bytes]:
    length = draw(st.integers(1, 64))
    return draw(st.lists(st.binary(min_size=length, max_size=length), min_size=1, max_size=40))


@given(keys=hop_keys())
def test_the_far_end_rebuilds_the_near_ends_key(keys: list[bytes]) -> None:
    announced = announcements(keys)

    assert len(announced) == len(keys) - 1
    assert far_end_key(keys[-1], announced) == keys[0]


@given(keys=hop_keys())
def test_any_relay_on_the_path_rebuilds_the_key_too(keys: list[bytes]) -> None:
    announced = announcements(keys)

    for hop, key in enumerate(keys):
        assert far_end_key(key, announced[:hop]) == keys[0]


@given(keys=hop_keys(), guess=st.binary(min_size=1, max_size=64))
def test_the_announcements_alone_fit_every_key_equally(keys: list[bytes], guess: bytes) -> None:
    """For each possible end-to-end key there are hop keys that announce just the same."""
    announced = announcements(keys)
    other = (guess * len(keys[0]))[: len(keys[0])]
    fitting = [other]
    for announcement in announced:
        fitting.append(xor(fitting[-1], announcement))

    assert announcements(fitting) == announced
    assert far_end_key(fitting[-1], announced) == other


def test_a_known_relay_of_three_hops() -> None:
    keys = [b"\x0f\x01", b"\xf0\x02", b"\xff\x04"]

    assert announcements(keys) == [b"\xff\x03", b"\x0f\x06"]
    assert far_end_key(b"\xff\x04", [b"\xff\x03", b"\x0f\x06"]) == b"\x0f\x01"


@pytest.mark.parametrize("keys", [[], [b"ab", b"abc"]])
def test_no_hops_and_unequal_hops_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(FactError, match="allowed") as caught:
        announcements(keys)

    assert "abc" not in str(caught.value)
