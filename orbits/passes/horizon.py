"""Passes over stations whose horizon is not the same all round.

The search proper takes the lowest point of such a horizon as its mask. Each of those passes
is then sampled by SGP4 itself, every second if it is shorter than five hours, against the
horizon at the satellite's azimuth, and cut into the arcs above it. An arc, or a notch
between two, that is shorter than the interval may be missed; ends, highest and nearest points
of the others are found between the samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.assemble import Block, concatenate
from orbits.propagate import earth_fixed, earth_turn
from orbits.times import julian_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sgp4.api import Satrec

    from orbits.passes.job import Batch, Job

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

_SAMPLES_MIN, _SAMPLES_MAX = 32, 18_000
_SAMPLE_S = 1.0
_ZOOM_PARTS = 16
_ZOOMS = 6  # one second down to 60 ns
_BEST_S = 1e-3  # below it a highest point is lost in the rounding of what is compared


def cut_to_horizons(block: Block, batch: Batch, job: Job) -> Block:
    """Return the passes of a batch cut to the horizons that are not the same all round."""
    uneven = [j for j, horizon in enumerate(job.horizons) if not horizon.is_constant]
    if not uneven or not len(block):
        return block
    affected = np.isin(block.station, uneven)
    satellites = {
        index: elements.satrec()
        for index, elements in zip(batch.index, batch.elements, strict=True)
    }
    parts = [block.take(~affected)]
    for row in np.flatnonzero(affected):
        one = block.take(np.array([row]))
        parts.append(_arcs(one, satellites[int(one.satellite[0])], job))
    return concatenate(parts)


def _arcs(one: Block, satellite: Satrec, job: Job) -> Block:
    """Return the arcs of one pass above its station's horizon."""
    view = _View(satellite, int(one.station[0]), job)
    rise_s, set_s = float(one.rise_s[0]), float(one.set_s[0])
    count = math.ceil((set_s - rise_s) / _SAMPLE_S)
    samples = np.linspace(rise_s, set_s, min(max(count, _SAMPLES_MIN), _SAMPLES_MAX) + 1)
    # The highest and the nearest point are looked at whatever the interval.
    extra = [float(one.culmination_s[0]), float(one.approach_s[0])]
    times = np.unique(np.concatenate([samples, extra]))
    up = view.is_up(times)
    if up.all():
        return one
    change = np.flatnonzero(up[1:] != up[:-1])
    edges = _edges(view, times[change], times[change + 1], up[change])
    begins = np.concatenate([[rise_s] if up[0] else [], edges[~up[change]]])
    ends = np.concatenate([edges[up[change]], [set_s] if up[-1] else []])
    arcs = [_arc(one, view, low, high, times) for low, high in zip(begins, ends, strict=True)]
    return concatenate(arcs)


def _edges(view: _View, low: FloatArray, high: FloatArray, up_low: BoolArray) -> FloatArray:
    """Return where the satellite passes the horizon between instants on either side of it.

    Each interval is cut in sixteen, again and again: few calls, each of many instants.
    """
    if not low.size:
        return low
    parts = np.linspace(0.0, 1.0, _ZOOM_PARTS + 1)
    for _ in range(_ZOOMS):
        points = low[:, None] + (high - low)[:, None] * parts
        same = view.is_up(points.ravel()).reshape(points.shape) == up_low[:, None]
        # The last point is on the other side by construction, whatever rounding says.
        same[:, -1] = False
        other = np.maximum(np.argmin(same, axis=1), 1)
        rows = np.arange(len(low))
        low, high = points[rows, other - 1], points[rows, other]
    return 0.5 * (low + high)


def _arc(one: Block, view: _View, low: float, high: float, times: FloatArray) -> Block:
    """Return one arc of a pass as a pass of its own."""
    inside = np.concatenate([[low], times[(times > low) & (times < high)], [high]])
    azimuth, elevation, _ = view.look(inside)
    top_s = _best_s(inside, view.height_deg, known_s=float(one.culmination_s[0]))
    near_s = _best_s(inside, view.nearness_km, known_s=float(one.approach_s[0]))
    culminates, nearest = view.look(np.array([top_s])), view.look(np.array([near_s]))
    inner = (elevation[1:-1] > elevation[:-2]) & (elevation[1:-1] >= elevation[2:])

    def column(value: float) -> FloatArray:
        return np.array([value], dtype=np.float64)

    return Block(
        satellite=one.satellite,
        station=one.station,
        rise_s=column(low),
        culmination_s=column(top_s),
        set_s=column(high),
        approach_s=column(near_s),
        elevation_deg=column(float(culminates[1][0])),
        range_km=column(float(nearest[2][0])),
        rise_azimuth_deg=column(azimuth[0]),
        culmination_azimuth_deg=column(float(culminates[0][0])),
        set_azimuth_deg=column(azimuth[-1]),
        culminations=np.array([np.count_nonzero(inner)], dtype=np.intp),
        open_start=one.open_start & (low <= one.rise_s),
        open_end=one.open_end & (high >= one.set_s),
    )


def _best_s(
    times: FloatArray, value_at: Callable[[FloatArray], FloatArray], *, known_s: float
) -> float:
    """Return when a value is greatest, to a millisecond; `known_s` is exact if it is a time."""
    best = int(np.argmax(value_at(times)))
    low, high = times[max(best - 1, 0)], times[min(best + 1, len(times) - 1)]
    found = float(times[best])
    while found != known_s and high - low > _BEST_S:
        points = np.linspace(low, high, _ZOOM_PARTS + 1)
        at = int(np.argmax(value_at(points)))
        low, high = points[max(at - 1, 0)], points[min(at + 1, _ZOOM_PARTS)]
        found = float(points[at])
    return found


class _View:
    """One satellite from one station, at any instants."""

    def __init__(self, satellite: Satrec, station: int, job: Job) -> None:
        self._satellite = satellite
        self._start = job.start
        self._site_km = job.sites.position_km[station][:, None]
        self._axes = job.sites.axes[station]
        self._horizon = job.horizons[station]

    def look(self, offset_s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return azimuth and elevation in degrees, and range in km."""
        jd, fraction = julian_pairs(self._start, offset_s)
        place = earth_fixed([self._satellite], earth_turn(jd, fraction)).position_km[:, 0]
        sight = place - self._site_km
        east, north, up = self._axes @ sight
        azimuth = np.degrees(np.arctan2(east, north)) % 360.0
        elevation = np.degrees(np.arctan2(up, np.hypot(east, north)))
        return azimuth, elevation, np.linalg.norm(sight, axis=0)

    def height_deg(self, offset_s: FloatArray) -> FloatArray:
        """Return the elevation."""
        return self.look(offset_s)[1]

    def nearness_km(self, offset_s: FloatArray) -> FloatArray:
        """Return the range, negative: greatest where the satellite is nearest."""
        return -self.look(offset_s)[2]

    def is_up(self, offset_s: FloatArray) -> BoolArray:
        """Return whether the satellite is above the horizon."""
        azimuth, elevation, _ = self.look(offset_s)
        up: BoolArray = elevation >= self._horizon.at(azimuth) - 1e-9
        return up


def is_up(satellite: Satrec, station: int, job: Job, offset_s: FloatArray) -> BoolArray:
    """Return whether a satellite is above a station's horizon at offsets in seconds."""
    return _View(satellite, station, job).is_up(offset_s)
