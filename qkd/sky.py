"""How bright the sky is, and the ground at night: Sun, Moon, wavelength, light pollution."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray

#: Sky radiance at 850 nm by Sun elevation, W m^-2 sr^-1 nm^-1, interpolated in its logarithm.
#: Engineering values; the moonless floor is the 1.5e-5 W m^-2 sr^-1 um^-1 of Er-long et al.,
#: New J. Phys. 7, 215 (2005).
SUN_ELEVATIONS_DEG = (-18.0, -12.0, -6.0, 0.0, 10.0)
SUN_RADIANCES = (1.5e-8, 3e-8, 6e-6, 7e-4, 2.5e-2)
NIGHT_FLOOR = SUN_RADIANCES[0]
#: Radiance at 850 nm added by a full Moon at the zenith, a right angle away; engineering value.
FULL_MOON = 1.5e-6
#: Wavelength of the tables above.
REFERENCE_NM = 850.0
#: Temperature of the Sun's spectrum, K, and h c / k, nm K.
SUN_K, SECOND_RADIATION_NM_K = 5772.0, 1.438_776_877e7
#: Angular radius of the Sun at one astronomical unit, rad (IAU 2015 nominal solar radius).
SUN_RADIUS_RAD = 695_700.0 / 149_597_870.7
#: Radius over distance of the Moon, and its geometric albedo (Allen's Astrophysical Quantities).
MOON_RADIUS_RAD, MOON_ALBEDO = 1_737.4 / 384_400.0, 0.12
#: Share of the light from above that the ground sends back, as Bonato et al. take it.
EARTH_ALBEDO = 0.3
#: Half a degree wide is the Moon: nearer than its edge the line of sight ends in it.
MOON_RADIUS_DEG = 0.26


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyCondition:
    """Where Sun and Moon stand, in words and in angles, degrees; phase 0 is a full Moon."""

    name: str
    sun_elevation_deg: float
    moon_elevation_deg: float = -90.0
    moon_phase_deg: float = 180.0
    moon_separation_deg: float = 90.0

    def __post_init__(self) -> None:
        checks.number("sun_elevation_deg", self.sun_elevation_deg, -90.0, 90.0, unit="deg")
        checks.number("moon_elevation_deg", self.moon_elevation_deg, -90.0, 90.0, unit="deg")
        checks.number("moon_phase_deg", self.moon_phase_deg, -180.0, 180.0, unit="deg")
        checks.number("moon_separation_deg", self.moon_separation_deg, 0.0, 180.0, unit="deg")

    def light(self, samples: int) -> dict[str, FloatArray]:
        """Return the condition as the light of a track of so many samples."""
        count = checks.whole("samples", samples, 0, 100_000_000)
        names = (
            "sun_elevation_deg",
            "moon_elevation_deg",
            "moon_phase_deg",
            "moon_separation_deg",
        )
        return {name: np.full(count, getattr(self, name)) for name in names}


#: The conditions that forecasts of one pass are compared in.
CONDITIONS = (
    SkyCondition(name="night, no Moon", sun_elevation_deg=-30.0),
    SkyCondition(
        name="night, half Moon",
        sun_elevation_deg=-30.0,
        moon_elevation_deg=45.0,
        moon_phase_deg=90.0,
    ),
    SkyCondition(
        name="night, full Moon",
        sun_elevation_deg=-30.0,
        moon_elevation_deg=45.0,
        moon_phase_deg=0.0,
    ),
    SkyCondition(
        name="night, full Moon at 15 deg",
        sun_elevation_deg=-30.0,
        moon_elevation_deg=45.0,
        moon_phase_deg=0.0,
        moon_separation_deg=15.0,
    ),
    SkyCondition(name="nautical twilight, Sun at -9 deg", sun_elevation_deg=-9.0),
    SkyCondition(name="civil twilight, Sun at -3 deg", sun_elevation_deg=-3.0),
    SkyCondition(name="day, Sun at 10 deg", sun_elevation_deg=10.0),
)


def scattered_colour(wavelength_nm: float) -> float:
    """Return scattered sunlight's spectral radiance relative to that at 850 nm.

    The Sun's spectrum, a black body of 5772 K, times what clear air scatters of it: Rayleigh
    0.0088 (lambda/um)^-4.05 and aerosol 0.12 (lambda/0.55 um)^-1.3, as in
    `standard_atmosphere`. Single scattering; near the blue it gives too much.
    """
    checks.number("wavelength_nm", wavelength_nm, 300.0, 2500.0, unit="nm")

    def radiance(nm: float) -> float:
        spectrum = nm**-5.0 / math.expm1(SECOND_RADIATION_NM_K / (nm * SUN_K))
        scattered = 0.0088 * (nm / 1000.0) ** -4.05 + 0.12 * (nm / 550.0) ** -1.3
        return float(spectrum * scattered)

    return radiance(wavelength_nm) / radiance(REFERENCE_NM)


def moonlight_by_angle(separation_deg: ArrayLike) -> FloatArray:
    """Return how much more the Moon lights the sky at an angle from it than at 90 degrees.

    f = 10^5.36 (1.06 + cos^2 rho) + 10^(6.15 - rho/40), and nearer than 10 degrees
    6.2e7 rho^-2 for its last term; at the Moon's edge and within, that of its edge.

    Source: Krisciunas and Schaefer, PASP 103, 1033 (1991), equations 18, 19 and 21.
    """
    rho = checks.array("moon_separation_deg", separation_deg, 0.0, 180.0, unit="deg")
    rho = np.maximum(rho, MOON_RADIUS_DEG)

    def scattered(angle: FloatArray) -> FloatArray:
        rayleigh = 10.0**5.36 * (1.06 + np.cos(np.radians(angle)) ** 2)
        far = 10.0 ** (6.15 - angle / 40.0)
        return np.asarray(rayleigh + np.where(angle < 10.0, 6.2e7 / angle**2, far))

    return np.asarray(scattered(rho) / scattered(np.array(90.0)))


def sky_radiance(
    sun_elevation_deg: ArrayLike,
    *,
    moon_elevation_deg: ArrayLike = -90.0,
    moon_phase_deg: ArrayLike = 180.0,
    moon_separation_deg: ArrayLike = 90.0,
    wavelength_nm: float = REFERENCE_NM,
    sky_brightness: float = 22.0,
) -> FloatArray:
    """Return the clear sky's spectral radiance, W m^-2 sr^-1 nm^-1.

    Sun: log-linear table by its elevation, whatever the direction looked in. Moon: 1.5e-6
    sin(elevation) 10^(-0.4 (0.026 |a| + 4e-9 a^4)) with the phase angle a in degrees, 0 at
    full Moon, times `moonlight_by_angle`. Sun and Moon above the night's floor change with
    the wavelength as scattered sunlight does; the floor, airglow and stars, is taken as even.
    Light pollution: the floor times 10^(0.4 (22 - sky_brightness)), and nothing else.

    Source: Moon's phase law Krisciunas and Schaefer, PASP 103, 1033 (1991), equation 20.
    """
    sun = checks.array("sun_elevation_deg", sun_elevation_deg, -90.0, 90.0, unit="deg")
    height = checks.array("moon_elevation_deg", moon_elevation_deg, -90.0, 90.0, unit="deg")
    checks.number("sky_brightness", sky_brightness, 10.0, 23.0, unit="mag/arcsec2")
    colour = scattered_colour(wavelength_nm)
    daylight = 10.0 ** np.interp(sun, SUN_ELEVATIONS_DEG, np.log10(SUN_RADIANCES)) - NIGHT_FLOOR
    moonlight = FULL_MOON * np.maximum(np.sin(np.radians(height)), 0.0)
    moonlight = moonlight * moon_phase_factor(moon_phase_deg)
    moonlight = moonlight * moonlight_by_angle(moon_separation_deg)
    floor = NIGHT_FLOOR * 10.0 ** (0.4 * (22.0 - sky_brightness))
    return np.asarray(floor + colour * (np.maximum(daylight, 0.0) + moonlight))


def moon_phase_factor(moon_phase_deg: ArrayLike) -> FloatArray:
    """Return moonlight relative to that of a full Moon, by the phase angle in degrees.

    Source: Krisciunas and Schaefer, PASP 103, 1033 (1991), equation 20.
    """
    phase = np.abs(checks.array("moon_phase_deg", moon_phase_deg, -180.0, 180.0, unit="deg"))
    return np.asarray(10.0 ** (-0.4 * (0.026 * phase + 4e-9 * phase**4)))


def sunlight(wavelength_nm: float) -> float:
    """Return the Sun's spectral irradiance above the air, W m^-2 nm^-1: a black body of 5772 K."""
    checks.number("wavelength_nm", wavelength_nm, 300.0, 2500.0, unit="nm")
    # 2 pi h c^2 / lambda^5 of a metre of wavelength, made one of a nanometre.
    exitance = 3.741_771_85e-16 / (wavelength_nm * 1e-9) ** 5 * 1e-9
    share = math.expm1(SECOND_RADIATION_NM_K / (wavelength_nm * SUN_K))
    return exitance / share * SUN_RADIUS_RAD**2


