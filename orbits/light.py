"""Sun and Moon as seen from a station, twilight, and whether a satellite is in sunlight.

Directions are referred to the mean equator and equinox of date and turned to the Earth by
mean sidereal time; nutation, under 0.005 deg, is left out, as is refraction. Against JPL's
DE421 from 1960 to 2050 (tests) the Sun is good to 0.01 deg and the Moon to 0.03 deg.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from orbits.earth import SHIPPED, EarthTime
from orbits.times import DAY_S, J2000_JD, TT_MINUS_TAI_S

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

AU_KM = 149597870.7  # IAU 2012, Resolution B2
SUN_RADIUS_KM = 695700.0  # IAU 2015, Resolution B3
_EARTH_RADIUS_KM = 6378.137  # WGS84
_POLAR_STRETCH = 1.0 / (1.0 - 1.0 / 298.257223563)  # WGS84

# Meeus, Astronomical Algorithms, 2nd ed., table 47.A: multiples of D, M, M', F; sine of the
# longitude in 1e-6 deg, cosine of the distance in m. Cut where the sum of the rest stays
# under 0.03 deg.
_MOON_LONGITUDE = np.array([
    (0, 0, 1, 0, 6288774, -20905355), (2, 0, -1, 0, 1274027, -3699111),
    (2, 0, 0, 0, 658314, -2955968), (0, 0, 2, 0, 213618, -569925),
    (0, 1, 0, 0, -185116, 48888), (0, 0, 0, 2, -114332, -3149),
    (2, 0, -2, 0, 58793, 246158), (2, -1, -1, 0, 57066, -152138),
    (2, 0, 1, 0, 53322, -170733), (2, -1, 0, 0, 45758, -204586),
    (0, 1, -1, 0, -40923, -129620), (1, 0, 0, 0, -34720, 108743),
    (0, 1, 1, 0, -30383, 104755), (2, 0, 0, -2, 15327, 10321),
    (0, 0, 1, 2, -12528, 0), (0, 0, 1, -2, 10980, 79661),
    (4, 0, -1, 0, 10675, -34782), (0, 0, 3, 0, 10034, -23210),
    (4, 0, -2, 0, 8548, -21636), (2, 1, -1, 0, -7888, 24208),
    (2, 1, 0, 0, -6766, 30824), (1, 0, -1, 0, -5163, -8379),
    (1, 1, 0, 0, 4987, -16675), (2, -1, 1, 0, 4036, -12831),
    (2, 0, 2, 0, 3994, -10445), (4, 0, 0, 0, 3861, -11650),
    (2, 0, -3, 0, 3665, 14403),
], dtype=np.float64)  # fmt: skip
# Table 47.B: sine of the latitude in 1e-6 deg.
_MOON_LATITUDE = np.array([
    (0, 0, 0, 1, 5128122), (0, 0, 1, 1, 280602), (0, 0, 1, -1, 277693),
    (2, 0, 0, -1, 173237), (2, 0, -1, 1, 55413), (2, 0, -1, -1, 46271),
    (2, 0, 0, 1, 32573), (0, 0, 2, 1, 17198), (2, 0, 1, -1, 9266),
    (0, 0, 2, -1, 8822), (2, -1, 0, -1, 8216), (2, 0, -2, -1, 4324),
    (2, 0, 1, 1, 4200), (2, 1, 0, -1, -3359),
], dtype=np.float64)  # fmt: skip
_MOON_DISTANCE_KM = 385000.56  # Meeus, chapter 47


class Twilight(StrEnum):
    """How dark the sky is, by the elevation of the Sun's centre."""

    DAY = "day"  #: Sun at or above -0.833 deg: its upper edge, refracted, is up
    CIVIL = "civil"  #: -6 to -0.833 deg
    NAUTICAL = "nautical"  #: -12 to -6 deg
    ASTRONOMICAL = "astronomical"  #: -18 to -12 deg
    NIGHT = "night"  #: Sun below -18 deg


_TWILIGHT_DEG = np.array([-18.0, -12.0, -6.0, -0.833])
_TWILIGHT_NAMES = np.array(
    [Twilight.NIGHT, Twilight.ASTRONOMICAL, Twilight.NAUTICAL, Twilight.CIVIL, Twilight.DAY]
)


