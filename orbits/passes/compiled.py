"""The search of one grid over even horizons, compiled by numba: the extra `fast`.

The same cells, roots and passes as `events` and `assemble` find with numpy, one pair of
station and satellite after the other, so that little leaves the processor's cache. Times
agree to a microsecond. Compiled once for each machine and kept beside this file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.assemble import Block, azimuth_deg
from orbits.passes.cells import least_heights_km
from orbits.passes.compiled_cell import (
    compiled,
    ends_at,
    events_in,
    inlined,
    look,
    set_coefficients,
    set_node,
)
from orbits.passes.grid import PAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.cells import Sites
    from orbits.passes.compiled_cell import Vector

    FloatArray = NDArray[np.float64]

CALLED = "1dc76fc909f5"
"""Digest of `compiled_cell` and `grid`: numba's cache of this file outlives a change of them."""
_TOLERANCE_S = 1e-6
_ROWS_AT_FIRST = 64
# Columns of a row: those of a Block, then what is kept until a pass is over.
_RISE, _TOP, _SET, _NEAR, _SINE, _RANGE, _TOPS, _OPEN_START, _OPEN_END = range(9)
_SATELLITE, _STATION, _RISE_EAST, _RISE_NORTH, _TOP_EAST, _TOP_NORTH = range(9, 15)
_SET_EAST, _SET_NORTH, _NEARS, _RISE_SINE, _RISE_RANGE = range(15, 20)
_WIDTH = 20


def passes_on_grid(padded_km: FloatArray, sites: Sites, *, start_s: float, step_s: float) -> Block:
    """Return the passes of positions (3, S, N + 2 PAD) over even horizons."""
    padded_km = np.ascontiguousarray(padded_km)
    low, high, acceleration = _extremes(padded_km)
    rows = _search(
        padded_km,
        sites.position_km,
        sites.axes,
        np.sin(sites.mask_rad),
        least_heights_km(low, high, acceleration, sites),
        _TOLERANCE_S / step_s,
    ).T
    return Block(
        satellite=rows[_SATELLITE].astype(np.intp),
        station=rows[_STATION].astype(np.intp),
        rise_s=start_s + rows[_RISE] * step_s,
        culmination_s=start_s + rows[_TOP] * step_s,
        set_s=start_s + rows[_SET] * step_s,
        approach_s=start_s + rows[_NEAR] * step_s,
        elevation_deg=np.degrees(np.arcsin(np.minimum(rows[_SINE], 1.0))),
        range_km=rows[_RANGE],
        rise_azimuth_deg=azimuth_deg(rows[_RISE_EAST], rows[_RISE_NORTH]),
        culmination_azimuth_deg=azimuth_deg(rows[_TOP_EAST], rows[_TOP_NORTH]),
        set_azimuth_deg=azimuth_deg(rows[_SET_EAST], rows[_SET_NORTH]),
        culminations=rows[_TOPS].astype(np.intp),
        open_start=rows[_OPEN_START] > 0.0,
        open_end=rows[_OPEN_END] > 0.0,
    )


