"""The passes that a dense Skyfield scan sees: slow, and made of none of our code.

Elevation is Skyfield's altaz() of satellite minus site, sampled every 20 to 40 s of a low
orbit's motion, and refined by root finding. Its own `find_events` stops at half a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from skyfield.api import EarthSatellite, load, wgs84

from orbits import Elements, GroundStation, PassTable

TIMESCALE = load.timescale(builtin=True)
FloatArray = NDArray[np.float64]
# UTC days that begin with a leap second behind them, as far as the tests reach.
_LEAPS = (datetime.fromisoformat("2006-01-01T00:00Z"), datetime.fromisoformat("2017-01-01T00:00Z"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TruePass:
    """Seconds from the window's start, degrees."""

    rise_s: float
    culmination_s: float
    set_s: float
    elevation_deg: float


class Sky:
    """The elevation of one satellite over one station, by Skyfield."""

    def __init__(self, elements: Elements, station: GroundStation, start: datetime) -> None:
        satellite = EarthSatellite.from_satrec(elements.satrec(), TIMESCALE)
        site = wgs84.latlon(station.lat_deg, station.lon_deg, elevation_m=station.height_m)
        self._sight = satellite - site
        self._start = start
        self._leaps_s = [(leap - start).total_seconds() for leap in _LEAPS if leap > start]

    def elevation_deg(self, offset_s: FloatArray) -> FloatArray:
        """Elevation at seconds of the UTC clock after the start."""
        return self.look_deg(offset_s)[1]

    def look_deg(self, offset_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Azimuth and elevation at seconds of the UTC clock after the start."""
        start = self._start
        # Skyfield counts leap seconds in long offsets; the clock does not.
        elapsed_s = offset_s + sum(offset_s >= leap for leap in self._leaps_s)
        seconds = start.second + start.microsecond * 1e-6 + elapsed_s
        t = TIMESCALE.utc(start.year, start.month, start.day, start.hour, start.minute, seconds)
        # Nutation turns satellite and site alike.
        t._nutation_angles_radians = (0.0 * offset_s, 0.0 * offset_s)
        elevation, azimuth, _ = self._sight.at(t).altaz()
        return azimuth.degrees, elevation.degrees


def dense_passes(
    elements: Elements,
    station: GroundStation,
    start: datetime,
    end: datetime,
    *,
    mask_deg: float,
) -> list[TruePass]:
    """Every pass above a mask, those cut by the window included."""
    sky = Sky(elements, station, start)
    length_s = (end - start).total_seconds()
    scale_s = elements.period_s * (1.0 - elements.eccentricity) ** 1.5
    count = int(np.ceil(length_s / (scale_s / 190.0)))
    # One step beyond either end, for a turning point in the first or last interval.
    grid = np.arange(-1, count + 2) * (length_s / count)
    height = sky.elevation_deg(grid)
    before, here, after = height[:-2], height[1:-1], height[2:]
    tops = _turning(
        sky, grid, np.flatnonzero((here >= before) & (here > after)) + 1, scale_s, highest=True
    )
    dips = _turning(
        sky, grid, np.flatnonzero((here <= before) & (here < after)) + 1, scale_s, highest=False
    )
    tops, dips = (s[(s > 0.0) & (s < length_s)] for s in (tops, dips))
    top_deg = sky.elevation_deg(tops)
    times = np.concatenate([grid[1:-1], tops, dips])
    values = np.concatenate([height[1:-1], top_deg, sky.elevation_deg(dips)])
    order = np.argsort(times, kind="stable")
    times, up = times[order], values[order] >= mask_deg
    change = np.flatnonzero(up[1:] != up[:-1])
    edges = _crossing(sky, times[change], times[change + 1], up[change], mask_deg)
    rises = np.concatenate([[0.0] if up[0] else [], edges[~up[change]]])
    sets = np.concatenate([edges[up[change]], [length_s] if up[-1] else []])
    return [
        _highest(sky, rise, set_, tops, top_deg) for rise, set_ in zip(rises, sets, strict=True)
    ]


def disagreements(table: PassTable, *, step_s: float) -> list[str]:
    """What a table of one satellite over one station says of instants that a scan says otherwise.

    The scan looks each `step_s` where the satellite is above the lowest point of the horizon.
    Left out are instants within 5 ms of a rise or set of the table, and those at which the
    satellite is within 1e-3 deg of the horizon, as in `test_oracle`.
    """
    (station,), elements = table.stations, table.elements[0]
    sky = Sky(elements, station, table.start)
    length_s = (table.end - table.start).total_seconds()
    coarse_s = min(20.0, elements.period_s / 200.0)
    coarse = np.arange(0.0, length_s, coarse_s)
    low_deg = station.horizon.elevation_deg_min - 2.0  # a satellite climbs 1 deg in 10 s
    near = coarse[sky.elevation_deg(coarse) > low_deg]
    fine = np.arange(-coarse_s, coarse_s, step_s)
    times = np.unique((near[:, None] + fine).ravel().round(6))
    times = times[(times >= 0.0) & (times < length_s)]
    if not times.size:
        return [] if not len(table) else ["passes where there are none"]
    azimuth, elevation = sky.look_deg(times)
    clear = elevation - station.horizon.at(azimuth)
    rises, sets = table.rise_offset_s, table.set_offset_s
    said = np.full(len(times), bool(table.always_up))
    for rise, set_ in zip(rises, sets, strict=True):
        said |= (times >= rise) & (times <= set_)
    edges = np.concatenate([rises, sets, [-1e9]])
    doubtful = np.flatnonzero((said != (clear >= 0.0)) & (np.abs(clear) > 1e-3))
    return [
        f"{times[k]:.3f} s: azimuth {azimuth[k]:.4f}, elevation {elevation[k]:.4f}, {clear[k]:+.4f}"
        for k in doubtful
        if np.abs(edges - times[k]).min() > 5e-3
    ]


def _highest(sky: Sky, rise: float, set_: float, tops: FloatArray, top_deg: FloatArray) -> TruePass:
    inside = (tops >= rise) & (tops <= set_)
    times = np.concatenate([tops[inside], [rise, set_]])
    values = np.concatenate([top_deg[inside], sky.elevation_deg(np.array([rise, set_]))])
    best = int(np.argmax(values))
    return TruePass(
        rise_s=float(rise),
        culmination_s=float(times[best]),
        set_s=float(set_),
        elevation_deg=float(values[best]),
    )


def _turning(
    sky: Sky, grid: FloatArray, at: NDArray[np.intp], scale_s: float, *, highest: bool
) -> FloatArray:
    """Golden section to a millisecond or so, then Newton on five-point differences."""
    if not at.size:
        return np.zeros(0)
    sign = 1.0 if highest else -1.0
    low, high = grid[at - 1], grid[at + 1]
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(22):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        a, b = np.split(sign * sky.elevation_deg(np.concatenate([left, right])), 2)
        low, high = np.where(a > b, low, left), np.where(a > b, right, high)
    s = 0.5 * (low + high)
    step = scale_s / 8000.0
    for _ in range(2):
        a, b, c, d, e = np.split(
            sky.elevation_deg(np.concatenate([s + k * step for k in (-2, -1, 0, 1, 2)])), 5
        )
        slope = (8.0 * (d - b) - (e - a)) / (12.0 * step)
        curve = (16.0 * (d + b) - (e + a) - 30.0 * c) / (12.0 * step * step)
        s = s - slope / curve
    return s


def _crossing(
    sky: Sky, low: FloatArray, high: FloatArray, up_low: NDArray[np.bool_], mask_deg: float
) -> FloatArray:
    """Bisection to a microsecond."""
    if not low.size:
        return low
    for _ in range(int(np.ceil(np.log2(np.max(high - low) / 1e-6)))):
        middle = 0.5 * (low + high)
        same = (sky.elevation_deg(middle) >= mask_deg) == up_low
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return 0.5 * (low + high)
