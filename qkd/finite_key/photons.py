"""Bounds on vacuum, single-photon and phase-error counts: the decoy method itself."""

from dataclasses import dataclass

import numpy as np

from qkd.checks import FloatArray
from qkd.finite_key import bounds

#: SatQuMA's stand-in for a bound of zero.
SATQUMA_ZERO = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhotonCounts:
    """What a block surely holds: lower bounds of s, upper bound of the phase errors' v."""

    vacuum: FloatArray  #: s_X0, key basis
    single: FloatArray  #: s_X1, key basis
    check_single: FloatArray  #: s_Z1, check basis
    check_errors: FloatArray  #: v_Z1, errors of single photons in the check basis


def photon_share(mu: FloatArray, p: FloatArray, photons: int) -> FloatArray:
    """Return tau_n = sum_k p_k e^-mu_k mu_k^n / n!, the share of n-photon pulses (n = 0, 1)."""
    return np.asarray(np.sum(p * np.exp(-mu) * mu**photons, axis=-1))


def _at_most(
    vacuum: FloatArray, single: FloatArray, clicks: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the bounds, together no more than the clicks there were."""
    some = np.minimum(vacuum, clicks)
    return some, np.minimum(single, clicks - some)


def two_decoys(
    key_clicks: FloatArray,
    check_clicks: FloatArray,
    check_errors: FloatArray,
    mu: FloatArray,
    p: FloatArray,
    *,
    family: str,
    beta: FloatArray | float,
    parity: bool = False,
) -> PhotonCounts:
    """Bound the photon counts of a block by two decoys; intensities on the last axis.

        n-_k = (e^mu_k / p_k) max(lower(n_k), 0),   n+_k = (e^mu_k / p_k) upper(n_k)
        s_0 >= tau_0 (mu2 n-_3 - mu3 n+_2) / (mu2 - mu3)
        s_1 >= tau_1 mu1 [n-_2 - n+_3 - (mu2^2 - mu3^2)/mu1^2 (n+_1 - s_0/tau_0)]
               / (mu1 (mu2 - mu3) - mu2^2 + mu3^2)
        v_1 <= min(max(m, 1), tau_1 (m+_2 - m-_3) / (mu2 - mu3))

    s_0 enters s_1 by its LOWER bound: it raises s_1 only as far as it is proven. No bound
    exceeds the clicks there were. v_1 and its cap are at least one error: a check sample
    without errors, where the deviation of Hoeffding is nought, proves no zero phase error.
    parity reproduces SatQuMA: bounds not clipped, n-_2 in s_0, cap at m itself.

    Source: Lim, Curty, Walenta, Xu and Zbinden, Phys. Rev. A 89, 022307 (2014), equations
    2 (s_0), 3 (s_1), 4 (v_1).
    """
    beta_k = np.asarray(beta, dtype=np.float64)[..., None]
    weight = np.exp(mu) / p
    mu1, mu2, mu3 = mu[..., 0], mu[..., 1], mu[..., 2]
    tau0, tau1 = photon_share(mu, p, 0), photon_share(mu, p, 1)

    # One call for all three lists of counts: small arrays cost as much as large ones.
    lists = np.stack(np.broadcast_arrays(key_clicks, check_clicks, check_errors))
    totals = lists.sum(axis=-1, keepdims=True)
    raw = bounds.lower(family, lists, totals, beta_k)
    low = weight * (raw if parity else np.maximum(raw, 0.0))
    high = weight * bounds.upper(family, lists, totals, beta_k)
    least = SATQUMA_ZERO if parity else 0.0

    other = low if parity else high
    vacuum = tau0 * (mu2 * low[:2, ..., 2] - mu3 * other[:2, ..., 1]) / (mu2 - mu3)
    vacuum = np.maximum(vacuum, least)
    bracket = (
        low[:2, ..., 1]
        - high[:2, ..., 2]
        - (mu2**2 - mu3**2) / mu1**2 * (high[:2, ..., 0] - vacuum / tau0)
    )
    single = np.maximum(tau1 * mu1 * bracket / ((mu2 - mu3) * (mu1 - mu2 - mu3)), least)
    if not parity:
        vacuum, single = _at_most(vacuum, single, totals[:2, ..., 0])
    errors = tau1 * (high[2, ..., 1] - low[2, ..., 2]) / (mu2 - mu3)
    seen = totals[2, ..., 0]
    fewest = 0.0 if parity or family == "asymptotic" else 1.0
    cap = seen if parity else np.maximum(seen, 1.0)
    return PhotonCounts(
        vacuum=vacuum[0],
        single=single[0],
        check_single=single[1],
        check_errors=np.minimum(cap, np.maximum(errors, fewest)),
    )


def one_decoy(
    key_clicks: FloatArray,
    key_errors: FloatArray,
    check_clicks: FloatArray,
    check_errors: FloatArray,
    mu: FloatArray,
    p: FloatArray,
    *,
    family: str,
    beta: FloatArray | float,
) -> PhotonCounts:
    """Bound the photon counts of a block by one decoy; two intensities on the last axis.

    Every raw bound is clipped to 0..n_total (of its own list) before the factor e^mu/p.

        s_0- = tau_0 (mu1 n-_2 - mu2 n+_1) / (mu1 - mu2)
        s_0+ = min_k 2 (tau_0 m+_k + sqrt(n_tot beta / 2)), at most n_tot
        s_1  = tau_1 mu1 / (mu2 (mu1 - mu2))
               [n-_2 - mu2^2/mu1^2 n+_1 - (mu1^2 - mu2^2)/mu1^2 s_0+/tau_0]
        v_1  = tau_1 (m+_1 - m-_2) / (mu1 - mu2)

    The paper names the bases the other way round (its Z is our key basis X). Errors are
    needed in BOTH bases: they bound the vacuum from above.

    Source: Rusca, Boaron, Grunenfelder, Martin and Zbinden, Appl. Phys. Lett. 112, 171104
    (2018), appendix, with K = 19.
    """
    b = np.asarray(beta, dtype=np.float64)
    weight = np.exp(mu) / p
    mu1, mu2 = mu[..., 0], mu[..., 1]
    tau0, tau1 = photon_share(mu, p, 0), photon_share(mu, p, 1)

    def scaled(n: FloatArray) -> tuple[FloatArray, FloatArray]:
        total = n.sum(axis=-1, keepdims=True)
        low = np.clip(bounds.lower(family, n, total, b[..., None]), 0.0, total)
        high = np.clip(bounds.upper(family, n, total, b[..., None]), 0.0, total)
        return weight * low, weight * high

    deviation = 0.0 if family == "asymptotic" else 1.0

    def photons(n: FloatArray, m: FloatArray) -> tuple[FloatArray, FloatArray]:
        total = n.sum(axis=-1)
        low, high = scaled(n)
        vacuum = np.maximum(tau0 * (mu1 * low[..., 1] - mu2 * high[..., 0]) / (mu1 - mu2), 0.0)
        spread = deviation * np.sqrt(total * b / 2.0)
        most = np.min(2.0 * (tau0[..., None] * scaled(m)[1] + spread[..., None]), axis=-1)
        most = np.minimum(most, total)
        bracket = (
            low[..., 1] - (mu2 / mu1) ** 2 * high[..., 0] - (mu1**2 - mu2**2) / mu1**2 * most / tau0
        )
        single = np.maximum(tau1 * mu1 / (mu2 * (mu1 - mu2)) * bracket, 0.0)
        return _at_most(vacuum, single, total)

    vacuum, single = photons(key_clicks, key_errors)
    _, check_single = photons(check_clicks, check_errors)
    low, high = scaled(check_errors)
    # As with two decoys, no errors seen are not no errors.
    errors = np.maximum(tau1 * (high[..., 0] - low[..., 1]) / (mu1 - mu2), deviation)
    return PhotonCounts(
        vacuum=vacuum, single=single, check_single=check_single, check_errors=errors
    )
