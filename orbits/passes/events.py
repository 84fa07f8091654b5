"""Rises, culminations, closest approaches and sets of many stations and satellites.

A cell holds a culmination if `climb` turns from plus to minus between its nodes, a closest
approach if `closing` turns from minus to plus, a rise or a set if the elevation passes the
mask between the nodes, or between a node and a turning point within the cell. Cells are
short against the motion (`grid.step_s`), so that none holds two of a kind. Events are known
by their key: the number of the cell, counted by station, satellite and time, plus the
fraction of the cell. Every array ascends by key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.cells import Sites, clears_horizon, up_at, visible_cells
from orbits.passes.hermite import (
    Function,
    Motion,
    Quintics,
    cell_coefficients,
    clearance,
    climb,
    closing,
    crossing_guess,
    dot,
    solve,
)
from orbits.passes.horizon import Stretch, horizon_changes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.grid import Nodes

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.intp]

# Cells over uneven horizons at a time: what is known of them should fit in a cache.
_HORIZON_CELLS = 8192


@dataclass(frozen=True, slots=True)
class Crossings:
    """Events of one kind: ascending `key` (K,), and `sight` (3, K), station to satellite, km."""

    key: FloatArray
    sight: FloatArray

    def merged(self, others: Sequence[Crossings]) -> Crossings:
        """Return these and the others in order."""
        key = np.concatenate([self.key, *(other.key for other in others)])
        sight = np.concatenate([self.sight, *(other.sight for other in others)], axis=1)
        if not len(self.key):  # the others follow each other
            return Crossings(key, sight)
        order = np.argsort(key, kind="stable")
        return Crossings(key[order], sight[:, order])


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Every event of M stations and S satellites on N nodes.

    `up_at_first` and `up_at_last` (M S,) say whether a pair begins and ends above the mask.
    """

    rises: Crossings
    culminations: Crossings
    approaches: Crossings
    sets: Crossings
    up_at_first: BoolArray
    up_at_last: BoolArray


def find_events(nodes: Nodes, sites: Sites) -> Events:
    """Return every event on a grid."""
    cells = _Search(nodes, sites)
    before, after = cells.before, cells.after
    up0, up1 = before.clear >= 0.0, after.clear >= 0.0
    tops, dips = _turnings(cells, up0 & up1)
    top = tops.clear >= 0.0
    rises, sets = _crossings(cells, up0=up0, up1=up1, tops=tops, dips=dips)
    above = np.flatnonzero(cells.uneven & (up0 | up1 | top))
    more = [
        _horizon_crossings(cells, some, up0[some], up1[some], (tops, dips))
        for some in np.split(above, range(_HORIZON_CELLS, len(above), _HORIZON_CELLS))
        if some.size
    ]
    if more:
        rises = rises.merged([rise for rise, _ in more])
        sets = sets.merged([set_ for _, set_ in more])
    near = np.flatnonzero((before.closing < 0.0) & (after.closing >= 0.0) & (up0 | up1 | top))
    return Events(
        rises=rises,
        culminations=tops.crossings(cells, top),
        approaches=_approaches(cells, near),
        sets=sets,
        up_at_first=up_at(nodes, sites, 0),
        up_at_last=up_at(nodes, sites, -1),
    )