@compiled
def _extremes(padded: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the least and greatest radius of each satellite and its greatest acceleration."""
    satellites, count = padded.shape[1], padded.shape[2] - 2 * PAD
    low, high = np.full(satellites, np.inf), np.zeros(satellites)
    acceleration = np.zeros(satellites)
    for s in range(satellites):
        x, y, z = padded[0, s], padded[1, s], padded[2, s]
        for i in range(PAD, PAD + count):
            radius2 = x[i] * x[i] + y[i] * y[i] + z[i] * z[i]
            low[s] = min(low[s], radius2)
            high[s] = max(high[s], radius2)
            ax = x[i + 1] - 2.0 * x[i] + x[i - 1]
            ay = y[i + 1] - 2.0 * y[i] + y[i - 1]
            az = z[i + 1] - 2.0 * z[i] + z[i - 1]
            acceleration[s] = max(acceleration[s], ax * ax + ay * ay + az * az)
    # The second difference falls short of the acceleration by angle^2 / 12, 1.2 % at 0.37 rad.
    return np.sqrt(low), np.sqrt(high), 1.02 * np.sqrt(acceleration)


@compiled
def _search(
    padded: FloatArray,
    places: FloatArray,
    axes: FloatArray,
    sin_mask: FloatArray,
    least: FloatArray,
    tolerance: float,
) -> FloatArray:
    """Return the passes as rows, by satellite, station and time."""
    satellites, count = padded.shape[1], padded.shape[2] - 2 * PAD
    nodes, is_known = np.empty((count, 9)), np.empty(count, dtype=np.bool_)
    height, cells = np.empty(count), np.empty(count, dtype=np.intp)
    c, rows, found = np.empty((6, 3)), np.empty((_ROWS_AT_FIRST, _WIDTH)), 0
    # A satellite's nodes stay in the cache while one station after the other looks.
    for s in range(satellites):
        is_known[:] = False
        for m in range(len(places)):
            site = (places[m, 0], places[m, 1], places[m, 2])
            up = (axes[m, 2, 0], axes[m, 2, 1], axes[m, 2, 2])
            is_open = False
            for n in range(_visible_cells(padded[:, s], site, up, least[m, s], height, cells)):
                i = cells[n]
                for k in (i, i + 1):
                    if not is_known[k]:
                        set_node(padded, s, k, nodes)
                        is_known[k] = True
                before = ends_at(nodes, i, site, up, sin_mask[m])
                after = ends_at(nodes, i + 1, site, up, sin_mask[m])
                # Nothing turns up between two nodes below that do not hold a culmination.
                if before[0] < 0.0 and after[0] < 0.0 and not before[2] > 0.0 >= after[2]:
                    continue
                set_coefficients(nodes, i, site, c)
                events = events_in(c, up, sin_mask[m], before, after, tolerance)
                if found + 2 > len(rows):
                    rows = _more(rows)
                first = found
                if i == 0 and before[0] >= 0.0:
                    is_open = True
                    _begin(rows, found, c, axes, m, 0, 0.0, True)
                is_open, found = _take(rows, found, is_open, events, c, axes, m, i)
                if is_open and i == count - 2:
                    _end(rows, found, c, axes, m, i, 1.0, True)
                    found += 1
                for row in range(first, found):
                    rows[row, _SATELLITE], rows[row, _STATION] = s, m
    return rows[:found]


@inlined
def _visible_cells(
    places: FloatArray,
    site: Vector,
    up: Vector,
    least: float,
    height: FloatArray,
    cells: NDArray[np.intp],
) -> int:
    """Set the cells of positions (3, N + 2 PAD) that may hold a visible instant; count them.

    `height` is room for the heights of the nodes above the station's horizon plane.
    """
    base = up[0] * site[0] + up[1] * site[1] + up[2] * site[2] + least
    x, y, z = places[0, PAD:], places[1, PAD:], places[2, PAD:]
    for i in range(len(height)):
        height[i] = up[0] * x[i] + up[1] * y[i] + up[2] * z[i] - base
    found = 0
    for i in range(len(height) - 1):
        # Without a branch, which the processor would guess wrong at each pass.
        cells[found] = i
        found += (height[i] > 0.0) | (height[i + 1] > 0.0)
    return found


@compiled
def _more(rows: FloatArray) -> FloatArray:
    """Return the rows with as much room again."""
    more = np.empty((2 * len(rows), _WIDTH))
    more[: len(rows)] = rows
    return more


@inlined
def _take(
    rows: FloatArray,
    found: int,
    is_open: bool,
    events: tuple[float, float, float, float],
    c: FloatArray,
    axes: FloatArray,
    m: int,
    i: int,
) -> tuple[bool, int]:
    """Add what happens in a cell to the pass under way; return whether one is, and its row."""
    rise, top, near, fall = events
    if fall >= 0.0 and rise > fall:  # a dip below the horizon
        if 0.0 <= near <= fall:
            _approach(rows, found, c, axes, m, i, near)
        _end(rows, found, c, axes, m, i, fall, False)
        found += 1
        _begin(rows, found, c, axes, m, i, rise, False)
        if near >= rise:
            _approach(rows, found, c, axes, m, i, near)
        return True, found
    if rise >= 0.0:
        _begin(rows, found, c, axes, m, i, rise, False)
        is_open = True
    if is_open and top >= 0.0:
        _culmination(rows, found, c, axes, m, i, top)
    if is_open and near >= max(rise, False) and (fall < 0.0 or near <= fall):
        _approach(rows, found, c, axes, m, i, near)
    if is_open and fall >= 0.0:
        _end(rows, found, c, axes, m, i, fall, False)
        return False, found + 1
    return is_open, found


@inlined
def _begin(
    rows: FloatArray,
    row: int,
    c: FloatArray,
    axes: FloatArray,
    m: int,
    i: int,
    s: float,
    is_cut: bool,
) -> None:
    """Begin a pass."""
    east, north, up = look(c, axes, m, s)
    rows[row, _RISE], rows[row, _RISE_EAST], rows[row, _RISE_NORTH] = i + s, east, north
    rows[row, _RISE_RANGE] = math.sqrt(east * east + north * north + up * up)
    rows[row, _RISE_SINE] = up / rows[row, _RISE_RANGE]
    rows[row, _TOPS], rows[row, _NEARS] = 0.0, 0.0
    rows[row, _OPEN_START], rows[row, _OPEN_END] = is_cut, 0.0


@inlined
def _culmination(
    rows: FloatArray, row: int, c: FloatArray, axes: FloatArray, m: int, i: int, s: float
) -> None:
    """Add a culmination to the pass under way, which keeps the highest."""
    east, north, up = look(c, axes, m, s)
    sine = up / math.sqrt(east * east + north * north + up * up)
    if rows[row, _TOPS] == 0.0 or sine > rows[row, _SINE]:
        rows[row, _TOP], rows[row, _SINE] = i + s, sine
        rows[row, _TOP_EAST], rows[row, _TOP_NORTH] = east, north
    rows[row, _TOPS] += 1.0


@inlined
def _approach(
    rows: FloatArray, row: int, c: FloatArray, axes: FloatArray, m: int, i: int, s: float
) -> None:
    """Add a closest approach to the pass under way, which keeps the nearest."""
    east, north, up = look(c, axes, m, s)
    range_km = math.sqrt(east * east + north * north + up * up)
    if rows[row, _NEARS] == 0.0 or range_km < rows[row, _RANGE]:
        rows[row, _NEAR], rows[row, _RANGE] = i + s, range_km
    rows[row, _NEARS] += 1.0


@inlined
def _end(
    rows: FloatArray,
    row: int,
    c: FloatArray,
    axes: FloatArray,
    m: int,
    i: int,
    s: float,
    is_cut: bool,
) -> None:
    """End a pass; it may be highest or nearest at an end (`assemble._best`)."""
    east, north, up = look(c, axes, m, s)
    range_km = math.sqrt(east * east + north * north + up * up)
    rows[row, _SET], rows[row, _OPEN_END] = i + s, is_cut
    rows[row, _SET_EAST], rows[row, _SET_NORTH] = east, north
    if rows[row, _TOPS] == 0.0:
        rows[row, _SINE] = -2.0
    if rows[row, _TOPS] != 1.0 or is_cut or rows[row, _OPEN_START] > 0.0:
        if rows[row, _RISE_SINE] > rows[row, _SINE]:
            rows[row, _SINE], rows[row, _TOP] = rows[row, _RISE_SINE], rows[row, _RISE]
            rows[row, _TOP_EAST] = rows[row, _RISE_EAST]
            rows[row, _TOP_NORTH] = rows[row, _RISE_NORTH]
        if up / range_km > rows[row, _SINE]:
            rows[row, _SINE], rows[row, _TOP] = up / range_km, rows[row, _SET]
            rows[row, _TOP_EAST], rows[row, _TOP_NORTH] = east, north
    if rows[row, _NEARS] == 0.0:
        rows[row, _RANGE] = np.inf
    if rows[row, _RISE_RANGE] < rows[row, _RANGE]:
        rows[row, _RANGE], rows[row, _NEAR] = rows[row, _RISE_RANGE], rows[row, _RISE]
    if range_km < rows[row, _RANGE]:
        rows[row, _RANGE], rows[row, _NEAR] = range_km, rows[row, _SET]
