"""Where satellites pass horizons that are not the same all round.

Each grid cell is cut at the highest or lowest point within, where the azimuth turns, and
where a corner of the horizon is passed. In each part, elevation less horizon is smooth: it
has one root if its ends differ in sign, and if not, two about an extremum or none. Times
are solved for, not sampled, so that no arc and no notch is too short to be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.hermite import Quintics, crossing_guess, solve
from orbits.passes.overhead import Over, Points, clearance, past_corner, steepness, swing
from orbits.passes.skyline import Skylines, shortest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.intp]

# A cell is cut in so many at once: in a low orbit, 0.1 rad or 75 s each.
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Changes:
    """K instants at which satellites come out (`rising`) or go behind: `s` within `cell`."""

    cell: IntArray
    s: FloatArray
    rising: BoolArray

    def take(self, which: IntArray | BoolArray) -> Changes:
        """Return some of the changes."""
        return Changes(self.cell[which], self.s[which], self.rising[which])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """C cells over stations with uneven horizons.

    `local` is the line of sight east, north and up; `turnings` (cell, s) are those of the
    elevation; `up_first` and `up_last` say what is up at the nodes.
    """

    local: Quintics
    station: IntArray
    turnings: tuple[IntArray, FloatArray]
    up_first: BoolArray
    up_last: BoolArray
    step_s: float


@dataclass(frozen=True, slots=True)
class _Parts:
    """F parts of cells over one piece of horizon each, in order.

    `start` and `end` are numbers of points. Where `quiet` the horizon is far: `above` says
    on which side of it the satellite is.
    """

    points: Points
    start: IntArray
    end: IntArray
    piece: IntArray
    quiet: BoolArray
    above: BoolArray


def horizon_changes(stretch: Stretch, skylines: Skylines) -> Changes:
    """Return every change of visibility within the cells, in order."""
    parts = _cut_at_corners(_cut_at_turns(stretch), stretch, skylines)
    up0, up1, roots, order = _roots(parts, stretch, skylines)
    joints, joint_order = _joints(parts, stretch, up0, up1)
    both = (
        np.concatenate([getattr(roots, name), getattr(joints, name)]) for name in Changes.__slots__
    )
    return Changes(*both).take(np.argsort(np.concatenate([order, joint_order])))


def _cut_at_turns(stretch: Stretch) -> Points:
    """Return the ends of all cells, and where within them elevation and azimuth turn."""
    count = len(stretch.station)
    cells, turns = stretch.turnings
    cell = np.concatenate([np.repeat(np.arange(count), _PARTS + 1), cells])
    s = np.concatenate([np.tile(np.linspace(0.0, 1.0, _PARTS + 1), count), turns])
    order = np.argsort(2.0 * cell + s, kind="stable")
    points = Points.of(stretch.local, cell[order], s[order])
    left = np.flatnonzero(points.cell[1:] == points.cell[:-1])
    rate = points.azimuth_rate
    left = left[rate[left] * rate[left + 1] < 0.0]
    if not left.size:
        return points
    low, high, cell = points.s[left], points.s[left + 1], points.cell[left]
    motion = Over.of(stretch.local, cell, sign=np.sign(rate[left + 1]))
    guess = low + (high - low) * rate[left] / (rate[left] - rate[left + 1])
    s = solve(swing, motion, guess=guess, low=low, high=high, rising=True, step_s=stretch.step_s)
    return points.followed_by(Points.of(stretch.local, cell, s)).sorted()


def _cut_at_corners(points: Points, stretch: Stretch, skylines: Skylines) -> _Parts:
    """Return the parts between points, cut again where a corner of the horizon is passed."""
    left = np.flatnonzero(points.cell[1:] == points.cell[:-1])
    station = stretch.station[points.cell[left]]
    low, high = points.elevation[left], points.elevation[left + 1]
    above = np.minimum(low, high) >= skylines.highest[station]
    quiet = above | (np.maximum(low, high) < skylines.lowest[station])
    first = skylines.piece_at(station, points.azimuth[left])
    last = skylines.piece_at(station, points.azimuth[left + 1])
    # From point to point the azimuth runs one way, by less than half a turn.
    turn = shortest(points.azimuth[left + 1] - points.azimuth[left])
    way = np.where(turn < 0.0, -1, 1)
    corners = np.where(quiet, 0, (last - first) * way % skylines.count[station])

    owner, k = _numbered(corners)
    further = np.where(way[owner] > 0, k + 1, -k)
    corner = skylines.begin[skylines.step(station[owner], first[owner], further)]
    cell, begin, end = points.cell[left[owner]], points.s[left[owner]], points.s[left[owner] + 1]
    share = shortest(corner - points.azimuth[left[owner]]) / turn[owner]
    motion = Over.of(stretch.local, cell, azimuth=corner, sign=way[owner].astype(np.float64))
    guess = begin + np.clip(share, 0.0, 1.0) * (end - begin)
    step_s = stretch.step_s
    s = solve(past_corner, motion, guess=guess, low=begin, high=end, rising=True, step_s=step_s)

    whole, k = _numbered(corners + 1)
    new = len(points.s) + (np.cumsum(corners) - corners)[whole] + k
    return _Parts(
        points.followed_by(Points.of(stretch.local, cell, s)),
        start=np.where(k == 0, left[whole], new - 1),
        end=np.where(k == corners[whole], left[whole] + 1, new),
        piece=skylines.step(station[whole], first[whole], way[whole] * k),
        quiet=quiet[whole],
        above=above[whole],
    )


def _numbered(counts: IntArray) -> tuple[IntArray, IntArray]:
    """Return for so many things of each owner whose they are, and their number among them."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _roots(
    parts: _Parts, stretch: Stretch, skylines: Skylines
) -> tuple[BoolArray, BoolArray, Changes, IntArray]:
    """Return what is up at both ends of each part, and the changes in between with their order."""
    clear0, rate0 = _clear_and_rate(parts, parts.start, skylines)
    clear1, rate1 = _clear_and_rate(parts, parts.end, skylines)
    up0 = np.where(parts.quiet, parts.above, clear0 >= 0.0)
    up1 = np.where(parts.quiet, parts.above, clear1 >= 0.0)
    bent = np.where(up0, (rate0 < 0.0) & (rate1 > 0.0), (rate0 > 0.0) & (rate1 < 0.0))
    through, at = _extrema(parts, np.flatnonzero((up0 == up1) & bent & ~parts.quiet), up0,
                           rate0, rate1, stretch, skylines)  # fmt: skip
    plain = np.flatnonzero(up0 != up1)
    which = np.concatenate([plain, through, through])
    s0, s1 = parts.points.s[parts.start], parts.points.s[parts.end]
    low = np.concatenate([s0[plain], s0[through], at])
    high = np.concatenate([s1[plain], at, s1[through]])
    rising = np.concatenate([up1[plain], ~up0[through], up0[through]])
    width = s1[plain] - s0[plain]
    share = crossing_guess(clear0[plain], clear1[plain], rate0[plain] * width)
    guess = np.concatenate([s0[plain] + share * width, 0.5 * (low + high)[len(plain) :]])
    motion = _over(parts, which, stretch, skylines, sign=np.where(rising, 1.0, -1.0))
    step_s = stretch.step_s
    s = solve(clearance, motion, guess=guess, low=low, high=high, rising=True, step_s=step_s)
    cell = parts.points.cell[parts.start[which]]
    place = np.repeat([1, 1, 2], [len(plain), len(through), len(through)])
    return up0, up1, Changes(cell, s, rising), 4 * which + place


