"""Secret key rate of infinitely long blocks, weak decoy plus vacuum."""

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray
from qkd.decoy import click_and_error_probability
from qkd.finite_key.leak import binary_entropy


def gllp_rate(
    transmittance: ArrayLike,
    *,
    signal_photons: float,
    decoy_photons: float,
    background_per_gate: ArrayLike,
    misalignment: float,
    error_correction: float = 1.16,
    sifting: float = 0.5,
) -> FloatArray:
    """Return the asymptotic secret bits per SIGNAL pulse, weak decoy plus vacuum.

        Y1 = mu/(mu nu - nu^2) [Q_nu e^nu - Q_mu e^mu nu^2/mu^2 - (mu^2-nu^2)/mu^2 Y0]
        e1 = (E_nu Q_nu e^nu - Y0/2) / (Y1 nu);   Q1 = Y1 mu e^-mu
        R = q { -f Q_mu h(E_mu) + Q1 [1 - h(e1)] }, 0 where negative or Y1 <= 0

    Times the signal's probability and the pulse rate it is bit/s. Not the same number as
    `secret_key(bound="asymptotic")`, which keeps every intensity.

    Source: Ma, Qi, Zhao and Lo, Phys. Rev. A 72, 012326 (2005), equations 1, 34 and 37.
    """
    mu = checks.number("signal_photons", signal_photons, 0.0, 20.0, above=True)
    nu = checks.number("decoy_photons", decoy_photons, 0.0, mu * (1.0 - 1e-9), above=True)
    checks.number("error_correction", error_correction, 1.0, 10.0)
    checks.number("sifting", sifting, 0.0, 1.0)
    eta, y0 = checks.broadcast(
        transmittance=checks.array("transmittance", transmittance, 0.0),
        background_per_gate=checks.array("background_per_gate", background_per_gate, 0.0, 1.0),
    )
    gain_mu, wrong_mu = click_and_error_probability(
        eta, mean_photons=mu, background_per_gate=y0, misalignment=misalignment
    )
    gain_nu, wrong_nu = click_and_error_probability(
        eta, mean_photons=nu, background_per_gate=y0, misalignment=misalignment
    )
    square = (nu / mu) ** 2
    bracket = gain_nu * np.exp(nu) - gain_mu * np.exp(mu) * square - (1.0 - square) * y0
    y1 = np.asarray(mu / (mu * nu - nu * nu) * bracket)
    good = y1 > 0.0
    e1 = np.divide(wrong_nu * np.exp(nu) - y0 / 2.0, y1 * nu, out=np.full_like(y1, 0.5), where=good)
    qber = np.divide(wrong_mu, gain_mu, out=np.full_like(y1, 0.5), where=gain_mu > 0.0)
    single = np.where(good, y1, 0.0) * mu * np.exp(-mu)
    rate = -error_correction * gain_mu * binary_entropy(qber) + single * (
        1.0 - binary_entropy(np.clip(e1, 0.0, 0.5))
    )
    return np.asarray(sifting * np.maximum(rate, 0.0))