def twilight(sun_elevation_deg: ArrayLike) -> NDArray[np.str_]:
    """Return the name of the twilight at elevations of the Sun in degrees (see Twilight)."""
    elevation = np.asarray(sun_elevation_deg, dtype=np.float64)
    return _TWILIGHT_NAMES[np.searchsorted(_TWILIGHT_DEG, elevation, side="right")]


def sun_position_km(jd: FloatArray, fraction: FloatArray, earth: EarthTime = SHIPPED) -> FloatArray:
    """Return the Sun's Earth-fixed position at split UTC Julian dates, shape (3, N), km.

    Source: Meeus, Astronomical Algorithms, 2nd ed., chapter 25, low accuracy (0.01 deg),
    with aberration.
    """
    t = _centuries(jd, fraction, earth)
    mean_longitude = 280.46646 + (36000.76983 + 0.0003032 * t) * t
    anomaly = np.radians(357.52911 + (35999.05029 - 0.0001537 * t) * t)
    eccentricity = 0.016708634 - (0.000042037 + 0.0000001267 * t) * t
    centre = (
        (1.914602 - (0.004817 + 0.000014 * t) * t) * np.sin(anomaly)
        + (0.019993 - 0.000101 * t) * np.sin(2.0 * anomaly)
        + 0.000289 * np.sin(3.0 * anomaly)
    )
    true_anomaly = anomaly + np.radians(centre)
    distance = 1.000001018 * (1.0 - eccentricity**2) / (1.0 + eccentricity * np.cos(true_anomaly))
    longitude = np.radians(mean_longitude + centre - 0.00569)
    return _earth_fixed(longitude, np.zeros_like(t), distance * AU_KM, t, jd, fraction, earth)


def moon_position_km(
    jd: FloatArray, fraction: FloatArray, earth: EarthTime = SHIPPED
) -> FloatArray:
    """Return the Moon's Earth-fixed position at split UTC Julian dates, shape (3, N), km.

    Source: Meeus, Astronomical Algorithms, 2nd ed., chapter 47, the largest terms.
    """
    t = _centuries(jd, fraction, earth)
    degrees = np.array(
        [
            297.8501921 + (445267.1114034 - 0.0018819 * t) * t,
            357.5291092 + (35999.0502909 - 0.0001536 * t) * t,
            134.9633964 + (477198.8675055 + 0.0087414 * t) * t,
            93.2720950 + (483202.0175233 - 0.0036539 * t) * t,
        ]
    )
    arguments = np.radians(degrees % 360.0)
    mean_longitude = 218.3164477 + (481267.88123421 - 0.0015786 * t) * t
    # Terms with the Sun's anomaly shrink with the Earth's eccentricity.
    shrink = 1.0 - (0.002516 + 0.0000074 * t) * t

    angles = _MOON_LONGITUDE[:, :4] @ arguments
    factor = np.where(_MOON_LONGITUDE[:, 1, None] != 0.0, shrink, 1.0)
    longitude = mean_longitude + 1e-6 * (
        _MOON_LONGITUDE[:, 4] @ (factor * np.sin(angles))
        + 3958.0 * np.sin(np.radians(119.75 + 131.849 * t))
        + 1962.0 * np.sin(np.radians(mean_longitude % 360.0) - arguments[3])
    )
    distance_km = _MOON_DISTANCE_KM + 1e-3 * (_MOON_LONGITUDE[:, 5] @ (factor * np.cos(angles)))
    angles = _MOON_LATITUDE[:, :4] @ arguments
    factor = np.where(_MOON_LATITUDE[:, 1, None] != 0.0, shrink, 1.0)
    latitude = 1e-6 * (
        _MOON_LATITUDE[:, 4] @ (factor * np.sin(angles))
        - 2235.0 * np.sin(np.radians(mean_longitude % 360.0))
    )
    return _earth_fixed(
        np.radians(longitude % 360.0), np.radians(latitude), distance_km, t, jd, fraction, earth
    )


def _centuries(jd: FloatArray, fraction: FloatArray, earth: EarthTime) -> FloatArray:
    """Return Julian centuries of TT since J2000."""
    offset = (TT_MINUS_TAI_S + earth.tai_minus_utc_s(jd + fraction)) / DAY_S
    return (jd - J2000_JD + (fraction + offset)) / 36525.0


