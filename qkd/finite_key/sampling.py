"""The phase error rate of the key sample, from the errors seen in the check sample."""

import math

import numpy as np

from qkd import checks
from qkd.checks import FloatArray
from qkd.finite_key.hypergeometric import errors_about, errors_most

#: The first is the proof's; the others are kept for parity with other programs alone.
METHODS = ("exact", "lim-parity", "yin-parity")


def gamma_lim(
    rate: FloatArray, *, check: FloatArray, key: FloatArray, epsilon: float
) -> FloatArray:
    """Return gamma of Lim et al.; `epsilon` is that of this one bound, eps_sec / K.

        sqrt((c+d)(1-b) b / (c d ln 2) log2((c+d) / (c d (1-b) b) / epsilon^2))

    with b the observed rate, c the check and d the key sample; the logarithm is floored at
    0. Base-2 logarithm and ln 2 both stand as printed.

    For parity alone: a normal approximation, which at 10 errors fails about 200 times as
    often as it says.

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

    For parity alone: it bounds one term of the tail, not the tail.

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


def exact_rate(
    errors: FloatArray, check: FloatArray, key: FloatArray, *, epsilon: float
) -> FloatArray:
    """Return phi = E/d of `errors_most`, of real counts: v and d rounded up, c down.

    The photon numbers behind the bounds are whole. With at least ceil(d) photons in the key
    sample, any ceil(d) of them are a random sample too; E of those over the real d is more.
    """
    most = errors_most(np.ceil(errors), np.floor(check), np.ceil(key), epsilon=epsilon)
    # An expected count may be next to nothing.
    return np.asarray(most / np.maximum(key, 1e-300))


def phase_error_rate(
    method: str,
    errors: FloatArray,
    check: FloatArray,
    key: FloatArray,
    *,
    epsilon: float,
    smooth_steps: int = 0,
) -> FloatArray:
    """Return the phase error rate phi of the key sample, at most 1/2, by the method named.

    exact: the tail of the hypergeometric distribution. lim-parity and yin-parity are the
    approximations of two papers, whose one probability is not a tail: at few errors they
    fail far more often than epsilon says. They are there to compare programs with.

    Parameters
    ----------
    errors, check, key : arrays of one shape, v_Z1, s_Z1 and s_X1
    epsilon : float, failure probability of this one bound
    smooth_steps : 0, or for optimisers the steps of `errors_about`

    Returns
    -------
    phi : array, 1/2 where a sample is empty
    """
    checks.choice("phase", method, METHODS)
    good = (check > 0.0) & (key > 0.0)
    v, c, d = (np.where(good, x, other) for x, other in ((errors, 0.0), (check, 1.0), (key, 1.0)))
    if method == "exact":
        # Half of the check sample wrong is half of the key sample wrong at least.
        told = 2.0 * v < c
        v = np.where(told, v, c)
        rate = (
            errors_about(v, c, d, epsilon=epsilon, steps=smooth_steps) / d
            if smooth_steps
            else exact_rate(v, c, d, epsilon=epsilon)
        )
    else:
        form = {"lim-parity": gamma_lim, "yin-parity": gamma_yin}[method]
        # gamma is an excess over a rate below one half; beyond it phi is one half anyway.
        seen = np.minimum(v / c, 0.5)
        rate = seen + form(seen, check=c, key=d, epsilon=epsilon)
    return np.where(good, np.minimum(rate, 0.5), 0.5)


def seen_rate(errors: FloatArray, check: FloatArray, key: FloatArray) -> FloatArray:
    """Return v/c, at most 1/2 and 1/2 where a sample is empty: phi without a deviation."""
    good = (check > 0.0) & (key > 0.0)
    rate = np.divide(errors, check, out=np.full_like(check, 0.5), where=good)
    return np.asarray(np.minimum(rate, 0.5))
