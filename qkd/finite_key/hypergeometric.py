"""Errors that a sample may hide: the exact tail of sampling without replacement."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import gammaln, ndtri

from qkd.checks import FloatArray, IntArray

#: Terms of the tail's sum in the first search; the rest is bounded by a geometric series.
_TERMS = 24
#: Terms in the second: enough decay lengths to leave nothing, but no more than these for
#: samples up to 4e5 and beyond; the rest is bounded in blocks.
_DECAYS = 25.0
_TERMS_SMALL, _TERMS_LARGE, _SMALL = 1024, 64, 4e5
_BLOCKS, _BLOCK = 6, 0.5
#: Terms of the quick form, which no key is computed with.
_TERMS_SMOOTH = 8
#: Rounding of ln F, well above what double precision loses here; counted against the key.
_GUARD = 1e-10
#: Newton's steps before the bracket is halved instead; four do for most.
_NEWTON, _STEPS = 20, 100
#: Elements of the tail's sum in memory at once, so that they stay in the cache.
_AT_ONCE = 1024
#: Below so many elements the sum is one product along the terms, above a loop over them.
_FEW = 128


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """v errors in a random sample of c out of c + d, and what of ln P does not change with E."""

    v: FloatArray
    c: FloatArray
    d: FloatArray
    constant: FloatArray

    @classmethod
    def of(cls, v: FloatArray, c: FloatArray, d: FloatArray) -> Self:
        """Return the samples; v below c, d above 0."""
        constant = _stirling(c) + _stirling(d) - _stirling(c + d) - _stirling(v) - _stirling(c - v)
        return cls(v, c, d, constant)

    def at(self, chosen: IntArray) -> Self:
        """Return some of them."""
        return type(self)(self.v[chosen], self.c[chosen], self.d[chosen], self.constant[chosen])


def _stirling(x: FloatArray) -> FloatArray:
    """Return ln(x!) - x ln x + x, 0 at 0, to 1e-12."""
    big = np.maximum(x, 10.0)
    inverse = 1.0 / big
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    value = np.asarray(0.5 * np.log(2.0 * math.pi * big) + series)
    small = x < 10.0
    if np.any(small):
        few = x[small]
        value[small] = gammaln(few + 1.0) - few * np.log(np.maximum(few, 1e-300)) + few
    return value


def _deviance(x: FloatArray, delta: FloatArray) -> FloatArray:
    """Return x ln(x/m) + m - x of a cell x whose expectation m is x - delta."""
    # Where x is 0 what is left is m itself; a cell expected 0 is never a full one.
    share = np.minimum(delta / np.maximum(x, 1e-300), 1.0 - 1e-16)
    return np.asarray(np.where(x > 0.0, -x * (np.log1p(-share) + share), -delta))


def _log_term(s: _Sample, e: FloatArray) -> FloatArray:
    """Return ln P[X = v]: v of the v + e marked among c + d are in the sample of c.

    By the deviances of the four cells (Loader, "Fast and accurate computation of binomial
    probabilities", 2000): logarithms of factorials would lose ten digits at 1e9.
    """
    marked, plain = s.v + e, s.c + s.d - s.v - e
    delta = (s.v * s.d - s.c * e) / (s.c + s.d)
    other, rest = s.c - s.v, s.d - e
    deviance = (
        _deviance(s.v, delta)
        + _deviance(e, -delta)
        + _deviance(other, -delta)
        + _deviance(rest, delta)
    )
    edges = _stirling(marked) + _stirling(plain) - _stirling(e) - _stirling(rest)
    return np.asarray(s.constant + edges - deviance)


def _ratio(s: _Sample, e: FloatArray, i: FloatArray) -> FloatArray:
    """Return P[X = v-i-1] / P[X = v-i], falling and convex in i, 0 from where X ends."""
    ratio = np.maximum(s.v - i, 0.0)
    ratio *= np.maximum((s.d - e) - i, 0.0)
    ratio /= ((e + 1.0) + i) * ((s.c - s.v + 1.0) + i)
    return ratio


def _geometric(s: _Sample, e: FloatArray, first: FloatArray) -> FloatArray:
    """Return 1 + r_m (1 + r_(m+1) (1 + ...)) from m = `first` on, from above."""
    return np.asarray(1.0 / (1.0 - np.minimum(_ratio(s, e, first), 1.0 - 1e-9)))


def _blocks(s: _Sample, e: FloatArray, first: FloatArray) -> FloatArray:
    """Return what `_geometric` does, nearer to it: in blocks of about half a decay length.

    The ratios are convex, so that a block's product is at most the mean of its ends to the
    power of its length.
    """
    start = first
    ratio = np.minimum(_ratio(s, e, start), 1.0 - 1e-9)
    length = np.ceil(_BLOCK / (1.0 - ratio))
    total, product = np.zeros_like(e), np.ones_like(e)
    for _ in range(_BLOCKS):
        total += product * (1.0 - ratio**length) / (1.0 - ratio)
        end = np.minimum(_ratio(s, e, start + length - 1.0), ratio)
        product *= (0.5 * (ratio + end)) ** length
        start = start + length
        ratio = np.minimum(_ratio(s, e, start), end)
    return np.asarray(total + product / (1.0 - ratio))


def _add_terms(s: _Sample, e: FloatArray, tail: FloatArray, terms: int) -> None:
    """Turn the sum from term `terms` on into the whole one, in place."""
    if terms == 0:
        return
    ratios = _ratio(s, e, np.arange(terms, dtype=np.float64)[:, None])
    if e.size < _FEW:
        products = np.multiply.accumulate(ratios, axis=0)
        tail *= products[-1]
        tail += 1.0 + products[:-1].sum(axis=0)
        return
    for row in ratios[::-1]:
        tail *= row
        tail += 1.0


def _coarse_sum(s: _Sample, e: FloatArray, terms: int) -> FloatArray:
    """Return F / P[X = v] with F = P[X <= v], from above."""
    tail = _geometric(s, e, np.full_like(e, float(terms)))
    for begin in range(0, e.size, _AT_ONCE):
        part = np.arange(begin, min(begin + _AT_ONCE, e.size))
        inner = tail[part]
        _add_terms(s.at(part), e[part], inner, terms)
        tail[part] = inner
    return tail


def _fine_sum(s: _Sample, e: FloatArray) -> FloatArray:
    """Return what `_coarse_sum` does, exact to rounding for populations up to 4e5."""
    decay = 1.0 - np.minimum(_ratio(s, e, np.zeros_like(e)), 1.0 - 1e-9)
    most = np.where(s.c + s.d <= _SMALL, _TERMS_SMALL, _TERMS_LARGE)
    wanted = np.minimum(np.ceil(_DECAYS / decay), np.minimum(most, np.ceil(s.v)))
    order = np.argsort(wanted, kind="stable")
    tail = np.empty_like(e)
    for begin in range(0, e.size, _AT_ONCE):
        part = order[begin : begin + _AT_ONCE]
        here, there = s.at(part), e[part]
        terms = int(wanted[part[-1]])
        inner = _blocks(here, there, np.full_like(there, float(terms)))
        _add_terms(here, there, inner, terms)
        tail[part] = inner
    return tail


def _tail(
    s: _Sample, e: FloatArray, total: FloatArray, log_epsilon: float
) -> tuple[FloatArray, FloatArray]:
    """Return ln F(e) - ln epsilon, from above, and ln F(e+1) - ln F(e)."""
    guard = _GUARD + 1e-13 * np.sqrt(s.v + 1.0) - log_epsilon
    value = np.minimum(_log_term(s, e) + np.log(total), 0.0) + guard
    plain = np.maximum(s.c + s.d - s.v - e, 1.0)
    # F(e+1) = F(e) (1 - (c-v) / ((N-K) S)): one more marked, inside the sample or not.
    share = np.minimum((s.c - s.v) / (plain * total), 1.0 - 1e-16)
    return value, np.minimum(np.log1p(-share), -1e-300)


def _start(s: _Sample, epsilon: float) -> FloatArray:
    """Return a normal approximation of the root."""
    z = -float(ndtri(epsilon))
    weight = np.maximum(s.d / (s.c + s.d) * (1.0 - s.v / s.c), 0.0)
    mean = s.v + 0.5 * z * z * weight + z * np.sqrt(s.v * weight + 0.25 * z * z * weight**2)
    return np.asarray(np.clip(mean * (s.c + s.d) / s.c - s.v, 0.0, s.d))


def _search(s: _Sample, start: FloatArray, log_epsilon: float, *, fine: bool) -> FloatArray:
    """Return the whole E with F(E) > epsilon >= F(E+1): Newton's steps between a bracket."""
    found = np.floor(start)
    low, high = np.full_like(found, -1.0), s.d + 1.0
    active = np.arange(found.size)
    for count in range(_STEPS):
        here, e = s.at(active), found[active]
        total = _fine_sum(here, e) if fine else _coarse_sum(here, e, _TERMS)
        value, slope = _tail(here, e, total, log_epsilon)
        above, after = value > 0.0, (value + slope > 0.0) & (e < here.d)
        under, over = low[active], high[active]
        under = np.where(above, np.maximum(under, np.where(after, e + 1.0, e)), under)
        over = np.minimum(over, np.where(above, np.where(after, over, e + 1.0), e))
        # ln F is concave: steps from either side land above the root, and come down to it.
        step = np.floor(e - value / slope) if count < _NEWTON else np.floor(0.5 * (under + over))
        found[active] = np.clip(step, under + 1.0, np.maximum(over - 1.0, under + 1.0))
        low[active], high[active] = under, over
        # Beyond 2^53 neighbours are further apart than 1.
        active = active[(over - under > 1.0) & (np.nextafter(under, np.inf) < over)]
        if not active.size:
            break
    return np.asarray(np.maximum(low, 0.0))


def errors_most(
    check_errors: FloatArray, check: FloatArray, key: FloatArray, *, epsilon: float
) -> FloatArray:
    """Return the most errors that the key sample may hold, but for `epsilon`.

    The largest E with P[Hypergeometric(c + d, v + E, c) <= v] > epsilon: v errors seen in a
    random sample of c out of c + d. The exact integer up to c + d = 4e5, beyond it never
    below and at most 1e-4 above; the whole of d where the sample tells nothing (v >= c).

    Parameters
    ----------
    check_errors, check, key : arrays of one shape, v, c and d, WHOLE numbers, 0 or more
    epsilon : probability that the errors exceed the answer, 0 to 1

    Source: tail of the hypergeometric distribution, summed from its largest term; compare
    Mannalath, Zapatero and Curty, arXiv:2410.04095.
    """
    v, c, d = (np.ravel(x).astype(np.float64) for x in (check_errors, check, key))
    found = d.copy()
    told = np.flatnonzero((v < c) & (d > 0.0))
    if told.size:
        s, log_epsilon = _Sample.of(v[told], c[told], d[told]), math.log(epsilon)
        some = _search(s, _start(s, epsilon), log_epsilon, fine=False)
        cut = np.flatnonzero(s.v > _TERMS)
        if cut.size:
            some[cut] = _search(s.at(cut), some[cut], log_epsilon, fine=True)
        found[told] = some
    return found.reshape(np.shape(check))


def errors_about(
    check_errors: FloatArray, check: FloatArray, key: FloatArray, *, epsilon: float, steps: int
) -> FloatArray:
    """Return about what `errors_most` does, of any real numbers, smoothly, up to d/2.

    For optimisers, which follow slopes; no key is computed with it. Newton's `steps` from a
    normal approximation.
    """
    v, c, d = (np.ravel(x).astype(np.float64) for x in (check_errors, check, key))
    told = (2.0 * v < c) & (d > 0.0)
    s = _Sample.of(np.where(told, v, 1.0), np.where(told, c, 3.0), np.where(told, d, 1.0))
    half = 0.5 * s.d
    e = np.minimum(_start(s, epsilon), half)
    for _ in range(steps):
        value, slope = _tail(s, e, _coarse_sum(s, e, _TERMS_SMOOTH), math.log(epsilon))
        e = np.clip(e - value / slope, 0.0, half)
    return np.where(told, e, 0.5 * d).reshape(np.shape(check))
