"""What stations see of one satellite at many instants, each with a station of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from orbits import light
from orbits.earth import SHIPPED, EarthTime
from orbits.elements import Elements
from orbits.errors import SearchError
from orbits.lifetime import life_of
from orbits.propagate import earth_fixed_states
from orbits.station import GroundStation
from orbits.times import DAY_S, as_utc, julian_pair, julian_pairs, seconds_between

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sgp4.api import Satrec

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.intp]

# Sun and Moon turn with the Earth; a cubic through four points 300 s apart is within
# (7.3e-5 rad/s * 300 s)^4 / 43 of their directions, 3e-7 deg. Across a leap second, where the
# clock repeats one, it is off by up to 0.004 deg for those 300 s.
_STEP_S = 300.0
_STEPS_A_DAY = 288
# A cubic through positions and velocities 30 s apart is within (30 s * n)^4 / 384 of the radius,
# where the orbit turns with n: 2 cm in a low orbit, 10 cm at the perigee of a long one.
_CELL_S = 30.0


@lru_cache(maxsize=512)
def _bodies_of_day(jd: float, earth: EarthTime) -> FloatArray:
    """Sun and Moon, Earth-fixed, every 300 s of the day that begins at a date, shape (288, 6)."""
    fraction = np.arange(_STEPS_A_DAY) / _STEPS_A_DAY
    day = np.full(_STEPS_A_DAY, jd)
    bodies = (
        light.sun_position_km(day, fraction, earth),
        light.moon_position_km(day, fraction, earth),
    )
    return np.concatenate(bodies).T.copy()


class SunAndMoon:
    """Earth-fixed positions of Sun and Moon over a stretch, by a table of one cubic each."""

    def __init__(
        self, start: datetime, low_s: float, high_s: float, earth: EarthTime = SHIPPED
    ) -> None:
        first, self._fraction = julian_pair(start)
        low, high = (int(self._fraction + s // DAY_S) for s in (low_s - DAY_S, high_s + DAY_S))
        days = [_bodies_of_day(first + day, earth) for day in range(low, high + 1)]
        self._first = low * _STEPS_A_DAY
        self._table_km = np.ascontiguousarray(np.concatenate(days).T)

    def at(self, offset_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the positions of Sun and Moon, (3, N) each, at seconds after the start."""
        steps = offset_s / _STEP_S + self._fraction * _STEPS_A_DAY
        whole = np.floor(steps)
        u = steps - whole
        at = whole.astype(np.intp) - self._first
        # Lagrange's cubic through the points at -1, 0, 1 and 2.
        weights = (
            -u * (u - 1.0) * (u - 2.0) / 6.0,
            (u + 1.0) * (u - 1.0) * (u - 2.0) / 2.0,
            -u * (u + 1.0) * (u - 2.0) / 2.0,
            u * (u + 1.0) * (u - 1.0) / 6.0,
        )
        found = weights[0] * self._table_km.take(at - 1, axis=1)
        for ahead, weight in enumerate(weights[1:]):
            found += weight * self._table_km.take(at + ahead, axis=1)
        return found[:3], found[3:]

    def sun_elevation_deg(
        self, stations: Sequence[GroundStation], station: IntArray, offset_s: FloatArray
    ) -> FloatArray:
        """Return the Sun's elevation at instants, each over one of the stations."""
        places_km, _, ups = _grounds(stations)
        return light.elevation_deg(self.at(offset_s)[0], places_km[:, station], ups[:, station])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sights:
    """What stations see of a satellite at N instants, arrays of shape (N,), as of `Track`.

    An instant without a position is told by `usable`, and its other values mean nothing.
    """

    offset_s: FloatArray
    azimuth_deg: FloatArray
    elevation_deg: FloatArray
    range_km: FloatArray
    sun_elevation_deg: FloatArray
    moon_elevation_deg: FloatArray
    moon_phase_deg: FloatArray
    moon_separation_deg: FloatArray
    satellite_sunlit: NDArray[np.bool_]
    usable: NDArray[np.bool_]


def sights(
    elements: Elements,
    stations: Sequence[GroundStation],
    station: IntArray,
    start: datetime,
    offset_s: FloatArray,
    *,
    earth: EarthTime = SHIPPED,
) -> Sights:
    """Return what stations see of a satellite at seconds after an instant.

    Parameters
    ----------
    stations, station : the places, and for each instant which of them looks, shape (N,)
    offset_s : seconds after `start`, shape (N,), at least one; leap seconds are not counted

    Raises SearchError if there are no instants, or not as many of them as of looks.
    """
    start = as_utc(start)
    if not offset_s.size or offset_s.shape != station.shape or offset_s.ndim != 1:
        raise SearchError(f"offsets of shape {offset_s.shape} for {station.shape}, not (N,) each")
    satellite = elements.satrec()
    age_s = offset_s + seconds_between(elements.epoch, start)
    position_km, usable = _positions(satellite, elements.epoch, age_s, earth)
    life = life_of(elements, satellite, float(age_s.min()), float(age_s.max()))
    places_km, axes, ups = _grounds(stations)
    site_km, up = places_km[:, station], ups[:, station]
    sight = position_km - site_km
    east, north, height = np.einsum("ijn,jn->in", axes[:, :, station], sight)
    bodies = SunAndMoon(start, float(offset_s.min()), float(offset_s.max()), earth)
    sun_km, moon_km = bodies.at(offset_s)
    return Sights(
        offset_s=offset_s,
        azimuth_deg=np.degrees(np.arctan2(east, north)) % 360.0,
        elevation_deg=np.degrees(np.arctan2(height, np.hypot(east, north))),
        range_km=np.sqrt(np.einsum("jn,jn->n", sight, sight)),
        sun_elevation_deg=light.elevation_deg(sun_km, site_km, up),
        moon_elevation_deg=light.elevation_deg(moon_km, site_km, up),
        moon_phase_deg=light.moon_phase_deg(moon_km, sun_km, site_km),
        moon_separation_deg=light.angle_deg(sight, moon_km - site_km),
        satellite_sunlit=light.sunlit_fraction(position_km, sun_km) > 0.0,
        usable=usable & (age_s >= life.begins_s) & (age_s <= life.ends_s),
    )


def _positions(
    satellite: Satrec, epoch: datetime, age_s: FloatArray, earth: EarthTime
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return Earth-fixed positions, (3, N), and whether they are; none within a step of none."""
    # Counted from the epoch: what else is asked for at once changes nothing.
    steps = age_s / _CELL_S
    whole = np.floor(steps)
    cells = np.unique(whole)
    nodes = np.union1d(cells, cells + 1.0)
    states = earth_fixed_states(satellite, *julian_pairs(epoch, nodes * _CELL_S), earth)
    at = np.searchsorted(nodes, whole)
    u = steps - whole
    place, speed = states.position_km, states.velocity_km_s * _CELL_S
    # Hermite's cubic.
    v = 1.0 - u
    found = (1.0 + 2.0 * u) * v**2 * place.take(at, axis=1)
    found += u * v**2 * speed.take(at, axis=1)
    found += u**2 * (1.0 + 2.0 * v) * place.take(at + 1, axis=1)
    found -= u**2 * v * speed.take(at + 1, axis=1)
    return found, states.usable[at] & states.usable[at + 1]


def _grounds(stations: Sequence[GroundStation]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return places (3, S), axes east, north and up (3, 3, S), and the last of these (3, S)."""
    places_km = np.stack([one.position_km() for one in stations], axis=-1)
    axes = np.stack([one.axes() for one in stations], axis=-1)
    return places_km, axes, axes[2]
