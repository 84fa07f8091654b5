"""Element sets and instants to Earth-fixed positions by SGP4, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sgp4.api import SGP4_ERRORS, Satrec, SatrecArray

from orbits.earth import EarthTime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

# Below this an orbit does not last a revolution, and SGP4's drag model means nothing.
RADIUS_KM_MIN = 6378.0 + 80.0
RADIUS_KM_MAX = 2.0e6  # beyond the sphere where the Earth rules; an absurd set gets there
_SLOWEST_REV_PER_DAY = 0.02  # its circle is a million km across
_BSTAR_USUAL = 0.1  # of 9,096 sets of December 2023 ten were larger
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


@dataclass(frozen=True, slots=True)
class EarthTurn:
    """N split UTC Julian dates and the cosine and sine of the Earth's angle there."""

    jd: FloatArray
    fraction: FloatArray
    cos: FloatArray
    sin: FloatArray

    def take(self, which: NDArray[np.intp]) -> EarthTurn:
        """Return the same at some of the dates."""
        return EarthTurn(
            self.jd.take(which),
            self.fraction.take(which),
            self.cos.take(which),
            self.sin.take(which),
        )


def earth_turn(
    jd: FloatArray, fraction: FloatArray, earth: EarthTime, *, tai_utc_s: float | None = None
) -> EarthTurn:
    """Return the Earth's angle at split UTC Julian dates.

    `tai_utc_s` holds TAI - UTC fixed, for a grid that runs on smoothly past a leap second.
    """
    held_s = None if tai_utc_s is None else np.array(tai_utc_s)
    theta = earth.rotation_rad(jd, fraction, held_s)
    return EarthTurn(jd, fraction, np.cos(theta), np.sin(theta))


def earth_fixed(satellites: Sequence[Satrec], turn: EarthTurn) -> Positions:
    """Return Earth-fixed positions of S satellites at N instants.

    SGP4 (WGS72) in its own frame, TEME, turned by GMST82(UT1).

    Source: Vallado et al., AIAA 2006-6753; agrees with Skyfield's ITRS to 1e-6 km.
    """
    error, teme_km, _ = SatrecArray(satellites).sgp4(turn.jd, turn.fraction)
    position_km = turned(teme_km, turn)
    radius2 = position_km[0] ** 2 + position_km[1] ** 2 + position_km[2] ** 2
    # A comparison with NaN is false, so this leaves NaN out as well.
    usable = (radius2 >= RADIUS_KM_MIN**2) & (radius2 <= RADIUS_KM_MAX**2)
    if error.any():
        usable &= error == 0
    return Positions(position_km=position_km, usable=usable, error_code=error)


def turned(teme_km: FloatArray, turn: EarthTurn) -> FloatArray:
    """Return positions (S, N, 3) in SGP4's frame as Earth-fixed ones, shape (3, S, N)."""
    position_km = teme_km.transpose(2, 0, 1).copy()
    x, y = position_km[0], position_km[1]
    along = x * turn.cos
    along += y * turn.sin
    y *= turn.cos
    x *= turn.sin
    y -= x
    position_km[0] = along
    return position_km


def why_unusable(satellite: Satrec, jd: float, fraction: float) -> str:
    """Return in words why SGP4 has no position worth using at an instant."""
    code, position_km, _ = satellite.sgp4(jd, fraction)
    if code:
        reason = f"SGP4 error {code}: {SGP4_ERRORS.get(code, 'unknown')}"
        absurd = abs(satellite.bstar) > _BSTAR_USUAL
        return f"{reason}; {_culprit(satellite, 0.0)}" if absurd else reason
    radius_km = float(np.linalg.norm(position_km))
    if radius_km < RADIUS_KM_MIN:
        least = f"not {RADIUS_KM_MIN:.0f} or more"
        return f"distance {radius_km:.0f} km from the Earth's centre, {least}"
    days = jd - satellite.jdsatepoch + fraction - satellite.jdsatepochF
    return f"{radius_km:.3g} km from the Earth's centre: {_culprit(satellite, days)}"


def _culprit(satellite: Satrec, days: float) -> str:
    """Return in words which element takes a satellite out of the Earth's reach."""
    rev_per_day = satellite.no_kozai * 1440.0 / (2.0 * np.pi)
    if rev_per_day < _SLOWEST_REV_PER_DAY:
        return f"the mean motion {rev_per_day:.3g} rev/day is absurd"
    if abs(satellite.bstar) > _BSTAR_USUAL:
        return f"B* {satellite.bstar:.3g} is absurd, usual is under {_BSTAR_USUAL:g}"
    return f"B* {satellite.bstar:.3g} means nothing {days:.0f} days from the epoch"


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """Earth-fixed `position_km` and `velocity_km_s` (3, N) of one satellite.

    The velocity is the one seen from the turning Earth. `usable` (N,) as in Positions.
    """

    position_km: FloatArray
    velocity_km_s: FloatArray
    usable: NDArray[np.bool_]


def earth_fixed_states(
    satellite: Satrec, jd: FloatArray, fraction: FloatArray, earth: EarthTime
) -> States:
    """Return positions and velocities of one satellite at N split UTC Julian dates.

    Source: as `earth_fixed`; the velocity by the transport theorem.
    """
    error, teme_km, teme_km_s = satellite.sgp4_array(jd, fraction)
    theta = earth.rotation_rad(jd, fraction)
    cos, sin = np.cos(theta), np.sin(theta)

    def turn(v: FloatArray) -> FloatArray:
        return np.array([v[:, 0] * cos + v[:, 1] * sin, v[:, 1] * cos - v[:, 0] * sin, v[:, 2]])

    position_km, velocity_km_s = turn(teme_km), turn(teme_km_s)
    velocity_km_s[0] += EARTH_ROTATION_RAD_S * position_km[1]
    velocity_km_s[1] -= EARTH_ROTATION_RAD_S * position_km[0]
    radius_km = np.linalg.norm(position_km, axis=0)
    usable = (error == 0) & (radius_km >= RADIUS_KM_MIN) & (radius_km <= RADIUS_KM_MAX)
    return States(position_km=position_km, velocity_km_s=velocity_km_s, usable=usable)