def _earth_fixed(
    longitude: FloatArray,
    latitude: FloatArray,
    distance_km: FloatArray,
    t: FloatArray,
    jd: FloatArray,
    fraction: FloatArray,
    earth: EarthTime,
) -> FloatArray:
    """Turn ecliptic coordinates of date, radians, to the Earth-fixed frame, shape (3, N)."""
    obliquity = np.radians(23.4392911 - 0.0130042 * t)  # IAU 1980
    across = np.cos(latitude)
    x = across * np.cos(longitude)
    y = across * np.sin(longitude) * np.cos(obliquity) - np.sin(latitude) * np.sin(obliquity)
    z = across * np.sin(longitude) * np.sin(obliquity) + np.sin(latitude) * np.cos(obliquity)
    theta = earth.rotation_rad(jd, fraction)
    cos, sin = np.cos(theta), np.sin(theta)
    turned: FloatArray = distance_km * np.array([x * cos + y * sin, y * cos - x * sin, z])
    return turned


def elevation_deg(position_km: FloatArray, site_km: FloatArray, up: FloatArray) -> FloatArray:
    """Return the elevation in degrees of Earth-fixed positions (3, N) over places.

    `site_km` and `up` (3, N) or (3, 1): where the places are, and their verticals.
    """
    sight = position_km - site_km
    sine = np.einsum("jk,jk->k", sight, np.broadcast_to(up, sight.shape))
    sine /= np.linalg.norm(sight, axis=0)
    elevation: FloatArray = np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))
    return elevation


def angle_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the angles between vectors (3, N) in degrees, exact for small ones too."""
    # Row by row: five times as fast as np.cross, to the same bits.
    (ax, ay, az), (bx, by, bz) = a, b
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    cross = np.sqrt(x * x + y * y + z * z)
    angle: FloatArray = np.degrees(np.arctan2(cross, ax * bx + ay * by + az * bz))
    return angle


def moon_phase_deg(moon_km: FloatArray, sun_km: FloatArray, site_km: FloatArray) -> FloatArray:
    """Return the Moon's phase angle in degrees: 0 full, 180 new, seen from places (3, N).

    The angle at the Moon between the Sun and the observer; all positions Earth-fixed.
    """
    return angle_deg(site_km - moon_km, sun_km - moon_km)


def sunlit_fraction(satellite_km: FloatArray, sun_km: FloatArray) -> FloatArray:
    """Return which part of the Sun's disc a satellite sees, 0 (umbra) to 1 (full sunlight).

    The Earth is the WGS84 ellipsoid without air: space is stretched along the axis until
    it is a sphere, whose disc then covers the Sun's, a uniform one. Between 0 and 1 is the
    penumbra. The stretch turns the Sun's disc by less than 0.3 %.

    Source: Montenbruck and Gill, Satellite Orbits (2000), section 3.4.2, shadow function.
    """
    stretch = np.array([1.0, 1.0, _POLAR_STRETCH])[:, None]
    satellite, sun = satellite_km * stretch, sun_km * stretch
    to_sun = sun - satellite
    radius = np.linalg.norm(satellite, axis=0)
    a = np.arcsin(SUN_RADIUS_KM / np.linalg.norm(sun_km - satellite_km, axis=0))
    b = np.arcsin(np.minimum(_EARTH_RADIUS_KM / radius, 1.0))
    c = np.radians(angle_deg(to_sun, -satellite))
    return _uncovered(a, b, c)


def _uncovered(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
    """Return the part of a disc of radius a left by one of radius b at distance c, radians."""
    touching = (c < a + b) & (c > np.abs(a - b))
    safe = np.where(touching, c, 1.0)
    x = np.where(touching, (safe**2 + a**2 - b**2) / (2.0 * safe), 0.0)
    y = np.sqrt(np.maximum(a**2 - x**2, 0.0))
    lens = (
        a**2 * np.arccos(np.clip(x / a, -1.0, 1.0))
        + b**2 * np.arccos(np.clip((safe - x) / b, -1.0, 1.0))
        - safe * y
    )
    covered = np.where(touching, lens / (np.pi * a**2), 0.0)
    # Umbra, or (from far away) a ring of Sun around the Earth.
    inside = c <= np.abs(a - b)
    covered = np.where(inside, np.minimum(b**2 / a**2, 1.0), covered)
    fraction: FloatArray = np.clip(1.0 - covered, 0.0, 1.0)
    return fraction
