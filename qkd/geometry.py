"""A pass of a circular orbit without element sets, for comparisons and examples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray

EARTH_RADIUS_KM = 6371.0  # mean radius; the sphere of this toy orbit, not WGS84
GM_KM3_S2 = 398_600.4418  # WGS84


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CircularPass:
    """A track over a non-rotating spherical Earth; time 0 is the culmination."""

    offset_s: FloatArray
    elevation_deg: FloatArray
    range_km: FloatArray


def slant_range_km(
    elevation_deg: ArrayLike, *, altitude_km: float, height_km: float = 0.0
) -> FloatArray:
    """Return the distance to a satellite at an altitude, seen at an elevation.

    L = sqrt((R+h)^2 - ((R+h0) cos el)^2) - (R+h0) sin el, the law of cosines.
    """
    elevation = np.radians(checks.array("elevation_deg", elevation_deg, 0.0, 90.0, unit="deg"))
    orbit, ground = EARTH_RADIUS_KM + altitude_km, EARTH_RADIUS_KM + height_km
    return np.asarray(
        np.sqrt(orbit**2 - (ground * np.cos(elevation)) ** 2) - ground * np.sin(elevation)
    )


def circular_pass(
    *,
    altitude_km: float,
    max_elevation_deg: float,
    min_elevation_deg: float = 10.0,
    step_s: float = 1.0,
) -> CircularPass:
    """Return the pass of a circular orbit that culminates at an elevation.

    The station sits at the pole; xi is the angle between orbital plane and zenith at the
    Earth's centre: sat = (R+h) [sin xi cos wt, sin wt, cos xi cos wt], w = sqrt(GM/(R+h)^3).

    Source: Sidhu et al., npj Quantum Inf. 8, 18 (2022), the orbit of SatQuMA.
    """
    checks.number("altitude_km", altitude_km, 100.0, 50_000.0, unit="km")
    highest = checks.number("max_elevation_deg", max_elevation_deg, 0.0, 90.0, unit="deg")
    checks.number("min_elevation_deg", min_elevation_deg, 0.0, highest, unit="deg")
    checks.number("step_s", step_s, 1e-3, 600.0, unit="s")
    orbit = EARTH_RADIUS_KM + altitude_km
    nearest = float(slant_range_km(highest, altitude_km=altitude_km))
    tilt = np.arcsin(np.clip(nearest * np.cos(np.radians(highest)) / orbit, -1.0, 1.0))
    rate = np.sqrt(GM_KM3_S2 / orbit**3)
    count = int(np.ceil(np.pi / 2.0 / rate / step_s))
    offset = np.arange(-count, count + 1) * step_s
    x = orbit * np.sin(tilt) * np.cos(rate * offset)
    y = orbit * np.sin(rate * offset)
    z = orbit * np.cos(tilt) * np.cos(rate * offset) - EARTH_RADIUS_KM
    ranges = np.sqrt(x * x + y * y + z * z)
    elevation = np.degrees(np.arcsin(z / ranges))
    seen = elevation >= min_elevation_deg - 1e-9
    return CircularPass(offset_s=offset[seen], elevation_deg=elevation[seen], range_km=ranges[seen])
