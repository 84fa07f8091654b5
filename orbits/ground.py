"""Where above the ground a satellite is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from orbits.earth import SHIPPED, EarthTime
from orbits.elements import Elements
from orbits.lifetime import life_of
from orbits.propagate import earth_fixed_states
from orbits.station import EARTH_FLATTENING, EARTH_RADIUS_KM
from orbits.times import as_utc, julian_pairs, seconds_between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


def subpoint(
    elements: Elements, times: Sequence[datetime], *, earth: EarthTime = SHIPPED
) -> tuple[FloatArray, FloatArray]:
    """Return geodetic latitude and longitude below a satellite, degrees, shape (N,).

    As `place_above`, without its height.
    """
    lat_deg, lon_deg, _ = place_above(elements, times, earth=earth)
    return lat_deg, lon_deg


def place_above(
    elements: Elements, times: Sequence[datetime], *, earth: EarthTime = SHIPPED
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return geodetic latitude and longitude, degrees, and altitude, km, shape (N,) each.

    Of the satellite, above the WGS84 ellipsoid. Instants without a position (a
    decayed set) are NaN. Longitude is -180 to 180.

    Source: Bowring, Survey Review 23, 323 (1976); one step is within 1e-8 deg in low orbit.
    """
    start = as_utc(times[0])
    offsets = np.array([seconds_between(start, as_utc(when)) for when in times])
    satellite = elements.satrec()
    states = earth_fixed_states(satellite, *julian_pairs(start, offsets), earth)
    age_s = offsets + seconds_between(elements.epoch, start)
    life = life_of(elements, satellite, float(age_s.min()), float(age_s.max()))
    ok = states.usable & (age_s >= life.begins_s) & (age_s <= life.ends_s)
    x, y, z = np.where(ok, states.position_km, np.nan)
    across = np.hypot(x, y)
    polar_km = EARTH_RADIUS_KM * (1.0 - EARTH_FLATTENING)
    squared = EARTH_FLATTENING * (2.0 - EARTH_FLATTENING)
    reduced = np.arctan2(z * EARTH_RADIUS_KM, across * polar_km)
    latitude = np.arctan2(
        z + squared / (1.0 - squared) * polar_km * np.sin(reduced) ** 3,
        across - squared * EARTH_RADIUS_KM * np.cos(reduced) ** 3,
    )
    sine = np.sin(latitude)
    normal_km = EARTH_RADIUS_KM * np.sqrt(1.0 - squared * sine**2)
    altitude_km = across * np.cos(latitude) + z * sine - normal_km
    return np.degrees(latitude), np.degrees(np.arctan2(y, x)), altitude_km