class _Search:
    """The cells that may hold a visible instant, and the motion within them."""

    def __init__(self, nodes: Nodes, sites: Sites) -> None:
        cells = visible_cells(nodes, sites)
        self.station, self.node = cells.station, cells.node
        self.before, self.after = cells.before, cells.after
        self.step_s = nodes.step_s
        self.number = cells.station * nodes.position[0].size + cells.node
        self.nodes, self.sites = nodes, sites
        skylines = sites.skylines
        self.uneven = np.zeros(len(self.number), dtype=bool)
        if skylines is not None:
            self.uneven = skylines.count[cells.station] > 0
        # Of a cell that several stations see the coefficients are made once.
        seen = np.zeros(nodes.position[0].size, dtype=bool)
        seen[cells.node] = True
        self._column = np.cumsum(seen) - 1
        self._coefficients = cell_coefficients(nodes, np.flatnonzero(seen))
        self._sites_km = np.ascontiguousarray(sites.position_km.T)
        self._ups = np.ascontiguousarray(sites.axes[:, 2, :].T)
        self._sin_mask = np.sin(sites.mask_rad)

    def motion(self, which: IntArray) -> Motion:
        """Return the motion within some of the cells, as seen from their stations."""
        station = self.station.take(which)
        coefficients = self._coefficients.take(self._column.take(self.node.take(which)), axis=2)
        coefficients[0] -= self._sites_km.take(station, axis=1)
        return Motion(coefficients, self._ups.take(station, axis=1), self._sin_mask.take(station))

    def local(self, which: IntArray) -> Quintics:
        """Return the same, east, north and up of the stations."""
        c = self.motion(which).coefficients
        axes = np.moveaxis(self.sites.axes[self.station.take(which)], 0, -1)
        turned = [
            axes[k, 0] * c[:, 0] + axes[k, 1] * c[:, 1] + axes[k, 2] * c[:, 2] for k in range(3)
        ]
        return Quintics(np.stack(turned, axis=1))


@dataclass(frozen=True, slots=True)
class _Turnings:
    """Where the elevation turns in each cell, and the clearance there.

    Where it does not, `clear` is infinite on the side that means nothing happens. `which`
    are the cells where it does, and `sight` (3, K) the line of sight there.
    """

    s: FloatArray
    clear: FloatArray
    which: IntArray
    sight: FloatArray

    @classmethod
    def of(
        cls,
        count: int,
        which: IntArray,
        s: FloatArray,
        clear: FloatArray,
        sight: FloatArray,
        wanted: BoolArray,
        otherwise: float,
    ) -> _Turnings:
        """Return the wanted ones of the turning points in some of `count` cells."""
        some = which[wanted]
        every_s, every_clear = np.zeros(count), np.full(count, otherwise)
        every_s[some], every_clear[some] = s[wanted], clear[wanted]
        return cls(every_s, every_clear, some, sight[:, wanted])

    def crossings(self, cells: _Search, wanted: BoolArray) -> Crossings:
        """Return the turning points of some of the cells as events."""
        keep = wanted[self.which]
        which = self.which[keep]
        return Crossings(cells.number[which] + self.s[which], self.sight[:, keep])


def _turnings(cells: _Search, up: BoolArray) -> tuple[_Turnings, _Turnings]:
    """Return the highest points within cells, and the lowest within those up at both ends."""
    first, last = cells.before.climb, cells.after.climb
    which = np.flatnonzero(((first > 0.0) != (last > 0.0)) & ((first > 0.0) | up))
    motion = cells.motion(which)
    s = _solve_all(climb, motion, first[which], last[which], cells.step_s)
    sight = motion.position(s)
    clear = dot(motion.up, sight) - motion.sin_mask * np.sqrt(dot(sight, sight))
    highest = first[which] > 0.0
    return (
        _Turnings.of(len(first), which, s, clear, sight, highest, -np.inf),
        _Turnings.of(len(first), which, s, clear, sight, ~highest, np.inf),
    )


def _approaches(cells: _Search, which: IntArray) -> Crossings:
    """Return the closest approach within each of some cells."""
    motion = cells.motion(which)
    first, last = cells.before.closing[which], cells.after.closing[which]
    s = _solve_all(closing, motion, first, last, cells.step_s)
    return Crossings(cells.number[which] + s, motion.position(s))


def _solve_all(
    function: Function[Motion], motion: Motion, first: FloatArray, last: FloatArray, step_s: float
) -> FloatArray:
    """Return the root in each whole cell, guessed on the straight line between its ends."""
    guess = first / (first - last)
    low, high = np.zeros_like(guess), np.ones_like(guess)
    rising = first <= 0.0
    return solve(function, motion, guess=guess, low=low, high=high, rising=rising, step_s=step_s)


