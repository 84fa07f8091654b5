"""Combining path keys: XOR of all, or Shamir sharing over GF(256) where any k of n suffice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import FactError
from scheduler.merge.relay import xor

Bytes = NDArray[np.uint8]
SHARES_MAX = 255
"""GF(256) has 255 points besides 0, where the secret lies."""


def _tables() -> tuple[list[int], list[int], Bytes]:
    """Powers and logarithms to the generator 3, and the whole multiplication table.

    The field is that of FIPS 197 section 4.2: modulus x^8 + x^4 + x^3 + x + 1.
    """
    powers, logs, value = [0] * 255, [0] * 256, 1
    for exponent in range(255):
        powers[exponent], logs[value] = value, exponent
        doubled = value << 1
        value ^= (doubled ^ 0x11B) if doubled & 0x100 else doubled
    product = np.zeros((256, 256), dtype=np.uint8)
    log = np.array(logs[1:])
    product[1:, 1:] = np.array(powers, dtype=np.uint8)[(log[:, None] + log[None, :]) % 255]
    return powers, logs, product


_POWERS, _LOGS, _PRODUCT = _tables()


def multiply(one: int, other: int) -> int:
    """Return the product of two elements of GF(256)."""
    return int(_PRODUCT[one, other])


def _divide(one: int, other: int) -> int:
    assert other, "division by zero in GF(256)"
    return _POWERS[(_LOGS[one] - _LOGS[other]) % 255] if one else 0


def _weights(points: Sequence[int], at: int) -> list[int]:
    """Return the Lagrange weights that take values at `points` to the value at `at`."""
    weights = []
    for one in points:
        above = below = 1
        for other in points:
            if other != one:
                above = multiply(above, at ^ other)
                below = multiply(below, one ^ other)
        weights.append(_divide(above, below))
    return weights


def _value(shares: Mapping[int, Bytes], at: int) -> Bytes:
    """Interpolate the polynomials, one a byte, and return their values at one point."""
    terms = [
        _PRODUCT[weight][share]
        for weight, share in zip(_weights(list(shares), at), shares.values(), strict=True)
    ]
    return reduce(np.bitwise_xor, terms)


def _arrays(keys: Mapping[int, bytes]) -> dict[int, Bytes]:
    lengths = {len(key) for key in keys.values()}
    if len(lengths) > 1:
        raise FactError(f"keys of {sorted(lengths)} bytes; allowed: equal lengths")
    for point in keys:
        if not 1 <= point <= SHARES_MAX:
            raise FactError(f"share {point}; allowed: 1 to {SHARES_MAX}")
    return {point: np.frombuffer(keys[point], np.uint8) for point in sorted(keys)}


def _check_threshold(threshold: int, count: int) -> None:
    if not 1 <= threshold <= count <= SHARES_MAX:
        raise FactError(
            f"threshold {threshold} of {count} shares; allowed: 1 to {SHARES_MAX} shares,"
            " a threshold of 1 to their number"
        )


def split(secret: bytes, *, threshold: int, count: int, noise: bytes) -> dict[int, bytes]:
    """Share a secret so that any `threshold` of `count` shares give it back, and fewer nothing.

    Parameters
    ----------
    noise : `threshold - 1` times as many uniformly random bytes as the secret has, used once

    Returns the shares by their point, 1 to `count`. Raises FactError.
    Source: Shamir, Commun. ACM 22, 612 (1979), with a polynomial over GF(256) for each byte.
    """
    _check_threshold(threshold, count)
    if len(noise) != (threshold - 1) * len(secret):
        raise FactError(
            f"{len(noise)} bytes of noise; allowed: {(threshold - 1) * len(secret)}"
            f" for {len(secret)} bytes and a threshold of {threshold}"
        )
    drawn = np.frombuffer(noise, np.uint8).reshape(threshold - 1, len(secret))
    # Random values at points 1 .. k-1 fix the polynomial just as random coefficients do.
    known = {0: np.frombuffer(secret, np.uint8)} | dict(enumerate(drawn, start=1))
    return {
        point: (known[point] if point in known else _value(known, point)).tobytes()
        for point in range(1, count + 1)
    }


def rebuild(shares: Mapping[int, bytes], *, threshold: int) -> bytes:
    """Return the secret from its shares.

    Shares beyond the threshold are checked against the others; raises FactError if one does
    not fit, or if there are too few.
    """
    if len(shares) < threshold or threshold < 1:
        raise FactError(f"{len(shares)} shares; allowed: at least the threshold, {threshold}")
    arrays = _arrays(shares)
    points = list(arrays)
    known = {point: arrays[point] for point in points[:threshold]}
    for point in points[threshold:]:
        if not np.array_equal(_value(known, point), arrays[point]):
            raise FactError(f"share {point} does not fit shares {points[:threshold]}")
    return _value(known, 0).tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """A key combined of path keys. Only the corrections may be made public."""

    key: bytes = field(repr=False)
    corrections: tuple[bytes, ...]  #: for the paths after the first `threshold`


def combine(path_keys: Sequence[bytes], *, threshold: int) -> Combined:
    """Combine the keys of node-disjoint paths into one.

    With `threshold` equal to their number the key is their XOR. With fewer, the first
    `threshold` path keys are taken as Shamir shares, which fix the key; for each further path
    the near end announces a correction, its share XOR its path key. As each path key is
    uniform and serves once, fewer than `threshold` of them and all corrections say nothing
    about the key. Raises FactError if lengths differ or the threshold does not fit.
    """
    _check_threshold(threshold, len(path_keys))
    arrays = _arrays(dict(enumerate(path_keys, start=1)))
    if threshold == len(path_keys):
        return Combined(key=reduce(xor, path_keys), corrections=())
    known = {point: arrays[point] for point in range(1, threshold + 1)}
    corrections = tuple(
        (_value(known, point) ^ arrays[point]).tobytes()
        for point in range(threshold + 1, len(path_keys) + 1)
    )
    return Combined(key=_value(known, 0).tobytes(), corrections=corrections)


def recombine(
    path_keys: Mapping[int, bytes], corrections: Sequence[bytes], *, threshold: int, count: int
) -> bytes:
    """Return the combined key from those path keys that arrived.

    Parameters
    ----------
    path_keys : by the index of the path, 0 and up
    corrections : what `combine` announced
    count : number of paths that were combined

    Raises FactError if too few arrived, or if what arrived does not fit together.
    """
    _check_threshold(threshold, count)
    if len(corrections) != (count - threshold):
        raise FactError(f"{len(corrections)} corrections; allowed: {count - threshold}")
    if not set(path_keys) <= set(range(count)):
        raise FactError(f"paths {sorted(path_keys)}; allowed: 0 to {count - 1}")
    if threshold == count:
        if len(path_keys) < count:
            raise FactError(f"{len(path_keys)} path keys; allowed: all {count}")
        return reduce(xor, path_keys.values())
    shares = {
        index + 1: key if index < threshold else xor(key, corrections[index - threshold])
        for index, key in path_keys.items()
    }
    return rebuild(shares, threshold=threshold)
