"""Sun, Moon and shadow at the culminations of a table of passes, all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orbits import light
from orbits.propagate import earth_fixed, earth_turn
from orbits.times import julian_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.table import PassTable

    FloatArray = NDArray[np.float64]


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


def light_of(table: PassTable) -> PassLight:
    """Return the light at each culmination of a table."""
    jd, fraction = julian_pairs(table.start, table.culmination_offset_s)
    sun_km = light.sun_position_km(jd, fraction)
    moon_km = light.moon_position_km(jd, fraction)
    satellite_km = _positions_km(table, jd, fraction)
    sites = np.array([station.position_km() for station in table.stations])
    ups = np.array([station.axes()[2] for station in table.stations])
    site_km, up = sites[table.station_index].T, ups[table.station_index].T
    sun = light.elevation_deg(sun_km, site_km, up)
    return PassLight(
        sun_elevation_deg=sun,
        moon_elevation_deg=light.elevation_deg(moon_km, site_km, up),
        moon_phase_deg=light.moon_phase_deg(moon_km, sun_km, site_km),
        moon_separation_deg=light.angle_deg(satellite_km - site_km, moon_km - site_km),
        sunlit_fraction=light.sunlit_fraction(satellite_km, sun_km),
        twilight=light.twilight(sun),
    )


def _positions_km(table: PassTable, jd: FloatArray, fraction: FloatArray) -> FloatArray:
    """Return where each satellite is at its culmination, Earth-fixed, shape (3, P)."""
    position_km = np.empty((3, len(table)))
    for index in np.unique(table.satellite_index):
        mine = table.satellite_index == index
        turn = earth_turn(jd[mine], fraction[mine])
        position_km[:, mine] = earth_fixed([table.elements[index].satrec()], turn).position_km[:, 0]
    return position_km
