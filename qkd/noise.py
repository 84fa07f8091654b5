"""Clicks that no signal photon made: sky, Moon, stray light and dark counts."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray
from qkd.errors import ParameterRangeError
from qkd.freespace.budget import SPEED_OF_LIGHT_M_S, optical_site
from qkd.hardware import Receiver, Terminal
from qkd.ports import Site, Track

PLANCK_J_S = 6.626_070_15e-34

#: Sky radiance at 850 nm by Sun elevation, W m^-2 sr^-1 nm^-1, interpolated in its logarithm.
#: Engineering values; the moonless floor is the 1.5e-5 W m^-2 sr^-1 um^-1 of Er-long et al.,
#: New J. Phys. 7, 215 (2005), who also give the conversion to counts used below.
SUN_ELEVATIONS_DEG = (-18.0, -12.0, -6.0, 0.0, 10.0)
SUN_RADIANCES = (1.5e-8, 3e-8, 6e-6, 7e-4, 2.5e-2)
NIGHT_FLOOR = SUN_RADIANCES[0]
#: Radiance added by a full Moon at the zenith, same unit; engineering value.
FULL_MOON = 1.5e-6
#: A receiver whose sky background is not modelled works only while the Sun is below this.
DARKNESS_SUN_ELEVATION_DEG = -6.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Background:
    """Noise click rates of all active detectors together, and the noise yield per gate."""

    sky_hz: FloatArray
    stray_hz: FloatArray
    dark_hz: FloatArray
    per_gate: FloatArray  #: y0, probability of a noise click in one gate, 0 to 1
    dark_per_gate: FloatArray  #: the part of it that the detectors make in the dark


def sky_radiance(
    sun_elevation_deg: ArrayLike,
    *,
    moon_elevation_deg: ArrayLike = -90.0,
    moon_phase_deg: ArrayLike = 180.0,
    sky_brightness: float = 22.0,
) -> FloatArray:
    """Return the sky's spectral radiance at 850 nm, W m^-2 sr^-1 nm^-1.

    Sun: log-linear table. Moon: 1.5e-6 sin(elevation) 10^(-0.4 (0.026 |a| + 4e-9 a^4)) with
    the phase angle a in degrees, 0 at full Moon. Light pollution: the moonless floor times
    10^(0.4 (22 - sky_brightness)), and nothing else.

    Source: Moon's phase law Krisciunas and Schaefer, PASP 103, 1033 (1991), equation 20.
    """
    sun = np.interp(
        np.asarray(sun_elevation_deg, dtype=np.float64),
        SUN_ELEVATIONS_DEG,
        np.log10(SUN_RADIANCES),
    )
    phase = np.abs(checks.array("moon_phase_deg", moon_phase_deg, -180.0, 180.0, unit="deg"))
    height = np.sin(np.radians(np.asarray(moon_elevation_deg, dtype=np.float64)))
    moon = FULL_MOON * np.maximum(height, 0.0) * 10.0 ** (-0.4 * (0.026 * phase + 4e-9 * phase**4))
    towns = NIGHT_FLOOR * np.expm1(0.4 * math.log(10.0) * (22.0 - sky_brightness))
    return np.asarray(np.maximum(10.0**sun + towns, 0.0) + moon)


def sky_rate_hz(
    radiance: ArrayLike,
    *,
    field_of_view_urad: float,
    diameter_m: float,
    filter_width_nm: float,
    wavelength_nm: float,
    efficiency: float,
    obscuration_m: float = 0.0,
) -> FloatArray:
    """Return sky clicks per second: H Omega A dlambda lambda/(h c) x efficiency.

    Omega = pi/4 FOV^2 of the full field of view; efficiency is receiver optics x filter x
    detector. Neither air nor field stop appears: the radiance is that at the ground.

    Source: Er-long et al., New J. Phys. 7, 215 (2005).
    """
    solid_angle = math.pi / 4.0 * (field_of_view_urad * 1e-6) ** 2
    area = math.pi / 4.0 * (diameter_m**2 - obscuration_m**2)
    photons_per_joule = wavelength_nm * 1e-9 / (PLANCK_J_S * SPEED_OF_LIGHT_M_S)
    per_radiance = solid_angle * area * filter_width_nm * photons_per_joule * efficiency
    return np.asarray(np.asarray(radiance, dtype=np.float64) * per_radiance)


def noise_yield(rate_hz: ArrayLike, *, gate_ns: float) -> FloatArray:
    """Return y0 = 1 - exp(-rate x gate), the noise yield per gate of all detectors together."""
    return np.asarray(-np.expm1(-np.asarray(rate_hz, dtype=np.float64) * gate_ns * 1e-9))


def _light(
    track: Track, name: str, low: float, high: float, *, absent: float, shape: tuple[int, ...]
) -> FloatArray:
    """Return an array of the track's light in the track's shape, `absent` where it has none."""
    seen = checks.array(name, getattr(track, name, absent), low, high)
    try:
        return np.broadcast_to(seen, shape)
    except ValueError:
        raise ParameterRangeError(
            f"{name} has shape {seen.shape}, allowed that of elevation_deg {shape}"
        ) from None


@checks.takes(track=("elevation_deg",), terminal=Terminal, receiver=Receiver, site=("height_m",))
def background(track: Track, terminal: Terminal, receiver: Receiver, site: Site) -> Background:
    """Return the background at every sample of a track.

    A track without `sun_elevation_deg` is taken to be dark, moonless and unlit. A receiver
    whose sky view is unknown gets no sky clicks in darkness and a saturated background
    while the Sun stands above -6 degrees: no key, rather than a daylight key by ignorance.

    Raises ParameterRangeError if an array of the light has another shape than the track, or
    holds what no angle is (NaN is no darkness).
    """
    ground = optical_site(site)
    shape = checks.as_floats("elevation_deg", track.elevation_deg).shape
    sun = _light(track, "sun_elevation_deg", -90.0, 90.0, absent=-90.0, shape=shape)
    sunlit = _light(track, "satellite_sunlit", 0.0, 1.0, absent=0.0, shape=shape) > 0.0
    dark = np.full(shape, receiver.detector.count * receiver.detector.dark_rate_hz)
    stray = np.where(sunlit, receiver.stray_rate_hz, 0.0)
    if receiver.sky is None:
        sky = np.where(sun > DARKNESS_SUN_ELEVATION_DEG, np.inf, 0.0)
    else:
        radiance = sky_radiance(
            sun,
            moon_elevation_deg=_light(
                track, "moon_elevation_deg", -90.0, 90.0, absent=-90.0, shape=shape
            ),
            moon_phase_deg=_light(
                track, "moon_phase_deg", -180.0, 180.0, absent=180.0, shape=shape
            ),
            sky_brightness=ground.sky_brightness,
        )
        sky = sky_rate_hz(
            radiance,
            field_of_view_urad=receiver.sky.field_of_view_urad,
            filter_width_nm=receiver.sky.filter_width_nm,
            diameter_m=receiver.diameter_m,
            obscuration_m=receiver.obscuration_m,
            wavelength_nm=terminal.wavelength_nm,
            efficiency=receiver.optics_transmittance
            * receiver.filter_transmittance
            * receiver.detector.efficiency,
        )
    gate_ns = receiver.detector.gate_ns
    return Background(
        sky_hz=sky,
        stray_hz=stray,
        dark_hz=dark,
        per_gate=noise_yield(sky + stray + dark, gate_ns=gate_ns),
        dark_per_gate=noise_yield(dark, gate_ns=gate_ns),
    )
