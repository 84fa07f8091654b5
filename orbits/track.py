"""One satellite over one station, sampled at chosen instants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from orbits import light
from orbits.earth import SHIPPED, EarthTime
from orbits.elements import Elements
from orbits.errors import SearchError
from orbits.lifetime import life_of
from orbits.propagate import earth_fixed_states, why_unusable
from orbits.refraction import refraction_deg
from orbits.station import GroundStation
from orbits.times import DAY_S, as_utc, datetime_at, iso_utc, julian_pairs, seconds_between

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

LIGHT_KM_S = 299792.458  # exact
_SAMPLES_MAX = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Track:
    """What a station sees of a satellite at N instants, all arrays of shape (N,).

    An instant at which the element set gives no position is left out, and `unusable` says
    why. Light (Sun, Moon, shadow) is computed when it is first asked for.
    """

    elements: Elements
    station: GroundStation
    start: datetime
    offset_s: FloatArray  #: seconds after `start`
    elevation_deg: FloatArray  #: above the horizon, of the WGS84 ellipsoid
    azimuth_deg: FloatArray  #: clockwise from north, 0 to 360
    range_km: FloatArray
    range_rate_km_s: FloatArray  #: positive when receding
    position_km: FloatArray  #: Earth-fixed, shape (3, N)
    unusable: tuple[tuple[datetime, str], ...] = ()
    earth: EarthTime = SHIPPED

    def __len__(self) -> int:
        return len(self.offset_s)

    @property
    def times(self) -> NDArray[np.datetime64]:
        """The instants, UTC."""
        start = np.datetime64(self.start.replace(tzinfo=None), "us")
        return start + np.rint(self.offset_s * 1e6).astype("timedelta64[us]")

    @property
    def doppler_ratio(self) -> FloatArray:
        """Shift of a received frequency over the frequency, first order: -range rate / c."""
        return -self.range_rate_km_s / LIGHT_KM_S

    def doppler_hz(self, frequency_hz: float) -> FloatArray:
        """Return the shift of a downlink of some frequency, Hz."""
        return self.doppler_ratio * frequency_hz

    @cached_property
    def _julian(self) -> tuple[FloatArray, FloatArray]:
        return julian_pairs(self.start, self.offset_s)

    @cached_property
    def _place(self) -> tuple[FloatArray, FloatArray]:
        return self.station.position_km()[:, None], self.station.axes()[2][:, None]

    @cached_property
    def _sun_km(self) -> FloatArray:
        return light.sun_position_km(*self._julian, self.earth)

    @cached_property
    def _moon_km(self) -> FloatArray:
        return light.moon_position_km(*self._julian, self.earth)

    @cached_property
    def sun_elevation_deg(self) -> FloatArray:
        """Elevation of the Sun's centre at the station, without refraction."""
        return light.elevation_deg(self._sun_km, *self._place)

    @cached_property
    def moon_elevation_deg(self) -> FloatArray:
        """Elevation of the Moon's centre at the station, without refraction."""
        return light.elevation_deg(self._moon_km, *self._place)

    @cached_property
    def moon_phase_deg(self) -> FloatArray:
        """Phase angle of the Moon: 0 full, 180 new."""
        return light.moon_phase_deg(self._moon_km, self._sun_km, self._place[0])

    @cached_property
    def moon_separation_deg(self) -> FloatArray:
        """Angle between the satellite and the Moon, seen from the station."""
        return self._separation_deg(self._moon_km)

    @cached_property
    def sun_separation_deg(self) -> FloatArray:
        """Angle between the satellite and the Sun, seen from the station."""
        return self._separation_deg(self._sun_km)

    def _separation_deg(self, body_km: FloatArray) -> FloatArray:
        site_km, _ = self._place
        return light.angle_deg(self.position_km - site_km, body_km - site_km)

    @cached_property
    def sunlit_fraction(self) -> FloatArray:
        """Part of the Sun's disc that the satellite sees: 0 umbra, 1 full sunlight."""
        return light.sunlit_fraction(self.position_km, self._sun_km)

    @property
    def satellite_sunlit(self) -> NDArray[np.bool_]:
        """Whether the satellite sees any of the Sun: it is not in the umbra."""
        return self.sunlit_fraction > 0.0

    @property
    def twilight(self) -> NDArray[np.str_]:
        """How dark the sky is (see `light.Twilight`)."""
        return light.twilight(self.sun_elevation_deg)


