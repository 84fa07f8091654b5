"""How a beam spreads, and how much of it a telescope gets: divergence, diffraction, pointing."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev
from numpy.typing import ArrayLike
from scipy.special import j0

from qkd import checks
from qkd.checks import FloatArray

#: First dark ring of a uniformly lit circular aperture, in units of lambda / D.
AIRY_FIRST_ZERO = 1.2196698912665045


@dataclass(frozen=True, slots=True, kw_only=True)
class TelescopeBeam:
    """A Gaussian cut by the edge and the central obscuration of the sending telescope.

    waist_radius_m is the 1/e^2 intensity radius at the aperture. Far field only.
    """

    waist_radius_m: float
    aperture_radius_m: float
    obscuration_radius_m: float = 0.0

    def __post_init__(self) -> None:
        checks.number("waist_radius_m", self.waist_radius_m, 0.0, unit="m", above=True)
        checks.number("aperture_radius_m", self.aperture_radius_m, 0.0, unit="m", above=True)
        checks.number(
            "obscuration_radius_m",
            self.obscuration_radius_m,
            0.0,
            math.nextafter(self.aperture_radius_m, 0.0),
            unit="m",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FarFieldBeam:
    """A Gaussian beam known by its far-field divergence.

    half_angle_urad is the 1/e^2 intensity HALF angle. The class methods take the other
    conventions found in papers; they differ by up to a factor of four in angle, 12 dB in loss.
    """

    half_angle_urad: float
    waist_radius_m: float = 0.0

    def __post_init__(self) -> None:
        checks.number("half_angle_urad", self.half_angle_urad, 0.0, unit="urad", above=True)
        checks.number("waist_radius_m", self.waist_radius_m, 0.0, unit="m")

    @classmethod
    def from_full_angle_urad(cls, full_angle_urad: float, *, waist_radius_m: float = 0.0) -> Self:
        """Build from the 1/e^2 intensity FULL angle, twice the half angle."""
        checks.number("full_angle_urad", full_angle_urad, 0.0, unit="urad", above=True)
        return cls(half_angle_urad=full_angle_urad / 2.0, waist_radius_m=waist_radius_m)

    @classmethod
    def from_fwhm_urad(cls, fwhm_urad: float, *, waist_radius_m: float = 0.0) -> Self:
        """Build from the full width at half maximum: FWHM = sqrt(2 ln 2) x half angle."""
        checks.number("fwhm_urad", fwhm_urad, 0.0, unit="urad", above=True)
        half = fwhm_urad / math.sqrt(2.0 * math.log(2.0))
        return cls(half_angle_urad=half, waist_radius_m=waist_radius_m)

    @classmethod
    def from_first_dark_ring_urad(cls, ring_urad: float) -> Self:
        """Build from the angle 1.22 lambda/D of a uniformly lit aperture's first dark ring.

        The Gaussian has the same irradiance on the axis, which is what a small receiver
        sees: half angle = (2 sqrt(2) / pi) lambda/D = 0.900 lambda/D.
        """
        checks.number("ring_urad", ring_urad, 0.0, unit="urad", above=True)
        return cls(half_angle_urad=2.0 * math.sqrt(2.0) / math.pi * ring_urad / AIRY_FIRST_ZERO)

    @classmethod
    def from_waist_diameter_m(cls, waist_diameter_m: float, *, wavelength_nm: float) -> Self:
        """Build from an untruncated waist of 1/e^2 DIAMETER D: half angle 2 lambda/(pi D)."""
        checks.number("waist_diameter_m", waist_diameter_m, 0.0, unit="m", above=True)
        checks.number("wavelength_nm", wavelength_nm, 300.0, 2500.0, unit="nm")
        half = 2.0 * wavelength_nm * 1e-9 / (math.pi * waist_diameter_m)
        return cls(half_angle_urad=half * 1e6, waist_radius_m=waist_diameter_m / 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchoredBeam:
    """A beam known by one published diffraction loss into one receiver at one range.

    Loss grows as 20 log10(range) and falls with the receiver's area. Nearer than the
    range at which that would exceed unity the formula has no meaning.
    """

    loss_db: float
    range_km: float
    receiver_diameter_m: float

    def __post_init__(self) -> None:
        checks.number("loss_db", self.loss_db, 0.0, unit="dB")
        checks.number("range_km", self.range_km, 0.0, unit="km", above=True)
        checks.number("receiver_diameter_m", self.receiver_diameter_m, 0.0, unit="m", above=True)


Beam = TelescopeBeam | FarFieldBeam | AnchoredBeam


_NODES_SENT, _NODES_RECEIVED = 96, 48
#: Beyond this J0 argument the whole beam lies inside the receiver, far-field formula or not.
_ARGUMENT_MAX = 60.0
_TABLE_DEGREE = 40


@lru_cache(maxsize=8)
def _gauss_legendre(count: int) -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights


def _quadrature(count: int, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    nodes, weights = _gauss_legendre(count)
    half = (high - low) / 2.0
    return low + half * (nodes + 1.0), half * weights


def truncated_gaussian(
    range_m: ArrayLike,
    beam: TelescopeBeam,
    *,
    wavelength_m: float,
    receiver_radius_m: float,
    receiver_obscuration_m: float = 0.0,
) -> FloatArray:
    """Return the collected fraction of a truncated, obscured Gaussian beam in the far field.

        U(q, L) = int_bT^aT r exp(-r^2/w0^2) J0(k q r / L) dr
        eta = (k/L)^2 int_bR^aR q U^2 dq / int_bT^aT r exp(-2 r^2/w0^2) dr

    Relative to the power that LEAVES the aperture, because decoy intensities are defined
    there: the power lost at the aperture's edge is no part of it. More than 64 samples
    are interpolated from a Chebyshev table in 1/L^2.

    Parameters
    ----------
    range_m : array, m, > 0
    wavelength_m, receiver_radius_m, receiver_obscuration_m : float, m (radii, not diameters)

    Source: Born and Wolf, Principles of Optics, section 8.5 (Fraunhofer diffraction at a
    circular aperture), with Gaussian illumination; the figures are those of SatQuMA's channel.
    """
    wavenumber = 2.0 * np.pi / wavelength_m
    shortest = wavenumber * receiver_radius_m * beam.aperture_radius_m / _ARGUMENT_MAX
    ranges = np.maximum(np.asarray(range_m, dtype=np.float64), shortest)

    def fraction(inverse_square: FloatArray) -> FloatArray:
        distance = 1.0 / np.sqrt(inverse_square)
        r, r_weight = _quadrature(_NODES_SENT, beam.obscuration_radius_m, beam.aperture_radius_m)
        q, q_weight = _quadrature(_NODES_RECEIVED, receiver_obscuration_m, receiver_radius_m)
        field = r_weight * r * np.exp(-((r / beam.waist_radius_m) ** 2))
        sent = np.sum(r_weight * r * np.exp(-2.0 * (r / beam.waist_radius_m) ** 2))
        argument = (wavenumber / distance)[..., None, None] * np.multiply.outer(q, r)
        u = j0(argument) @ field
        collected = (u * u) @ (q_weight * q)
        return np.asarray((wavenumber / distance) ** 2 * collected / sent)

    x = 1.0 / ranges**2
    low, high = float(x.min(initial=np.inf)), float(x.max(initial=0.0))
    if x.size <= 64 or high - low <= 1e-9 * high:
        return np.minimum(fraction(x), 1.0)
    table = Chebyshev.interpolate(lambda v: fraction(v) / v, _TABLE_DEGREE, domain=[low, high])
    return np.minimum(table(x) * x, 1.0)


def spot_radius_m(range_m: FloatArray, beam: Beam, *, wavelength_m: float) -> FloatArray:
    """Return the 1/e^2 radius of the Gaussian with the same irradiance on the axis.

    For a truncated beam w^2 = (2/pi) x power / on-axis irradiance; for an anchored one the
    w that gives the anchor's loss into its small receiver.
    """
    if isinstance(beam, FarFieldBeam):
        return np.hypot(beam.waist_radius_m, beam.half_angle_urad * 1e-6 * range_m)
    if isinstance(beam, AnchoredBeam):
        at_anchor = beam.receiver_diameter_m / np.sqrt(2.0) * 10.0 ** (beam.loss_db / 20.0)
        return np.asarray(at_anchor * range_m / (beam.range_km * 1e3))
    r, weight = _quadrature(_NODES_SENT, beam.obscuration_radius_m, beam.aperture_radius_m)
    on_axis = np.sum(weight * r * np.exp(-((r / beam.waist_radius_m) ** 2)))
    sent = np.sum(weight * r * np.exp(-2.0 * (r / beam.waist_radius_m) ** 2))
    wavenumber = 2.0 * np.pi / wavelength_m
    return np.asarray(2.0 * np.sqrt(sent) * range_m / (wavenumber * on_axis))


def collected_fraction(
    range_km: ArrayLike,
    beam: Beam,
    *,
    wavelength_nm: float,
    receiver_diameter_m: float,
    receiver_obscuration_m: float = 0.0,
) -> FloatArray:
    """Return the diffraction factor of the link, for a perfectly pointed beam.

    A Gaussian spot of radius w on a receiver of radius aR with an obscuration bR gives
    exp(-2 bR^2/w^2) - exp(-2 aR^2/w^2). Only an anchored beam can exceed one, nearer than
    its formula holds; the budget counts such a sample as no link at all.

    Parameters
    ----------
    range_km : array, km, > 0
    receiver_diameter_m, receiver_obscuration_m : float, m, both DIAMETERS
    """
    range_m = checks.array("range_km", range_km, 1e-3, 1e9, unit="km") * 1e3
    outer, inner = receiver_diameter_m / 2.0, receiver_obscuration_m / 2.0
    if isinstance(beam, TelescopeBeam):
        return truncated_gaussian(
            range_m,
            beam,
            wavelength_m=wavelength_nm * 1e-9,
            receiver_radius_m=outer,
            receiver_obscuration_m=inner,
        )
    w2 = spot_radius_m(range_m, beam, wavelength_m=wavelength_nm * 1e-9) ** 2
    if isinstance(beam, AnchoredBeam):
        return np.asarray(2.0 * (outer**2 - inner**2) / w2)
    return collected(w2, outer, inner)


def collected(
    spot_square: FloatArray, receiver_radius_m: float, receiver_obscuration_m: float
) -> FloatArray:
    """Return the share of a Gaussian spot, w^2 in m^2, between two radii about its centre."""
    outer = np.expm1(-2.0 * receiver_radius_m**2 / spot_square)
    return np.asarray(np.expm1(-2.0 * receiver_obscuration_m**2 / spot_square) - outer)


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
    smeared_m: FloatArray | None = None,
) -> FloatArray:
    """Return the MEAN transmittance of pointing, relative to the perfectly pointed beam.

    A Gaussian spot w smeared by a Gaussian wander of sigma per axis is again a Gaussian
    spot, W^2 = w^2 + 4 sigma^2 L^2, so the mean is exact for any receiver:
    (1 - exp(-2 aR^2/W^2)) / (1 - exp(-2 aR^2/w^2)), times exp(-2 b^2 L^2/W^2) for a bias b
    (receiver small against the spot); never above 1, though a wandering beam may escape an
    obscuration that hides the steady one. exp(-8 sigma^2/theta^2), often quoted, is the value
    AT one sigma, not the mean. `smeared_m` is W where the spot that jitter smears is not
    Gaussian, as that of an uplink.

    Source: the convolution of two Gaussians; compare Toyoshima et al., J. Opt. Soc. Am. A
    19, 567 (2002).
    """
    if smeared_m is None:
        smeared_m = np.hypot(spot_m, 2.0 * pointing.jitter_urad * 1e-6 * range_m)
    smeared = smeared_m**2
    radii = receiver_radius_m, receiver_obscuration_m
    bias = np.exp(-2.0 * (pointing.bias_urad * 1e-6 * range_m) ** 2 / smeared)
    fixed = 10.0 ** (-pointing.loss_db / 10.0)
    steady = collected(spot_m**2, *radii)
    # A spot that falls wholly into the obscuration gives no light to lose.
    some = steady > 1e-200
    ratio = np.divide(collected(smeared, *radii), steady, out=np.ones_like(steady), where=some)
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
