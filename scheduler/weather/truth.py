"""The sky as it turns out in a simulation: alike over neighbours and from hour to hour."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np

from orbits import as_utc

EARTH_RADIUS_KM = 6371.0
_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)

# Assumed, not measured: share of the variance, length, and time over which skies are alike.
# Fronts pass within half a day and reach some hundred kilometres; months that are clearer or
# cloudier than a forecast said are what it errs by.
SCALES = ((0.8, 500.0, 12.0 * 3600.0), (0.2, 1500.0, 20.0 * 86_400.0))
_WAVES = 256  # of each scale: as many make the sum normal to within some thousandths


class TrueSky:
    """One course of the weather, drawn once, that any place and instant can be looked up in.

    Whether it is clear is a normal field against the chance that was foretold: over many courses
    a sky of chance p is clear with probability p, but skies 500 km or half a day apart mostly
    agree, and whole months are clearer or cloudier than foretold.

    Source: a sum of random cosines has the covariance whose spectrum their waves are drawn from;
    Mantoglou and Wilson, Water Resour. Res. 18, 1379 (1982). That of each of `SCALES` is
    exp(-d^2/(2 L^2) - t^2/(2 T^2)), with d through the Earth.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        lengths = np.repeat([length_km for _, length_km, _ in SCALES], _WAVES)
        times = np.repeat([time_s for _, _, time_s in SCALES], _WAVES)
        shares = np.repeat([share for share, _, _ in SCALES], _WAVES)
        self._per_km = rng.standard_normal((len(lengths), 3)) / lengths[:, None]
        self._per_s = rng.standard_normal(len(times)) / times
        self._phase = rng.uniform(0.0, 2.0 * math.pi, len(times))
        self._height = np.sqrt(2.0 * shares / _WAVES)

    def is_clear(self, lat_deg: float, lon_deg: float, at: datetime, *, p_clear: float) -> bool:
        """Whether the sky over a place turns out clear, where that was foretold with a chance."""
        return self.rank(lat_deg, lon_deg, at) < p_clear

    def rank(self, lat_deg: float, lon_deg: float, at: datetime) -> float:
        """How cloudy it is among all skies, 0 to 1; below the chance foretold it is clear."""
        lat, lon = math.radians(lat_deg), math.radians(lon_deg)
        across = math.cos(lat)
        place_km = EARTH_RADIUS_KM * np.array(
            [across * math.cos(lon), across * math.sin(lon), math.sin(lat)]
        )
        since_s = (as_utc(at) - _ORIGIN).total_seconds()
        waves = np.cos(self._per_km @ place_km + self._per_s * since_s + self._phase)
        return 0.5 * math.erfc(-float(self._height @ waves) / math.sqrt(2.0))