def _clear_and_rate(
    parts: _Parts, at: IntArray, skylines: Skylines
) -> tuple[FloatArray, FloatArray]:
    """Return elevation less horizon at a point of each part, and its rate."""
    points, piece = parts.points, parts.piece
    clear = points.elevation[at] - skylines.at(piece, points.azimuth[at])
    rate = points.elevation_rate[at] - skylines.slope[piece] * points.azimuth_rate[at]
    return clear, rate


def _extrema(
    parts: _Parts,
    which: IntArray,
    up: BoolArray,
    rate0: FloatArray,
    rate1: FloatArray,
    stretch: Stretch,
    skylines: Skylines,
) -> tuple[IntArray, FloatArray]:
    """Return the parts whose extremum lies on the other side of the horizon, and where."""
    low, high = parts.points.s[parts.start[which]], parts.points.s[parts.end[which]]
    motion = _over(parts, which, stretch, skylines, sign=np.where(up[which], 1.0, -1.0))
    guess = low + (high - low) * rate0[which] / (rate0[which] - rate1[which])
    step_s = stretch.step_s
    s = solve(steepness, motion, guess=guess, low=low, high=high, rising=True, step_s=step_s)
    # With the sign of what is up, the clearance is negative on the other side.
    clear, _ = clearance(motion, s)
    through = clear < 0.0
    return which[through], s[through]


def _over(
    parts: _Parts, which: IntArray, stretch: Stretch, skylines: Skylines, *, sign: FloatArray
) -> Over:
    piece = parts.piece[which]
    return Over.of(
        stretch.local,
        parts.points.cell[parts.start[which]],
        azimuth=skylines.middle[piece],
        height=skylines.height[piece],
        slope=skylines.slope[piece],
        sign=sign,
    )


def _joints(
    parts: _Parts, stretch: Stretch, up0: BoolArray, up1: BoolArray
) -> tuple[Changes, IntArray]:
    """Return the changes between parts, with their order: at a step, or by rounding."""
    cell, s_end = parts.points.cell[parts.start], parts.points.s[parts.end]
    last = np.append(cell[1:] != cell[:-1], True)
    following = np.append(up0[1:], False)
    following[last] = stretch.up_last[cell[last]]
    after = np.flatnonzero(up1 != following)
    first = np.flatnonzero(np.insert(last[:-1], 0, True))
    first = first[up0[first] != stretch.up_first[cell[first]]]
    changes = Changes(
        np.concatenate([cell[first], cell[after]]),
        np.concatenate([np.zeros(len(first)), s_end[after]]),
        np.concatenate([up0[first], following[after]]),
    )
    return changes, np.concatenate([4 * first, 4 * after + 3])
