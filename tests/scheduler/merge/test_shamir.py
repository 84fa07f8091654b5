"""Combined keys: all or enough paths give the key, fewer give nothing whatever."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import FactError
from scheduler.merge import combine, rebuild, recombine, split, xor
from scheduler.merge.shamir import multiply


# FIPS 197 sections 4.2 and 4.2.1: {57}{83} = {c1}, {57}{13} = {fe}; 4.2: {53} is inverse to {ca}.
@pytest.mark.parametrize(
    ("one", "other", "product"),
    [(0x57, 0x83, 0xC1), (0x57, 0x13, 0xFE), (0x53, 0xCA, 1), (0x57, 1, 0x57), (0x57, 0, 0)],
)
def test_products_match_the_published_field(one: int, other: int, product: int) -> None:
    assert multiply(one, other) == product
    assert multiply(other, one) == product


def test_every_element_but_zero_has_one_inverse() -> None:
    for one in range(1, 256):
        assert sum(multiply(one, other) == 1 for other in range(256)) == 1


@st.composite
def shared(draw: st.DrawFn) -> tuple[list[bytes], int]:
    """Some path keys of one length, and a threshold."""
    length = draw(st.integers(1, 40))
    keys = draw(st.lists(st.binary(min_size=length, max_size=length), min_size=1, max_size=6))
    return keys, draw(st.integers(1, len(keys)))


@given(case=shared())
def test_any_threshold_of_path_keys_gives_the_combined_key(
    case: tuple[list[bytes], int],
) -> None:
    keys, threshold = case
    combined = combine(keys, threshold=threshold)

    for size in range(threshold, len(keys) + 1):
        for arrived in combinations(range(len(keys)), size):
            again = recombine(
                {index: keys[index] for index in arrived},
                combined.corrections,
                threshold=threshold,
                count=len(keys),
            )
            assert again == combined.key


@given(case=shared())
def test_with_all_paths_needed_the_key_is_their_xor(case: tuple[list[bytes], int]) -> None:
    keys, _ = case

    combined = combine(keys, threshold=len(keys))

    expected = bytes(len(keys[0]))
    for key in keys:
        expected = xor(expected, key)
    assert combined.key == expected
    assert combined.corrections == ()


@given(case=shared(), guess=st.binary(min_size=40, max_size=40), data=st.data())
def test_fewer_paths_and_all_that_is_public_fit_every_key_equally(
    case: tuple[list[bytes], int], guess: bytes, data: st.DataObject
) -> None:
    """For any key whatever there are keys of the missing paths that give just what is seen.

    The path keys being uniform, each guess is then as likely as any other: the known paths
    and the corrections say nothing.
    """
    keys, threshold = case
    count, wanted = len(keys), guess[: len(keys[0])]
    combined = combine(keys, threshold=threshold)
    known = data.draw(st.permutations(range(count)))[: threshold - 1]

    shares = {
        index + 1: keys[index]
        if index < threshold or threshold == count
        else xor(keys[index], combined.corrections[index - threshold])
        for index in known
    }
    if threshold == count:
        (missing,) = set(range(count)) - set(known)
        others = [keys[index] for index in known]
        forged = dict(enumerate(keys)) | {missing: combine([wanted, *others], threshold=count).key}
    else:
        # The polynomial through the known shares and the guess at 0 gives the missing keys.
        forged = dict(enumerate(keys))
        for index in set(range(count)) - set(known):
            share = value_at({0: wanted} | shares, index + 1)
            behind = index - threshold
            forged[index] = share if behind < 0 else xor(share, combined.corrections[behind])

    other = combine([forged[index] for index in range(count)], threshold=threshold)
    assert other.key == wanted
    assert other.corrections == combined.corrections
    assert all(forged[index] == keys[index] for index in known)


INVERSE = {one: other for one in range(256) for other in range(256) if multiply(one, other) == 1}


def value_at(points: dict[int, bytes], at: int) -> bytes:
    """Lagrange interpolation, byte by byte, written apart from the code under test."""
    total = bytearray(len(points[0]))
    for one, values in points.items():
        weight = 1
        for other in points:
            if other != one:
                weight = multiply(weight, multiply(at ^ other, INVERSE[one ^ other]))
        for position, value in enumerate(values):
            total[position] ^= multiply(weight, value)
    return bytes(total)


@given(
    secret=st.binary(min_size=1, max_size=50),
    shape=st.integers(1, 7).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))),
    data=st.data(),
)
def test_a_split_secret_comes_back_from_any_threshold_of_shares(
    secret: bytes, shape: tuple[int, int], data: st.DataObject
) -> None:
    threshold, count = shape
    size = (threshold - 1) * len(secret)
    noise = data.draw(st.binary(min_size=size, max_size=size))

    shares = split(secret, threshold=threshold, count=count, noise=noise)

    assert sorted(shares) == list(range(1, count + 1))
    for chosen in combinations(shares, threshold):
        assert rebuild({point: shares[point] for point in chosen}, threshold=threshold) == secret
    assert rebuild(shares, threshold=threshold) == secret


@settings(max_examples=20)
@given(guess=st.integers(0, 255), share=st.integers(0, 255))
def test_one_share_of_two_fits_every_secret_once(guess: int, share: int) -> None:
    for point in (1, 2, 3):
        fitting = [
            noise
            for noise in range(256)
            if split(bytes([guess]), threshold=2, count=3, noise=bytes([noise]))[point]
            == bytes([share])
        ]
        assert len(fitting) == 1


def test_a_share_that_does_not_fit_the_others_is_found() -> None:
    shares = split(b"key", threshold=2, count=3, noise=b"abc")

    with pytest.raises(FactError, match=r"share 3 does not fit shares \[1, 2\]"):
        rebuild(shares | {3: b"bad"}, threshold=2)


REFUSED = [
    (lambda: combine([], threshold=1), "threshold 1 of 0 shares"),
    (lambda: combine([b"a"], threshold=2), "threshold 2 of 1 shares"),
    (lambda: combine([b"a", b"b"], threshold=0), "threshold 0"),
    (lambda: combine([b"secret", b"b"], threshold=2), r"keys of \[1, 6\] bytes"),
    (lambda: split(b"abc", threshold=2, count=300, noise=b"abc"), "300 shares; allowed: 1 to 255"),
    (lambda: split(b"abc", threshold=2, count=3, noise=b"ab"), "2 bytes of noise; allowed: 3"),
    (lambda: rebuild({1: b"a"}, threshold=2), "1 shares; allowed: at least the threshold, 2"),
    (lambda: rebuild({0: b"a", 1: b"b"}, threshold=2), "share 0; allowed: 1 to 255"),
    (lambda: recombine({0: b"a"}, [], threshold=2, count=2), "1 path keys; allowed: all 2"),
    (lambda: recombine({0: b"a"}, [], threshold=1, count=2), "0 corrections; allowed: 1"),
    (lambda: recombine({5: b"a"}, [b"b"], threshold=1, count=2), r"paths \[5\]; allowed: 0 to 1"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_does_not_fit_together_is_refused(call: object, message: str) -> None:
    with pytest.raises(FactError, match=message) as caught:
        call()  # type: ignore[operator]

    assert "secret" not in str(caught.value)
