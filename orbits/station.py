"""A place on the ground that looks at satellites."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orbits.errors import StationError
from orbits.horizon import HorizonMask, MaskLike, as_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

EARTH_RADIUS_KM = 6378.137  # WGS84
EARTH_FLATTENING = 1.0 / 298.257223563  # WGS84
_HEIGHT_M_MIN, _HEIGHT_M_MAX = -500.0, 100_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundStation:
    """A ground station on the WGS84 ellipsoid, with its horizon.

    Parameters
    ----------
    station_id : its identity in every answer
    name : for people; the identity if left out
    lat_deg, lon_deg : geodetic latitude -90 to 90, longitude -180 to 360, degrees
    height_m : above the ellipsoid, -500 to 100,000 m
    mask : elevation mask in degrees, or a horizon profile as (azimuth_deg,
        elevation_deg) pairs or a HorizonMask

    Raises StationError naming the value that is out of range.
    """

    station_id: str
    name: str = ""
    lat_deg: float
    lon_deg: float
    height_m: float = 0.0
    mask: MaskLike = 0.0

    def __post_init__(self) -> None:
        if not self.station_id:
            raise StationError("a station needs a station_id, got an empty one")
        if not self.name:
            object.__setattr__(self, "name", self.station_id)
        ranges = (
            ("lat_deg", -90.0, 90.0),
            ("lon_deg", -180.0, 360.0),
            ("height_m", _HEIGHT_M_MIN, _HEIGHT_M_MAX),
        )
        for field, low, high in ranges:
            value = getattr(self, field)
            if not low <= value <= high:
                raise StationError(f"{self.station_id}: {field} {value}, not {low} to {high}")
        object.__setattr__(self, "mask", as_mask(self.mask))

    @property
    def horizon(self) -> HorizonMask:
        """The station's mask as a HorizonMask."""
        return as_mask(self.mask)

    def position_km(self) -> FloatArray:
        """Return the Earth-fixed position, shape (3,), km.

        Source: closed form of geodetic to Cartesian, e.g. Vallado, Fundamentals of
        Astrodynamics, 4th ed., eq. 3-7, on WGS84.
        """
        lat, lon = math.radians(self.lat_deg), math.radians(self.lon_deg)
        e2 = EARTH_FLATTENING * (2.0 - EARTH_FLATTENING)
        normal_km = EARTH_RADIUS_KM / math.sqrt(1.0 - e2 * math.sin(lat) ** 2)
        height_km = self.height_m / 1000.0
        across_km = (normal_km + height_km) * math.cos(lat)
        along_km = (normal_km * (1.0 - e2) + height_km) * math.sin(lat)
        return np.array([across_km * math.cos(lon), across_km * math.sin(lon), along_km])

    def axes(self) -> FloatArray:
        """Return the unit vectors east, north and up in the Earth-fixed frame, shape (3, 3)."""
        lat, lon = math.radians(self.lat_deg), math.radians(self.lon_deg)
        sin_lat, cos_lat, sin_lon, cos_lon = (
            math.sin(lat), math.cos(lat), math.sin(lon), math.cos(lon),
        )  # fmt: skip
        return np.array(
            [
                [-sin_lon, cos_lon, 0.0],
                [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
                [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
            ]
        )
