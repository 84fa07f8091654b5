"""Clicks that no signal photon made: sky, Moon, stray light and dark counts."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray
from qkd.errors import QkdInputError
from qkd.freespace.budget import SPEED_OF_LIGHT_M_S, optical_site
from qkd.hardware import OpticalSite, Receiver, Terminal
from qkd.ports import Site, Track
from qkd.sky import ground_radiance, sky_radiance

PLANCK_J_S = 6.626_070_15e-34

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
        raise QkdInputError(
            f"{name} has shape {seen.shape}, allowed that of elevation_deg {shape}"
        ) from None


@checks.takes(track=("elevation_deg",), terminal=Terminal, receiver=Receiver, site=("height_m",))
def background(track: Track, terminal: Terminal, receiver: Receiver, site: Site) -> Background:
    """Return the background at every sample of a track.

    A track without `sun_elevation_deg` is taken to be dark, moonless and unlit, one without
    `moon_separation_deg` to look a right angle away from the Moon. A receiver
    whose sky view is unknown gets no sky clicks in darkness and a saturated background
    while the Sun stands above -6 degrees: no key, rather than a daylight key by ignorance.
    An uplink's receiver looks down: on the ground at night, lit by the Moon and by towns. It
    works while the Sun stands below -6 degrees there and the satellite is in eclipse (not in
    sunlight, penumbra counting as such); else its background is saturated, too.

    Raises QkdInputError if an array of the light has another shape than the track, or
    holds what no angle is (NaN is no darkness).
    """
    ground = optical_site(site)
    shape = checks.as_floats("elevation_deg", track.elevation_deg).shape
    sun = _light(track, "sun_elevation_deg", -90.0, 90.0, absent=-90.0, shape=shape)
    sunlit = _light(track, "satellite_sunlit", 0.0, 1.0, absent=0.0, shape=shape) > 0.0
    dark = np.full(shape, receiver.detector.count * receiver.detector.dark_rate_hz)
    stray = np.where(sunlit, receiver.stray_rate_hz, 0.0)
    bright = sun > DARKNESS_SUN_ELEVATION_DEG
    upward = terminal.direction == "uplink"
    if receiver.sky is None or upward:
        sky = np.where(bright | (sunlit & upward), np.inf, 0.0)
    else:
        sky = np.zeros(shape)
    if receiver.sky is not None:
        sky = sky + _seen_rate_hz(_radiance(track, sun, terminal, ground), terminal, receiver)
    gate_ns = receiver.detector.gate_ns
    return Background(
        sky_hz=sky,
        stray_hz=stray,
        dark_hz=dark,
        per_gate=noise_yield(sky + stray + dark, gate_ns=gate_ns),
        dark_per_gate=noise_yield(dark, gate_ns=gate_ns),
    )


def _radiance(
    track: Track, sun_deg: FloatArray, terminal: Terminal, site: OpticalSite
) -> FloatArray:
    """The radiance of what lies behind the sender: the sky, or for an uplink the ground."""
    shape = sun_deg.shape
    moon = {
        "moon_elevation_deg": _light(
            track, "moon_elevation_deg", -90.0, 90.0, absent=-90.0, shape=shape
        ),
        "moon_phase_deg": _light(track, "moon_phase_deg", -180.0, 180.0, absent=180.0, shape=shape),
    }
    if terminal.direction == "uplink":
        return ground_radiance(
            **moon, wavelength_nm=terminal.wavelength_nm, sky_brightness=site.sky_brightness
        )
    return sky_radiance(
        sun_deg,
        **moon,
        moon_separation_deg=_light(
            track, "moon_separation_deg", 0.0, 180.0, absent=90.0, shape=shape
        ),
        wavelength_nm=terminal.wavelength_nm,
        sky_brightness=site.sky_brightness,
    )


def _seen_rate_hz(radiance: FloatArray, terminal: Terminal, receiver: Receiver) -> FloatArray:
    assert receiver.sky is not None
    return sky_rate_hz(
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