def _crossings(
    cells: _Search, *, up0: BoolArray, up1: BoolArray, tops: _Turnings, dips: _Turnings
) -> tuple[Crossings, Crossings]:
    """Return every rise and every set over even horizons: between nodes, about a graze or dip."""
    even = ~cells.uneven
    up0, up1 = up0 & even, up1 & even
    top, dip = (tops.clear >= 0.0) & even, (dips.clear < 0.0) & even
    before, after = cells.before, cells.after
    zero = np.zeros(up0.size)

    rise = np.flatnonzero((~up0 & (up1 | top)) | dip)
    low = np.where(dip, dips.s, 0.0)[rise]
    high = np.where(top, tops.s, 1.0)[rise]
    start = np.where(dip, dips.clear, before.clear)[rise]
    end = np.where(top, tops.clear, after.clear)[rise]
    slope = np.where(dip, zero, before.clear_rate)[rise] * (high - low)
    guess = low + crossing_guess(start, end, slope) * (high - low)
    rises = rise, guess, low, high

    fall = np.flatnonzero((~up1 & (up0 | top)) | dip)
    low = np.where(top, tops.s, 0.0)[fall]
    high = np.where(dip, dips.s, 1.0)[fall]
    start = np.where(top, tops.clear, before.clear)[fall]
    end = np.where(dip, dips.clear, after.clear)[fall]
    slope = -np.where(dip, zero, after.clear_rate)[fall] * (high - low)
    guess = high - crossing_guess(end, start, slope) * (high - low)
    # Both at once: what a call costs counts where the passes are few.
    which, guess, low, high = (
        np.concatenate(pair) for pair in zip(rises, (fall, guess, low, high), strict=True)
    )
    motion, count = cells.motion(which), len(rise)
    s = solve(
        clearance,
        motion,
        guess=guess,
        low=low,
        high=high,
        rising=np.arange(len(which)) < count,
        step_s=cells.step_s,
    )
    key, sight = cells.number[which] + s, motion.position(s)
    return Crossings(key[:count], sight[:, :count]), Crossings(key[count:], sight[:, count:])


def _horizon_crossings(
    cells: _Search,
    which: IntArray,
    up0: BoolArray,
    up1: BoolArray,
    turnings: tuple[_Turnings, _Turnings],
) -> tuple[Crossings, Crossings]:
    """Return every rise and every set over uneven horizons within some cells.

    `up0` and `up1` are what is above the lowest point of the horizon at the nodes.
    """
    skylines = cells.sites.skylines
    assert skylines is not None
    up_first, up_last = up0.copy(), up1.copy()
    for up, further in ((up_first, 0), (up_last, 1)):
        above = which[up]
        station, node = cells.station[above], cells.node[above] + further
        up[up] = clears_horizon(cells.nodes, cells.sites, skylines, station, node)
    turns, where = [], []
    for one in turnings:
        place = np.searchsorted(which, one.which)
        here = which.take(place, mode="clip") == one.which
        turns.append(one.s[one.which[here]])
        where.append(place[here])
    stretch = Stretch(
        local=cells.local(which),
        station=cells.station[which],
        turnings=(np.concatenate(where), np.concatenate(turns)),
        up_first=up_first,
        up_last=up_last,
        step_s=cells.step_s,
    )
    changes = horizon_changes(stretch, skylines)
    cell = which[changes.cell]
    # Times are good to a microsecond: those of one instant may be told in the wrong order.
    key = np.maximum.accumulate(cells.number[cell] + changes.s)
    sight = cells.motion(cell).position(changes.s)
    rising = changes.rising
    return Crossings(key[rising], sight[:, rising]), Crossings(key[~rising], sight[:, ~rising])
