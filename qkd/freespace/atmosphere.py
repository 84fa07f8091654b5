"""What the air does to a beam: attenuation, refraction, turbulence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class HufnagelValley:
    """The Hufnagel-Valley profile of turbulence strength above the ground (HV 5/7 by default).

    Cn2(h) = 0.00594 (v/27)^2 (1e-5 h)^10 e^(-h/1000) + 2.7e-16 e^(-h/1500) + A e^(-h/100),
    h in metres above the GROUND. All formulas here are for a plane wave, a downlink.
    Source: Andrews and Phillips, Laser Beam Propagation through Random Media, 2nd ed. (2005),
    chapter 12 (profile, r0, isoplanatic angle, scintillation of a downlink).
    """

    wind_m_s: float = 21.0
    ground_cn2: float = 1.7e-14

    def __post_init__(self) -> None:
        checks.number("wind_m_s", self.wind_m_s, 0.0, 200.0, unit="m/s")
        checks.number("ground_cn2", self.ground_cn2, 0.0, 1e-10, unit="m^(-2/3)")

    def cn2(self, height_m: ArrayLike) -> FloatArray:
        """Return the refractive-index structure constant, m^(-2/3)."""
        h = checks.array("height_m", height_m, 0.0, 1e6, unit="m")
        high = 0.00594 * (self.wind_m_s / 27.0) ** 2 * (1e-5 * h) ** 10 * np.exp(-h / 1000.0)
        low = 2.7e-16 * np.exp(-h / 1500.0) + self.ground_cn2 * np.exp(-h / 100.0)
        return np.asarray(high + low)

    def moment(self, power: float) -> float:
        """Return the integral of Cn2(h) h^power over all heights, in closed form.

        Every term is h^a e^(-h/H), whose integral is Gamma(a + 1) H^(a + 1).
        """

        checks.number("power", power, 0.0, 10.0)

        def term(exponent: float, scale_m: float) -> float:
            return math.gamma(exponent + 1.0) * math.pow(scale_m, exponent + 1.0)

        high = 0.00594 * (self.wind_m_s / 27.0) ** 2 * 1e-50 * term(10.0 + power, 1000.0)
        return high + 2.7e-16 * term(power, 1500.0) + self.ground_cn2 * term(power, 100.0)

    def fried_m(self, elevation_deg: ArrayLike, *, wavelength_nm: float) -> FloatArray:
        """Return the Fried parameter r0 = [0.423 k^2 sec z int Cn2 dh]^(-3/5), metres."""
        k = _wavenumber(wavelength_nm)
        return np.asarray((0.423 * k**2 * _secant(elevation_deg) * self.moment(0.0)) ** -0.6)

    def isoplanatic_urad(self, elevation_deg: ArrayLike, *, wavelength_nm: float) -> FloatArray:
        """Return theta0 = [2.914 k^2 sec^(8/3) z int Cn2 h^(5/3) dh]^(-3/5), microradians."""
        k = _wavenumber(wavelength_nm)
        path = _secant(elevation_deg) ** (8.0 / 3.0) * self.moment(5.0 / 3.0)
        return np.asarray((2.914 * k**2 * path) ** -0.6 * 1e6)

    def rytov(self, elevation_deg: ArrayLike, *, wavelength_nm: float) -> FloatArray:
        """Return the Rytov variance 2.25 k^(7/6) sec^(11/6) z int Cn2 h^(5/6) dh."""
        k = _wavenumber(wavelength_nm)
        path = _secant(elevation_deg) ** (11.0 / 6.0) * self.moment(5.0 / 6.0)
        return np.asarray(2.25 * k ** (7.0 / 6.0) * path)

    def point_scintillation(self, elevation_deg: ArrayLike, *, wavelength_nm: float) -> FloatArray:
        """Return the scintillation index of a point receiver, weak to strong turbulence."""
        s2 = self.rytov(elevation_deg, wavelength_nm=wavelength_nm)
        s125 = s2**1.2
        large = 0.49 * s2 / (1.0 + 1.11 * s125) ** (7.0 / 6.0)
        small = 0.51 * s2 / (1.0 + 0.69 * s125) ** (5.0 / 6.0)
        return np.asarray(np.expm1(large + small))

    def aperture_scintillation(self, elevation_deg: ArrayLike, *, diameter_m: float) -> FloatArray:
        """Return the aperture-averaged index 17.34 D^(-7/3) sec^3 z int Cn2 h^2 dh.

        Holds for D much wider than sqrt(lambda h); it does not depend on the wavelength.
        """
        checks.number("diameter_m", diameter_m, 0.0, unit="m", above=True)
        path = _secant(elevation_deg) ** 3 * self.moment(2.0)
        return np.asarray(17.34 * diameter_m ** (-7.0 / 3.0) * path)


def _wavenumber(wavelength_nm: float) -> float:
    checks.number("wavelength_nm", wavelength_nm, 300.0, 2500.0, unit="nm")
    return 2.0 * math.pi / (wavelength_nm * 1e-9)


def _secant(elevation_deg: ArrayLike) -> FloatArray:
    """Return sec z of a flat atmosphere, kept finite at the horizon."""
    elevation = checks.array("elevation_deg", elevation_deg, -90.0, 90.0, unit="deg")
    sine = np.sin(np.radians(elevation))
    return np.asarray(1.0 / np.maximum(sine, 1e-3))


def field_stop(
    fried_m: ArrayLike, *, wavelength_nm: float, diameter_m: float, field_of_view_urad: float
) -> FloatArray:
    """Return the share of a seeing-limited image that passes a field stop of full width FOV.

    FWHM^2 = (0.98 lambda/r0)^2 + (1.03 lambda/D)^2; a Gaussian image passes
    1 - 2^-((FOV/FWHM)^2). Engineering value. Source: seeing Fried, J. Opt. Soc. Am. 56,
    1372 (1966).
    """
    wavelength_m = wavelength_nm * 1e-9
    r0 = np.asarray(fried_m, dtype=np.float64)
    fwhm = np.hypot(0.98 * wavelength_m / r0, 1.03 * wavelength_m / diameter_m)
    return np.asarray(-np.expm1(-math.log(2.0) * (field_of_view_urad * 1e-6 / fwhm) ** 2))


def fibre_coupling(fried_m: ArrayLike, *, diameter_m: float) -> FloatArray:
    """Return the mean coupling into a single-mode fibre without adaptive optics.

    0.81 / (1 + (D/r0)^2), an engineering value between the diffraction limit of 0.81 and
    the speckle limit. Source: after Dikmelik and Davidson, Appl. Opt. 44, 4946 (2005).
    """
    r0 = np.asarray(fried_m, dtype=np.float64)
    return np.asarray(0.81 / (1.0 + (diameter_m / r0) ** 2))


def draw_fades(scintillation: ArrayLike, rng: Generator) -> FloatArray:
    """Return one lognormal factor of MEAN ONE per element, for fade statistics.

    I = exp(s x - s^2/2), s^2 = ln(1 + sigma_I^2), independent from one element to the next
    (1 to 10 ms apart). Mean counts carry no such factor: counts are linear in the
    irradiance and turbulence conserves it.
    """
    s2 = np.log1p(checks.array("scintillation", scintillation, 0.0))
    return np.asarray(np.exp(np.sqrt(s2) * rng.standard_normal(s2.shape) - s2 / 2.0))


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
