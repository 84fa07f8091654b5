"""Mean loss by imperfect pointing of the sent beam."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """How far the beam's axis wanders from the receiver.

    jitter_urad is the rms PER AXIS (a radial rms is sqrt(2) times that), bias_urad the
    constant offset; loss_db is a published mean pointing loss to apply as it stands.
    """

    jitter_urad: float = 0.0
    bias_urad: float = 0.0
    loss_db: float = 0.0

    def __post_init__(self) -> None:
        checks.number("jitter_urad", self.jitter_urad, 0.0, unit="urad")
        checks.number("bias_urad", self.bias_urad, 0.0, unit="urad")
        checks.number("loss_db", self.loss_db, 0.0, unit="dB")


def mean_pointing(
    spot_m: FloatArray,
    range_m: FloatArray,
    pointing: Pointing,
    *,
    receiver_radius_m: float,
    receiver_obscuration_m: float = 0.0,
) -> FloatArray:
    """Return the MEAN transmittance of pointing, relative to the perfectly pointed beam.

    A Gaussian spot w smeared by a Gaussian wander of sigma per axis is again a Gaussian
    spot, W^2 = w^2 + 4 sigma^2 L^2, so the mean is exact for any receiver:
    (1 - exp(-2 aR^2/W^2)) / (1 - exp(-2 aR^2/w^2)), times exp(-2 b^2 L^2/W^2) for a bias b
    (receiver small against the spot); never above 1, though a wandering beam may escape an
    obscuration that hides the steady one. exp(-8 sigma^2/theta^2), often quoted, is the value
    AT one sigma, not the mean.

    Source: the convolution of two Gaussians; compare Toyoshima et al., J. Opt. Soc. Am. A
    19, 567 (2002).
    """
    smeared = spot_m**2 + 4.0 * (pointing.jitter_urad * 1e-6 * range_m) ** 2

    def collected(square: FloatArray) -> FloatArray:
        outer = np.expm1(-2.0 * receiver_radius_m**2 / square)
        return np.asarray(np.expm1(-2.0 * receiver_obscuration_m**2 / square) - outer)

    bias = np.exp(-2.0 * (pointing.bias_urad * 1e-6 * range_m) ** 2 / smeared)
    fixed = 10.0 ** (-pointing.loss_db / 10.0)
    steady = collected(spot_m**2)
    # A spot that falls wholly into the obscuration gives no light to lose.
    some = steady > 1e-200
    ratio = np.divide(collected(smeared), steady, out=np.ones_like(steady), where=some)
    return np.asarray(fixed * bias * np.minimum(ratio, 1.0))


def pointing_fade_density(
    fraction: ArrayLike, *, spot_m: float, range_m: float, jitter_urad: float
) -> FloatArray:
    """Return the density of the instantaneous power, as a fraction of the on-axis power.

    p(I) = zeta I^(zeta - 1) on 0..1 with zeta = w^2 / (4 sigma^2 L^2): for fades, never for
    mean counts. Source: Kiasaleh, Opt. Eng. 33, 3748 (1994).
    """
    checks.number("jitter_urad", jitter_urad, 0.0, unit="urad", above=True)
    share = checks.array("fraction", fraction, 0.0, 1.0)
    zeta = spot_m**2 / (4.0 * (jitter_urad * 1e-6 * range_m) ** 2)
    positive = np.maximum(share, np.finfo(np.float64).tiny)
    return np.asarray(zeta * positive ** (zeta - 1.0))