def ground_radiance(
    *,
    moon_elevation_deg: ArrayLike = -90.0,
    moon_phase_deg: ArrayLike = 180.0,
    wavelength_nm: float = REFERENCE_NM,
    sky_brightness: float = 22.0,
) -> FloatArray:
    """Return the spectral radiance of the ground at night, from above, W m^-2 sr^-1 nm^-1.

        L = a_E / pi x a_M (R_M / d_M)^2 x E_sun x sin(elevation) x phase, and a floor

    The ground is taken as white paper of albedo 0.3, without the air between. The floor is
    assumed: that of the moonless sky, times 10^(0.4 (22 - sky_brightness)) for light of towns.

    Source: moonlit ground as a background Bonato et al., New J. Phys. 11, 045017 (2009); used
    for an uplink by Bourgoin et al., New J. Phys. 15, 023006 (2013).
    """
    height = checks.array("moon_elevation_deg", moon_elevation_deg, -90.0, 90.0, unit="deg")
    checks.number("sky_brightness", sky_brightness, 10.0, 23.0, unit="mag/arcsec2")
    full = MOON_ALBEDO * MOON_RADIUS_RAD**2 * sunlight(wavelength_nm)
    moonlight = full * np.maximum(np.sin(np.radians(height)), 0.0)
    floor = NIGHT_FLOOR * 10.0 ** (0.4 * (22.0 - sky_brightness))
    lit = EARTH_ALBEDO / math.pi * moonlight * moon_phase_factor(moon_phase_deg)
    return np.asarray(floor + lit)
