"""Bounds on the expected value behind an observed count, by family of inequality."""

import numpy as np

from qkd import checks
from qkd.checks import FloatArray

FAMILIES = ("chernoff", "yin", "hoeffding", "asymptotic")
_SERIES_BELOW = 0.05
_NEWTON_STEPS = 4
#: Newton's steps after which a binomial bound moves no more.
SETTLED = 7


def lower(family: str, n: FloatArray, total: FloatArray, beta: FloatArray) -> FloatArray:
    """Return the lower bound of each count, not yet clipped at 0.

    Parameters
    ----------
    family : one of `FAMILIES`
    n : array, observed counts; total : array, their sum over intensities (Hoeffding's n)
    beta : array or float, ln(1/epsilon) of each single bound
    """
    if family == "hoeffding":
        return np.asarray(n - np.sqrt(total * beta / 2.0))
    if family == "yin":
        return np.asarray(n - beta / 2.0 - np.sqrt(2.0 * beta * n + beta * beta / 4.0))
    if family == "chernoff":
        return chernoff_lower(n, beta)
    checks.choice("bound", family, FAMILIES)
    return n


def upper(family: str, n: FloatArray, total: FloatArray, beta: FloatArray) -> FloatArray:
    """Return the upper bound of each count; parameters as of `lower`.

    hoeffding: Lim et al., Phys. Rev. A 89, 022307 (2014), n +- sqrt(n_total beta / 2).
    yin: Yin et al., Sci. Rep. 10, 14312 (2020), analytic Chernoff.
    chernoff: Zhang et al., Phys. Rev. A 95, 012333 (2017), inverted exactly.
    asymptotic: no deviation at all.
    """
    if family == "hoeffding":
        return np.asarray(n + np.sqrt(total * beta / 2.0))
    if family == "yin":
        return np.asarray(n + beta + np.sqrt(2.0 * beta * n + beta * beta))
    if family == "chernoff":
        return chernoff_upper(n, beta)
    checks.choice("bound", family, FAMILIES)
    return n


def _series(s: FloatArray) -> FloatArray:
    """Return t(s) with t - ln(1 + t) = s^2/2 for small |s|; the sign of s picks the root."""
    # Coefficients of the inverse, as in Stirling's series: 1, 1/3, 1/36, -1/270, ...
    inner = 1.0 / 4320.0 + s * (1.0 / 17010.0 - s * 139.0 / 5443200.0)
    return np.asarray(s * (1.0 + s * (1 / 3 + s * (1 / 36 + s * (-1 / 270 + s * inner)))))


def chernoff_upper(n: FloatArray, beta: FloatArray | float) -> FloatArray:
    """Return the larger root E of E - n - n ln(E/n) = beta; beta itself at n = 0.

    With E = n (1 + t): t - ln(1 + t) = c = beta/n. Newton from above, where the convex
    function cannot be overshot; a series where c is so small that t - ln(1 + t) cancels.
    """
    counts, b = np.broadcast_arrays(np.asarray(n, dtype=np.float64), beta)
    some = counts > 1e-280
    c = b / np.where(some, counts, 1.0)
    s = np.sqrt(2.0 * c)
    t = c + np.log1p(s + c)
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(_NEWTON_STEPS):
            t = t - (t - np.log1p(t) - c) * (1.0 + t) / t
        root = np.where(s < _SERIES_BELOW, _series(np.minimum(s, _SERIES_BELOW)), t)
    return np.where(some, counts * (1.0 + root), b)


def chernoff_lower(n: FloatArray, beta: FloatArray | float) -> FloatArray:
    """Return the smaller root E of E - n - n ln(E/n) = beta; 0 at n = 0.

    With E = n exp(-y): expm1(-y) + y = c = beta/n.
    """
    counts, b = np.broadcast_arrays(np.asarray(n, dtype=np.float64), beta)
    some = counts > 1e-280
    c = b / np.where(some, counts, 1.0)
    s = np.sqrt(2.0 * c)
    y = np.minimum(c + 1.0, s * (1.0 + s / 4.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(_NEWTON_STEPS):
            less = np.expm1(-y)
            y = y + (less + y - c) / less
        root = np.where(s < _SERIES_BELOW, 1.0 + _series(-np.minimum(s, _SERIES_BELOW)), np.exp(-y))
    return np.where(some, counts * root, 0.0)


def binomial_lower(
    n: FloatArray, share: FloatArray, beta: float, *, steps: int = SETTLED
) -> FloatArray:
    """Return the lower bound of how many of n independent draws hit, each with `share`.

    The root x n, x < share, of n D(x || share) = beta with D the divergence of two coins:
    P[Binomial(n, share) <= x n] <= exp(-beta). 0 where even no hit at all is likelier.
    Newton from below, where the convex function is never overshot: every step is a bound.

    Source: Chernoff's bound in Hoeffding's form, J. Am. Stat. Assoc. 58, 13 (1963), theorem 1.
    """
    many, q = np.broadcast_arrays(np.asarray(n, dtype=np.float64), share)
    some = many * -np.log1p(-np.minimum(q, 1.0 - 1e-16)) > beta
    count = np.where(some, many, 1.0)
    b = np.where(some, beta / count, 0.0)
    # gap = share - x, which keeps its digits; all starts lie below the root: Pinsker's, the
    # quadratic one, and one for x far below the mean.
    spare = np.clip(1.0 - b / np.maximum(q, 1e-300), 1e-300, 1.0)
    far = q * (1.0 - 0.5 * spare / (1.0 - np.log(spare)))
    gap = np.minimum(np.sqrt(b * np.minimum(2.0 * q, 0.5)), far)
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(steps):
            x = np.maximum(q - gap, 1e-300)
            left, right = gap / x, gap / np.maximum(1.0 - x, 1e-300)
            value = -x * (np.log1p(left) - left) - (1.0 - x) * (np.log1p(-right) + right)
            step = (value - b) / (np.log1p(left) - np.log1p(-right))
            gap = gap - np.where(step > 0.0, step, 0.0)
    return np.where(some, np.maximum(many * (q - gap), 0.0), 0.0)
