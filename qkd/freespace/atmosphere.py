"""Transmittance of the clear atmosphere along the line of sight."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray

DB_PER_NEPER = 10.0 / math.log(10.0)


def airmass(elevation_deg: ArrayLike) -> FloatArray:
    """Return the relative optical airmass, 1 at the zenith, 37.9 at the horizon.

    Below the horizon it is infinite. Source: Kasten and Young, Appl. Opt. 28, 4735 (1989),
    with its 1989 coefficients and the elevation in degrees.
    """
    elevation = checks.array("elevation_deg", elevation_deg, -90.0, 90.0, unit="deg")
    seen = np.maximum(elevation, 0.0)
    mass = 1.0 / (np.sin(np.radians(seen)) + 0.50572 * (seen + 6.07995) ** -1.6364)
    return np.where(elevation < 0.0, np.inf, mass)


@dataclass(frozen=True, slots=True, kw_only=True)
class Atmosphere:
    """Clear-sky extinction at one wavelength: exp(-tau_c X - tau_l sqrt(X)), X the airmass.

    continuum_depth is the zenith optical depth of what scatters and absorbs evenly;
    line_depth that of narrow saturated lines (water near 810-835 nm), which grows only as
    the square root of the path; fixed_loss_db a part that knows no airmass.
    """

    continuum_depth: float
    line_depth: float = 0.0
    fixed_loss_db: float = 0.0

    def __post_init__(self) -> None:
        checks.number("continuum_depth", self.continuum_depth, 0.0)
        checks.number("line_depth", self.line_depth, 0.0)
        checks.number("fixed_loss_db", self.fixed_loss_db, 0.0, unit="dB")

    @classmethod
    def from_slant_loss_db(cls, loss_db: float, *, elevation_deg: float) -> Self:
        """Build from one loss published at one elevation, growing in proportion to airmass."""
        checks.number("loss_db", loss_db, 0.0, unit="dB")
        checks.number("elevation_deg", elevation_deg, 0.0, 90.0, unit="deg")
        depth = loss_db / DB_PER_NEPER / float(airmass(elevation_deg))
        return cls(continuum_depth=depth)

    def transmittance(self, elevation_deg: ArrayLike) -> FloatArray:
        """Return the transmittance at each elevation, 0 below the horizon."""
        mass = airmass(elevation_deg)
        fixed = 10.0 ** (-self.fixed_loss_db / 10.0)
        # A depth of zero times an infinite airmass is no number; below the horizon is dark.
        finite = np.where(np.isfinite(mass), mass, 0.0)
        clear = fixed * np.exp(-self.continuum_depth * finite - self.line_depth * np.sqrt(finite))
        return np.where(np.isfinite(mass), clear, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TabulatedAtmosphere:
    """Transmittance tabulated by elevation, for a radiative-transfer run of one's own.

    Between the rows the optical depth per airmass is interpolated; beyond them the nearest
    row's is kept.
    """

    elevations_deg: Sequence[float]
    transmittances: Sequence[float]

    def __post_init__(self) -> None:
        rows = checks.array("elevations_deg", self.elevations_deg, 0.0, 90.0, unit="deg")
        values = checks.array("transmittances", self.transmittances, 1e-300, 1.0)
        if rows.ndim != 1 or rows.size == 0 or rows.shape != values.shape:
            checks.number("transmittances, rows", float(values.size), rows.size, rows.size)
        if np.any(np.diff(rows) <= 0.0):
            checks.number("elevations_deg, least step", float(np.diff(rows).min()), 1e-9)

    def transmittance(self, elevation_deg: ArrayLike) -> FloatArray:
        """Return the transmittance at each elevation, 0 below the horizon."""
        rows = np.asarray(self.elevations_deg, dtype=np.float64)
        depth = -np.log(np.asarray(self.transmittances, dtype=np.float64)) / airmass(rows)
        mass = airmass(elevation_deg)
        here = np.interp(np.asarray(elevation_deg, dtype=np.float64), rows, depth)
        finite = np.where(np.isfinite(mass), mass, 0.0)
        return np.where(np.isfinite(mass), np.exp(-here * finite), 0.0)


AtmosphereModel = Atmosphere | TabulatedAtmosphere


def standard_atmosphere(
    wavelength_nm: float,
    *,
    height_m: float,
    aerosol_depth_550: float = 0.12,
    residual_depth: float = 0.0,
) -> Atmosphere:
    """Return clear-sky extinction of a site of which only the height is known.

    Rayleigh 0.0088 (lambda/um)^-4.05 with 8 km scale height, aerosol AOD(550) x
    (lambda/0.55 um)^-1.3 with 1.5 km scale height, and a residual. Engineering values, good
    to a factor 1.5 in the aerosol; a measured or computed table wins.

    Source: Rayleigh depth Bodhaine et al., J. Atmos. Oceanic Technol. 16, 1854 (1999),
    rounded; Angstrom exponent 1.3, continental.
    """
    checks.number("wavelength_nm", wavelength_nm, 300.0, 2500.0, unit="nm")
    checks.number("height_m", height_m, -500.0, 9000.0, unit="m")
    checks.number("aerosol_depth_550", aerosol_depth_550, 0.0, 10.0)
    checks.number("residual_depth", residual_depth, 0.0, 10.0)
    micrometres = wavelength_nm / 1000.0
    rayleigh = 0.0088 * micrometres**-4.05 * math.exp(-height_m / 8000.0)
    aerosol = aerosol_depth_550 * (micrometres / 0.55) ** -1.3 * math.exp(-height_m / 1500.0)
    return Atmosphere(continuum_depth=rayleigh + aerosol + residual_depth)
