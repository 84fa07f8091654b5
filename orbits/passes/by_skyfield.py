"""Passes by Skyfield's own positions and searches: slow, and written by others.

Skyfield's `find_events` misses passes of elongated orbits, so its `find_discrete` looks at
each twenty seconds or less whether the satellite is up: a graze between is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from skyfield.api import EarthSatellite, wgs84
from skyfield.searchlib import find_discrete, find_maxima, find_minima

from orbits.earth import EarthTime
from orbits.errors import SearchError
from orbits.passes.assemble import Block
from orbits.passes.job import Batch, Found, Gap, Job
from orbits.passes.usable import absurdity, always_up, usable_run, without
from orbits.times import DAY_S, datetime_at, seconds_between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.cells import Sites

    FloatArray = NDArray[np.float64]

_PARTS_OF_A_STEP = 16  # of the grid of `grid.step_s`: some twenty seconds in a low orbit
_PARTS_OF_A_PASS = 32
_LEAST_STEP_S = 0.1
_EPSILON_S = 1e-3
_FINEST_S = 10.0


@lru_cache(maxsize=1)
def _timescale(earth: EarthTime) -> Any:
    return earth.timescale()


def search_by_skyfield(batch: Batch, job: Job) -> Found:
    """Return the passes of a few satellites over the whole window; raise for uneven horizons."""
    if job.sites.skylines is not None:
        raise SearchError("engine 'skyfield' takes even horizons only; allowed: numpy, fast")
    rows: list[dict[str, float]] = []
    gaps: list[Gap] = []
    for index, elements in zip(batch.index, batch.elements, strict=True):
        satellite = elements.satrec()
        if reason := absurdity(elements):
            gaps.append(Gap(index=index, start_s=0.0, end_s=job.end_s, reason=reason))
            continue
        run, more = usable_run(satellite, elements, index, job, 0.0)
        gaps.extend(more)
        if run is None:
            continue
        theirs = EarthSatellite.from_satrec(satellite, _timescale(job.earth))
        for station in range(job.sites.count):
            step_s = max(batch.step_s / _PARTS_OF_A_STEP, _FINEST_S)
            pair = _Pair(theirs, _place(job.sites, station), job, station, step_s)
            rows.extend(
                {"satellite": index, "station": station, **row} for row in pair.passes(*run)
            )
    empty = Block.empty()
    names = empty.__slots__
    block = Block(
        **{
            name: np.array([row[name] for row in rows], dtype=getattr(empty, name).dtype)
            for name in names
        }
    )
    up = always_up(block, batch, job)
    return Found(block=without(block, up), gaps=tuple(gaps), always_up=up)


def _place(sites: Sites, station: int) -> Any:
    """Return a station as Skyfield has it, from its position and vertical."""
    x, y, z = sites.axes[station, 2]
    position_km = sites.position_km[station]
    surface = wgs84.latlon(np.degrees(np.arcsin(z)), np.degrees(np.arctan2(y, x)))
    height_km = float((position_km - surface.itrs_xyz.km) @ sites.axes[station, 2])
    return wgs84.latlon(
        surface.latitude.degrees, surface.longitude.degrees, elevation_m=1000.0 * height_km
    )


class _Pair:
    """A satellite and a station, as Skyfield sees them."""

    def __init__(self, satellite: Any, place: Any, job: Job, station: int, step_s: float) -> None:
        self._sight = satellite - place
        self._start: datetime = job.start
        self._timescale = _timescale(job.earth)
        self._step_s = step_s
        self._mask_deg = float(np.degrees(job.sites.mask_rad[station]))

    def passes(self, begin_s: float, end_s: float) -> Iterator[dict[str, float]]:
        """Yield the columns of each pass between two instants, in seconds from the start."""

        def is_up(time: Any) -> NDArray[np.bool_]:
            up: NDArray[np.bool_] = self._elevation_deg(time) >= self._mask_deg
            return up

        times, states = self._search(find_discrete, is_up, begin_s, end_s, self._step_s)
        rise_s = begin_s if self._look(begin_s)[0] >= self._mask_deg else None
        is_cut = rise_s is not None
        for at_s, is_rise in zip(times, states, strict=True):
            if is_rise:
                rise_s, is_cut = at_s, False
            elif rise_s is not None:
                yield self._row(rise_s, at_s, is_cut, False)
                rise_s = None
        if rise_s is not None and rise_s < end_s:
            yield self._row(rise_s, end_s, is_cut, True)

    def _row(
        self, rise_s: float, set_s: float, open_start: bool, open_end: bool
    ) -> dict[str, float]:
        step_s = max((set_s - rise_s) / _PARTS_OF_A_PASS, _LEAST_STEP_S)
        tops, _ = self._search(find_maxima, self._elevation_deg, rise_s, set_s, step_s)
        nears, _ = self._search(find_minima, self._range_km, rise_s, set_s, step_s)
        looks = {at: self._look(at) for at in (*tops, *nears, rise_s, set_s)}
        top_s = max((*tops, rise_s, set_s), key=lambda at: looks[at][0])
        near_s = min((*nears, rise_s, set_s), key=lambda at: looks[at][2])
        return {
            "rise_s": rise_s,
            "culmination_s": top_s,
            "set_s": set_s,
            "approach_s": near_s,
            "elevation_deg": looks[top_s][0],
            "range_km": looks[near_s][2],
            "rise_azimuth_deg": looks[rise_s][1],
            "culmination_azimuth_deg": looks[top_s][1],
            "set_azimuth_deg": looks[set_s][1],
            "culminations": len(tops),
            "open_start": open_start,
            "open_end": open_end,
        }

    def _search(
        self,
        search: Any,
        function: Callable[[Any], NDArray[Any]],
        low_s: float,
        high_s: float,
        step_s: float,
    ) -> tuple[list[float], list[float]]:
        """Return the instants that one of Skyfield's searches finds, and the values there."""
        asked: Any = function
        # Functions of its own are told their step by an attribute; methods take none.
        wrapped: Any = lambda time: asked(time)  # noqa: E731
        wrapped.step_days = step_s / DAY_S
        times, values = search(
            self._time(low_s), self._time(high_s), wrapped, epsilon=_EPSILON_S / DAY_S
        )
        return [self._offset_s(time) for time in times], np.asarray(values).tolist()

    def _elevation_deg(self, time: Any) -> FloatArray:
        elevation: FloatArray = self._sight.at(time).altaz()[0].degrees
        return elevation

    def _range_km(self, time: Any) -> FloatArray:
        distance: FloatArray = self._sight.at(time).distance().km
        return distance

    def _look(self, offset_s: float) -> tuple[float, float, float]:
        """Return elevation and azimuth in degrees and the range in km."""
        elevation, azimuth, distance = self._sight.at(self._time(offset_s)).altaz()
        return float(elevation.degrees), float(azimuth.degrees), float(distance.km)

    def _time(self, offset_s: float) -> Any:
        return self._timescale.from_datetime(datetime_at(self._start, offset_s))

    def _offset_s(self, time: Any) -> float:
        return seconds_between(self._start, time.utc_datetime())
