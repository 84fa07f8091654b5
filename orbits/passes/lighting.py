"""Sun, Moon and shadow at many instants of many satellites over many stations, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from orbits import light
from orbits.earth import EarthTime
from orbits.elements import Elements
from orbits.propagate import earth_fixed, earth_turn
from orbits.station import GroundStation
from orbits.times import julian_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassLight:
    """The light at each culmination of a table, in its order, all of shape (P,).

    As the attributes of the same names of `Track`.
    """

    sun_elevation_deg: FloatArray
    moon_elevation_deg: FloatArray
    moon_phase_deg: FloatArray
    moon_separation_deg: FloatArray
    sunlit_fraction: FloatArray
    twilight: NDArray[np.str_]


def light_at(
    start: datetime,
    offset_s: FloatArray,
    *,
    elements: Sequence[Elements],
    satellite: IntArray,
    stations: Sequence[GroundStation],
    station: IntArray,
    earth: EarthTime,
) -> PassLight:
    """Return the light at seconds after an instant, shape (P,).

    `satellite` and `station` (P,) say which of the element sets and of the stations each
    is about.
    """
    jd, fraction = julian_pairs(start, offset_s)
    sun_km = light.sun_position_km(jd, fraction, earth)
    moon_km = light.moon_position_km(jd, fraction, earth)
    satellite_km = _positions_km(elements, satellite, jd, fraction, earth)
    site_km = np.array([place.position_km() for place in stations])[station].T
    up = np.array([place.axes()[2] for place in stations])[station].T
    sun = light.elevation_deg(sun_km, site_km, up)
    return PassLight(
        sun_elevation_deg=sun,
        moon_elevation_deg=light.elevation_deg(moon_km, site_km, up),
        moon_phase_deg=light.moon_phase_deg(moon_km, sun_km, site_km),
        moon_separation_deg=light.angle_deg(satellite_km - site_km, moon_km - site_km),
        sunlit_fraction=light.sunlit_fraction(satellite_km, sun_km),
        twilight=light.twilight(sun),
    )


def _positions_km(
    elements: Sequence[Elements],
    satellite: IntArray,
    jd: FloatArray,
    fraction: FloatArray,
    earth: EarthTime,
) -> FloatArray:
    """Return where each satellite is at its instant, Earth-fixed, shape (3, P)."""
    position_km = np.empty((3, len(satellite)))
    for index in np.unique(satellite):
        mine = satellite == index
        turn = earth_turn(jd[mine], fraction[mine], earth)
        position_km[:, mine] = earth_fixed([elements[index].satrec()], turn).position_km[:, 0]
    return position_km
