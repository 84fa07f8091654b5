"""Element sets and instants to Earth-fixed positions by SGP4, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sgp4.api import SGP4_ERRORS, Satrec, SatrecArray

from orbits.times import earth_rotation_rad, tai_minus_utc_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

# Below this an orbit does not last a revolution, and SGP4's drag model means nothing.
RADIUS_KM_MIN = 6378.0 + 80.0
RADIUS_KM_MAX = 2.0e6  # beyond the sphere where the Earth rules; an absurd set gets there
EARTH_ROTATION_RAD_S = 7.2921158553e-5  # GMST per UT1 second, AIAA 2006-6753


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Earth-fixed positions of satellites at instants.

    `position_km` has shape (3, S, N), `usable` (S, N): SGP4 gave no error and the radius
    is that of an orbit. Where it is not usable the position means nothing.
    """

    position_km: FloatArray
    usable: NDArray[np.bool_]
    error_code: NDArray[np.uint8]


def earth_fixed(
    satellites: Sequence[Satrec],
    jd: FloatArray,
    fraction: FloatArray,
    *,
    tai_utc_s: FloatArray | float | None = None,
) -> Positions:
    """Return Earth-fixed positions of S satellites at N split UTC Julian dates.

    SGP4 (WGS72) in its own frame, TEME, turned by GMST82(UT1). `tai_utc_s` holds TAI - UTC
    fixed, for a grid that has to run on smoothly past a leap second.

    Source: Vallado et al., AIAA 2006-6753; agrees with Skyfield's ITRS to 1e-6 km.
    """
    error, teme_km, _ = SatrecArray(satellites).sgp4(jd, fraction)
    offset_s = tai_minus_utc_s(jd + fraction) if tai_utc_s is None else tai_utc_s
    theta = earth_rotation_rad(jd, fraction, np.asarray(offset_s, dtype=np.float64))
    cos, sin = np.cos(theta), np.sin(theta)
    x, y, z = teme_km[..., 0], teme_km[..., 1], teme_km[..., 2]
    position_km = np.empty((3, *error.shape))
    np.multiply(x, cos, out=position_km[0])
    position_km[0] += y * sin
    np.multiply(y, cos, out=position_km[1])
    position_km[1] -= x * sin
    position_km[2] = z
    radius_km2 = np.einsum("csn,csn->sn", position_km, position_km)
    # A comparison with NaN is false, so this leaves NaN out as well.
    sane = (radius_km2 >= RADIUS_KM_MIN**2) & (radius_km2 <= RADIUS_KM_MAX**2)
    return Positions(position_km=position_km, usable=(error == 0) & sane, error_code=error)


def why_unusable(satellite: Satrec, jd: float, fraction: float) -> str:
    """Return in words why SGP4 has no position worth using at an instant."""
    code, position_km, _ = satellite.sgp4(jd, fraction)
    if code:
        return f"SGP4 error {code}: {SGP4_ERRORS.get(code, 'unknown')}"
    radius_km = float(np.linalg.norm(position_km))
    return f"distance {radius_km:.0f} km from the Earth's centre, not {RADIUS_KM_MIN:.0f} or more"


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """Earth-fixed `position_km` and `velocity_km_s` (3, N) of one satellite.

    The velocity is the one seen from the turning Earth. `usable` (N,) as in Positions.
    """

    position_km: FloatArray
    velocity_km_s: FloatArray
    usable: NDArray[np.bool_]


def earth_fixed_states(satellite: Satrec, jd: FloatArray, fraction: FloatArray) -> States:
    """Return positions and velocities of one satellite at N split UTC Julian dates.

    Source: as `earth_fixed`; the velocity by the transport theorem.
    """
    error, teme_km, teme_km_s = satellite.sgp4_array(jd, fraction)
    theta = earth_rotation_rad(jd, fraction, tai_minus_utc_s(jd + fraction))
    cos, sin = np.cos(theta), np.sin(theta)

    def turn(v: FloatArray) -> FloatArray:
        return np.array([v[:, 0] * cos + v[:, 1] * sin, v[:, 1] * cos - v[:, 0] * sin, v[:, 2]])

    position_km, velocity_km_s = turn(teme_km), turn(teme_km_s)
    velocity_km_s[0] += EARTH_ROTATION_RAD_S * position_km[1]
    velocity_km_s[1] -= EARTH_ROTATION_RAD_S * position_km[0]
    radius_km = np.linalg.norm(position_km, axis=0)
    usable = (error == 0) & (radius_km >= RADIUS_KM_MIN) & (radius_km <= RADIUS_KM_MAX)
    return States(position_km=position_km, velocity_km_s=velocity_km_s, usable=usable)
