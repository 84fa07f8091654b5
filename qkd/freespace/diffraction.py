"""Fraction of the sent power that a receiving telescope collects on average."""

from functools import lru_cache

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev
from numpy.typing import ArrayLike
from scipy.special import j0

from qkd import checks
from qkd.checks import FloatArray
from qkd.freespace.beams import AnchoredBeam, Beam, FarFieldBeam, TelescopeBeam

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
    return np.asarray(-np.expm1(-2.0 * outer**2 / w2) + np.expm1(-2.0 * inner**2 / w2))
