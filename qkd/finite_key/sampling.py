"""How far the phase error of the key sample may exceed that seen in the check sample."""

import math

import numpy as np
from scipy.special import gammaln

from qkd import checks
from qkd.checks import FloatArray

METHODS = ("lim", "yin", "exact")


def gamma_lim(
    rate: FloatArray, *, check: FloatArray, key: FloatArray, epsilon: float
) -> FloatArray:
    """Return gamma of Lim et al.; `epsilon` is that of this one bound, eps_sec / K.

        sqrt((c+d)(1-b) b / (c d ln 2) log2((c+d) / (c d (1-b) b) / epsilon^2))

    with b the observed rate, c the check and d the key sample; the logarithm is floored at
    0. Base-2 logarithm and ln 2 both stand as printed.

    Source: Lim et al., Phys. Rev. A 89, 022307 (2014), equation 5 and the text under it.
    """
    product = check * key
    spread = (1.0 - rate) * rate
    good = (product > 0.0) & (spread > 0.0)
    share = np.divide(check + key, product * spread, out=np.ones_like(rate), where=good)
    logarithm = np.maximum(np.log2(share) - 2.0 * np.log2(epsilon), 0.0)
    square = np.divide((check + key) * spread, product, out=np.zeros_like(rate), where=good)
    return np.where(good, np.sqrt(square / math.log(2.0) * logarithm), 0.0)


def gamma_yin(
    rate: FloatArray, *, check: FloatArray, key: FloatArray, epsilon: float
) -> FloatArray:
    """Return the analytic gamma^U of random sampling without replacement.

    Source: Yin et al., Sci. Rep. 10, 14312 (2020), the bound with A = max(n, k) and G.
    """
    k, n = np.maximum(check, 1e-300), np.maximum(key, 1e-300)
    lam = np.clip(rate, 1e-15, 1.0 - 1e-15)
    a, whole, spread = np.maximum(n, k), n + k, lam * (1.0 - lam)
    g = (
        whole
        / (n * k)
        * (np.log(whole) - np.log(2.0 * np.pi * n * k * spread) - 2.0 * np.log(epsilon))
    )
    # Negative only for samples beyond 1/epsilon^2, where the deviation is nought anyway.
    g = np.maximum(g, 0.0)
    ag = a * g / whole
    root = np.sqrt(ag * ag + 4.0 * spread * g)
    return np.asarray(((1.0 - 2.0 * lam) * ag + root) / (2.0 + 2.0 * a * ag / whole))


def gamma_exact(
    rate: FloatArray, *, check: FloatArray, key: FloatArray, epsilon: float
) -> FloatArray:
    """Return the root g of the hypergeometric tail that the analytic forms bound.

        lnC(k, k lam) + lnC(n, n (lam + g)) - lnC(n + k, (n + k) lam + n g) = ln epsilon

    By bisection, the left side falling from g = 0 to g = 1 - lam; 1 - lam where even that
    is likelier than epsilon. Source: Yin et al., Sci. Rep. 10, 14312 (2020), before the
    analytic relaxation; compare Mannalath, Zapatero and Curty, arXiv:2410.04095.
    """
    k, n = np.maximum(check, 1e-300), np.maximum(key, 1e-300)
    lam = np.clip(rate, 1e-15, 1.0 - 1e-15)
    target = np.log(epsilon)

    def choose(whole: FloatArray, part: FloatArray) -> FloatArray:
        rest = np.maximum(whole - part, 0.0)
        return np.asarray(gammaln(whole + 1.0) - gammaln(part + 1.0) - gammaln(rest + 1.0))

    low, high = np.zeros_like(lam), 1.0 - lam
    first = choose(k, k * lam)
    for _ in range(60):
        g = 0.5 * (low + high)
        tail = first + choose(n, n * (lam + g)) - choose(n + k, (n + k) * lam + n * g)
        beyond = tail > target
        low, high = np.where(beyond, g, low), np.where(beyond, high, g)
    return high


def gamma(
    method: str, rate: FloatArray, *, check: FloatArray, key: FloatArray, epsilon: float
) -> FloatArray:
    """Return the sampling deviation by the method named: lim, yin or exact."""
    checks.choice("phase", method, METHODS)
    form = {"lim": gamma_lim, "yin": gamma_yin, "exact": gamma_exact}[method]
    return form(rate, check=check, key=key, epsilon=epsilon)
