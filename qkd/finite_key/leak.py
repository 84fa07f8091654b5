"""Bits that error correction tells everyone."""

from dataclasses import dataclass
from numbers import Real
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, ndtri

from qkd import checks
from qkd.checks import BoolArray, FloatArray, IntArray
from qkd.errors import QkdInputError


def binary_entropy(x: ArrayLike) -> FloatArray:
    """Return h(x) in bits, 0 at both ends."""
    p = np.asarray(x, dtype=np.float64)
    inside = (p > 0.0) & (p < 1.0)
    safe = np.where(inside, p, 0.5)
    nats = -safe * np.log(safe) - (1.0 - safe) * np.log1p(-safe)
    return np.where(inside, nats / np.log(2.0), 0.0)


class LeakModel(Protocol):
    """Anything that says how many bits error correction reveals of n bits with m errors."""

    def bits(self, n: FloatArray, errors: FloatArray, *, correctness: float) -> FloatArray:
        """Return the bits revealed; n and errors are float arrays of one shape."""


def _qber(n: FloatArray, errors: FloatArray) -> FloatArray:
    share = np.divide(errors, n, out=np.zeros_like(n), where=n > 1e-200)
    return np.asarray(np.minimum(share, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLeak:
    """f_EC n h(Q), with f_EC 1.05-1.1 for Cascade, 1.15-1.25 for LDPC codes.

    Of long blocks alone: below about 1e5 bits it promises what no one-way code can keep.
    """

    efficiency: float = 1.16

    def __post_init__(self) -> None:
        checks.number("efficiency", self.efficiency, 1.0, 10.0)

    def bits(self, n: FloatArray, errors: FloatArray, *, correctness: float) -> FloatArray:
        """Return f_EC n h(Q); `correctness` plays no part."""
        return np.asarray(self.efficiency * n * binary_entropy(_qber(n, errors)))


#: Blocks up to this size get the exact binomial quantile.
_EXACT_BITS_MAX = 1e12
#: A smaller share of errors is no error in any block.
_LEAST_QBER = 1e-18


def finite_leak_bits(
    n: ArrayLike,
    qber: ArrayLike,
    *,
    correctness: float,
    smooth: bool = False,
    natural_logs: bool = False,
) -> FloatArray:
    """Return the finite-length one-way limit of error correction, in bits.

        n h(Q) + [n (1-Q) - F^-1(eps (1 + 1/sqrt n); n, 1-Q) - 1] log2((1-Q)/Q)
        - log2(n)/2 - log2(1/eps)

    n is rounded to a whole number first, for a binomial quantile has no other. smooth takes
    the Cornish-Fisher quantile, quick and without steps, for optimisers. natural_logs
    reproduces a public program that mixes natural and binary logarithms and so leaks too
    little; for comparisons only. 0 where n or Q is 0.

    Source: Tomamichel, Martinez-Mateo, Pacher and Elkouss, Quantum Inf. Process. 16, 280
    (2017), the approximation of their numerical bound.
    """
    whole, q = np.broadcast_arrays(
        np.rint(np.asarray(n, dtype=np.float64)), np.asarray(qber, dtype=np.float64)
    )
    some = (whole >= 1.0) & (q > _LEAST_QBER) & (q < 1.0)
    count, rate = np.where(some, whole, 1.0), np.where(some, q, 0.25)
    tail = np.minimum(correctness * (1.0 + 1.0 / np.sqrt(count)), 1.0 - 1e-12)
    if smooth:
        quantile = _cornish_fisher(tail, count, 1.0 - rate)
    else:
        # Beyond 1e12 bits the two quantiles agree to a few bits.
        short = np.minimum(count, _EXACT_BITS_MAX)
        exact = _binomial_quantile(tail, short, 1.0 - rate)
        long = _cornish_fisher(tail, count, 1.0 - rate)
        quantile = np.where(count > _EXACT_BITS_MAX, long, exact)
    log = np.log if natural_logs else np.log2
    bits = (
        count * binary_entropy(rate)
        + (count * (1.0 - rate) - quantile - 1.0) * (log(1.0 - rate) - log(rate))
        - 0.5 * log(count)
        - log(1.0 / correctness)
    )
    return np.where(some, bits, 0.0)


def _cornish_fisher(tail: FloatArray, n: FloatArray, p: FloatArray) -> FloatArray:
    """Return the binomial quantile to the second order of its normal approximation."""
    z = ndtri(tail)
    skew = (1.0 - 2.0 * p) / 6.0 * (z * z - 1.0)
    return np.asarray(np.clip(n * p + np.sqrt(n * p * (1.0 - p)) * z + skew, 0.0, n))


def _binomial_quantile(tail: FloatArray, n: FloatArray, p: FloatArray) -> FloatArray:
    """Return the least whole k with P[Binomial(n, p) <= k] >= tail.

    From the normal approximation, which misses it by a few, step by step along the
    distribution; scipy.stats has it too, but takes half a second to import.
    """
    found = np.floor(_cornish_fisher(tail, n, p))
    shape = found.shape
    k, t, many, q = (np.ravel(x).copy() for x in np.broadcast_arrays(found, tail, n, 1.0 - p))

    def reached(at: IntArray, less: float) -> BoolArray:
        whole = many[at] - k[at] + less
        value = np.asarray(betainc(np.maximum(whole, 1e-300), k[at] - less + 1.0, q[at]))
        return np.where(whole <= 0.0, True, value >= t[at])

    up = np.flatnonzero(~reached(np.arange(k.size), 0.0))
    down = np.setdiff1d(np.arange(k.size), up, assume_unique=True)
    while up.size:
        k[up] += 1.0
        up = up[~reached(up, 0.0)]
    while down.size:
        down = down[k[down] > 0.0]
        down = down[reached(down, 1.0)]
        k[down] -= 1.0
    return k.reshape(shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteLeak:
    """The larger of f_EC n h(Q) and the finite-length one-way limit."""

    efficiency: float = 1.16
    smooth: bool = False
    natural_logs: bool = False

    def __post_init__(self) -> None:
        checks.number("efficiency", self.efficiency, 1.0, 10.0)
        checks.flag("smooth", self.smooth)
        checks.flag("natural_logs", self.natural_logs)

    def bits(self, n: FloatArray, errors: FloatArray, *, correctness: float) -> FloatArray:
        """Return the bits revealed with failure probability `correctness`."""
        q = _qber(n, errors)
        limit = finite_leak_bits(
            n, q, correctness=correctness, smooth=self.smooth, natural_logs=self.natural_logs
        )
        return np.asarray(np.maximum(self.efficiency * n * binary_entropy(q), limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCountLeak:
    """`efficiency` times the number of errors: for parity with programs that take it so."""

    efficiency: float = 1.16

    def __post_init__(self) -> None:
        checks.number("efficiency", self.efficiency, 1.0, 10.0)

    def bits(self, n: FloatArray, errors: FloatArray, *, correctness: float) -> FloatArray:
        """Return efficiency x errors."""
        return np.asarray(self.efficiency * errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoLeak:
    """Nothing revealed: for comparisons only."""

    def bits(self, n: FloatArray, errors: FloatArray, *, correctness: float) -> FloatArray:
        """Return zeros."""
        return np.zeros_like(n)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLeak:
    """A number of bits counted by the error-correction engine itself."""

    revealed_bits: float

    def __post_init__(self) -> None:
        checks.number("revealed_bits", self.revealed_bits, 0.0, unit="bit")

    def bits(self, n: FloatArray, errors: FloatArray, *, correctness: float) -> FloatArray:
        """Return the measured number for every block."""
        return np.full_like(n, self.revealed_bits)


def as_leak(leak: LeakModel | float) -> LeakModel:
    """Return a leak model as it is, and a number as the efficiency f_EC of a `FiniteLeak`."""
    if isinstance(leak, int | float | Real):  # Real: numpy's own numbers
        return FiniteLeak(efficiency=checks.number("efficiency", leak, 1.0, 10.0))
    if isinstance(leak, type) or not callable(getattr(leak, "bits", None)):
        raise QkdInputError(
            f"leak is {checks.shown(leak)}, allowed a number of 1 or more, or a leak model"
        )
    return leak