def track(
    elements: Elements,
    station: GroundStation,
    times: Sequence[datetime] | NDArray[np.datetime64],
    *,
    refraction: bool = False,
    earth: EarthTime = SHIPPED,
) -> Track:
    """Return what a station sees of a satellite at instants.

    Parameters
    ----------
    times : aware datetimes, or a datetime64 array in UTC; at least one
    refraction : raise elevations by the standard atmosphere's refraction
    earth : leap seconds and UT1

    Raises TimeError for a naive datetime, SearchError for too many instants or none.
    """
    if not 1 <= len(times) <= _SAMPLES_MAX:
        raise SearchError(f"{len(times)} instants, not 1 to {_SAMPLES_MAX}")
    if isinstance(times, np.ndarray) and times.dtype.kind == "M":
        if np.isnat(times).any():
            raise SearchError("an instant is not a time (NaT), need datetimes")
        micro = times.astype("datetime64[us]")
        start: datetime = micro[0].item().replace(tzinfo=UTC)
        offset_s = (micro - micro[0]) / np.timedelta64(1, "s")
    else:
        instants = [as_utc(t) for t in times]
        start = instants[0]
        offset_s = np.array([seconds_between(start, t) for t in instants])
    return track_offsets(elements, station, start, offset_s, refraction=refraction, earth=earth)


def track_offsets(
    elements: Elements,
    station: GroundStation,
    start: datetime,
    offset_s: ArrayLike,
    *,
    refraction: bool = False,
    earth: EarthTime = SHIPPED,
) -> Track:
    """Return what a station sees of a satellite at seconds after an instant, shape (N,).

    As `track`; leap seconds are not counted in the offsets.
    """
    start = as_utc(start)
    offsets = np.atleast_1d(np.asarray(offset_s, dtype=np.float64))
    if not 1 <= offsets.size <= _SAMPLES_MAX or offsets.ndim != 1:
        raise SearchError(f"offsets of shape {offsets.shape}, not (1,) to ({_SAMPLES_MAX},)")
    if not np.isfinite(offsets).all():
        raise SearchError(f"offset {offsets[~np.isfinite(offsets)][0]} s is not finite")
    satellite = elements.satrec()
    states = earth_fixed_states(satellite, *julian_pairs(start, offsets), earth)
    age_s = offsets + seconds_between(elements.epoch, start)
    life = life_of(elements, satellite, float(age_s.min()), float(age_s.max()))
    ok = states.usable & (age_s >= life.begins_s) & (age_s <= life.ends_s)
    # Where SGP4 gives numbers again, what matters is when it first did not.
    failed_s = np.where(age_s < 0.0, life.fails_before_s or 0.0, life.fails_after_s or 0.0)
    failed_s = np.where(states.usable, failed_s, age_s)
    jd, fraction = satellite.jdsatepoch, satellite.jdsatepochF
    unusable = tuple(
        (
            datetime_at(start, offsets[i]),
            why_unusable(satellite, jd, fraction + float(failed_s[i]) / DAY_S),
        )
        for i in np.flatnonzero(~ok)
    )
    position_km = states.position_km[:, ok]
    sight = position_km - station.position_km()[:, None]
    range_km = np.linalg.norm(sight, axis=0)
    east, north, up = station.axes() @ sight
    elevation = np.degrees(np.arctan2(up, np.hypot(east, north)))
    if refraction:
        elevation = elevation + refraction_deg(elevation)
    return Track(
        elements=elements,
        station=station,
        start=start,
        offset_s=offsets[ok],
        elevation_deg=elevation,
        azimuth_deg=np.degrees(np.arctan2(east, north)) % 360.0,
        range_km=range_km,
        range_rate_km_s=np.einsum("jk,jk->k", sight, states.velocity_km_s[:, ok]) / range_km,
        position_km=position_km,
        unusable=unusable,
        earth=earth,
    )


def sample_offsets(start: datetime, end: datetime, *, step: timedelta) -> FloatArray:
    """Return offsets from start to end, both included, evenly and no further apart than step."""
    if step <= timedelta(0):
        raise SearchError(f"step {step}, need a positive one")
    length_s = seconds_between(as_utc(start), as_utc(end))
    if length_s < 0.0:
        raise SearchError(f"need start <= end, got {iso_utc(start)} and {iso_utc(end)}")
    count = max(1, int(np.ceil(length_s / (step / timedelta(seconds=1)))))
    if count >= _SAMPLES_MAX:
        raise SearchError(f"{count + 1} samples, not 1 to {_SAMPLES_MAX}")
    return np.linspace(0.0, length_s, count + 1)
