"""Events in order of station, satellite and time, put together to passes.

Rises and sets alternate within a pair. A pair that is up at the first node gets a rise
there, one that is up at the last node a set, both marked open, so that the passes of two
grids that follow each other can be joined (`join`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.events import Crossings, Events
from orbits.passes.hermite import dot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.cells import Sites
    from orbits.passes.grid import Nodes

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.intp]


_DTYPES: dict[str, type] = {
    "satellite": np.intp,
    "station": np.intp,
    "culminations": np.intp,
    "open_start": bool,
    "open_end": bool,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Passes as columns, all of length P. Times are seconds from the window's start."""

    satellite: IntArray
    station: IntArray
    rise_s: FloatArray
    culmination_s: FloatArray
    set_s: FloatArray
    approach_s: FloatArray
    elevation_deg: FloatArray
    range_km: FloatArray
    rise_azimuth_deg: FloatArray
    culmination_azimuth_deg: FloatArray
    set_azimuth_deg: FloatArray
    culminations: IntArray
    open_start: BoolArray
    open_end: BoolArray

    def __len__(self) -> int:
        return len(self.satellite)

    @classmethod
    @cache
    def empty(cls) -> Block:
        """Return no passes."""
        return cls(**{name: np.zeros(0, dtype=_DTYPES.get(name, float)) for name in _COLUMNS})

    def of_satellites(self, index: tuple[int, ...]) -> Block:
        """Return the same passes with satellites renumbered: the k-th one becomes index[k]."""
        return replace(self, satellite=np.array(index, dtype=np.intp)[self.satellite])

    def later(self, seconds: float) -> Block:
        """Return the same passes with their times counted from so many seconds earlier."""
        return replace(
            self,
            rise_s=self.rise_s + seconds,
            culmination_s=self.culmination_s + seconds,
            set_s=self.set_s + seconds,
            approach_s=self.approach_s + seconds,
        )

    def take(self, index: IntArray | BoolArray) -> Block:
        """Return some of the passes."""
        return Block(**{name: getattr(self, name)[index] for name in _COLUMNS})


# Of a century in seconds.
_ROUNDING_S = 1e-5

_COLUMNS = tuple(field.name for field in fields(Block))


def concatenate(blocks: Sequence[Block]) -> Block:
    """Return the passes of several blocks in their order."""
    filled = [block for block in blocks if len(block)]
    if not filled:
        return Block.empty()
    if len(filled) == 1:
        return filled[0]
    return Block(**{name: np.concatenate([getattr(b, name) for b in filled]) for name in _COLUMNS})


def passes_of(events: Events, nodes: Nodes, sites: Sites) -> Block:
    """Return the passes of a grid, by station, satellite and time."""
    _, satellites, count = nodes.position.shape
    rises, open_start = _with_ends(events.rises, events.up_at_first, 0, nodes, sites)
    sets, open_end = _with_ends(events.sets, events.up_at_last, count - 1, nodes, sites)
    pair = rises.key.astype(np.intp) // count
    station, satellite = pair // satellites, pair % satellites
    if len(rises.key) != len(sets.key):
        raise AssertionError(f"{len(rises.key)} rises and {len(sets.key)} sets")
    axes = np.ascontiguousarray(np.moveaxis(sites.axes, 0, -1)).take(station, axis=2)
    up = axes[2]

    cut = open_start | open_end
    culminations = _within(events.culminations, rises, sets)
    # An arc over an uneven horizon may end above its only culmination.
    arc = cut if sites.skylines is None else cut | (sites.skylines.count[station] > 0)
    top = _best(culminations, rises, sets, arc, lambda p, sight: -_sine(up.take(p, axis=1), sight))
    near = _best(
        _within(events.approaches, rises, sets),
        rises,
        sets,
        cut,
        lambda _, sight: _length(sight),
        ends_may_win=True,
    )
    first = pair * count

    def seconds(key: FloatArray) -> FloatArray:
        offset_s: FloatArray = nodes.start_s + (key - first) * nodes.step_s
        return offset_s

    sine = _sine(up, top.sight)
    return Block(
        satellite=satellite,
        station=station,
        rise_s=seconds(rises.key),
        culmination_s=seconds(top.key),
        set_s=seconds(sets.key),
        approach_s=seconds(near.key),
        elevation_deg=np.degrees(np.arcsin(np.minimum(sine, 1.0))),
        range_km=_length(near.sight),
        rise_azimuth_deg=azimuth_deg(dot(axes[0], rises.sight), dot(axes[1], rises.sight)),
        culmination_azimuth_deg=azimuth_deg(dot(axes[0], top.sight), dot(axes[1], top.sight)),
        set_azimuth_deg=azimuth_deg(dot(axes[0], sets.sight), dot(axes[1], sets.sight)),
        culminations=np.bincount(_owners(culminations, rises), minlength=len(rises.key)).astype(
            np.intp
        ),
        open_start=open_start,
        open_end=open_end,
    )


def _with_ends(
    events: Crossings, up: BoolArray, node: int, nodes: Nodes, sites: Sites
) -> tuple[Crossings, BoolArray]:
    """Return the events and one more at a node for each pair that is up there."""
    if not up.any():
        return events, np.zeros(len(events.key), dtype=bool)
    _, satellites, count = nodes.position.shape
    pair = np.flatnonzero(up)
    key = pair * float(count) + node
    where = np.searchsorted(events.key, key, side="left" if node == 0 else "right")
    position = nodes.position[:, pair % satellites, node]
    sight = position - sites.position_km[pair // satellites].T
    added = np.insert(np.zeros(len(events.key), dtype=bool), where, True)
    merged = Crossings(
        np.insert(events.key, where, key), np.insert(events.sight, where, sight, axis=1)
    )
    return merged, added


def _best(
    inner: Crossings,
    rises: Crossings,
    sets: Crossings,
    cut: BoolArray,
    cost: Callable[[IntArray, FloatArray], FloatArray],
    *,
    ends_may_win: bool = False,
) -> Crossings:
    """Return the point of least cost of each pass: an inner one, or an end.

    `cost` takes the numbers of passes and lines of sight. The only culmination of a whole pass is
    above its ends; its only approach can be further than an end, on an elliptic orbit.
    """
    count = len(rises.key)
    owner = _owners(inner, rises)
    key, sight = np.empty(count), np.empty((3, count))
    key[owner], sight[:, owner] = inner.key, inner.sight
    # A whole pass with one inner point is done; the others are compared with their ends.
    doubtful = cut | (np.bincount(owner, minlength=count) != 1)
    if ends_may_win:
        every = np.arange(count)
        ends = np.minimum(cost(every, rises.sight), cost(every, sets.sight))
        single = ~doubtful
        doubtful[single] = ends[single] < cost(every, sight)[single]
    others = np.flatnonzero(doubtful)
    if not others.size:
        return Crossings(key, sight)
    many = np.flatnonzero(doubtful[owner])
    owners = np.concatenate([owner[many], others, others])
    keys = np.concatenate([inner.key[many], rises.key[others], sets.key[others]])
    sights = np.concatenate(
        [inner.sight[:, many], rises.sight[:, others], sets.sight[:, others]], axis=1
    )
    order = np.lexsort((cost(owners, sights), owners))
    best = order[np.searchsorted(owners[order], others, side="left")]
    key[others], sight[:, others] = keys[best], sights[:, best]
    return Crossings(key, sight)


def _sine(up: FloatArray, sight: FloatArray) -> FloatArray:
    """Return the sine of the elevation of lines of sight over verticals, each (3, K)."""
    sine: FloatArray = dot(up, sight) / _length(sight)
    return sine


def _owners(inner: Crossings, rises: Crossings) -> IntArray:
    """Return which pass each event belongs to, those before any rise to -1."""
    owner: IntArray = np.searchsorted(rises.key, inner.key, side="right") - 1
    return owner


def _within(inner: Crossings, rises: Crossings, sets: Crossings) -> Crossings:
    """Return the events that lie within a pass."""
    if not len(rises.key):
        return Crossings(inner.key[:0], inner.sight[:, :0])
    owner = _owners(inner, rises)
    inside = (owner >= 0) & (inner.key <= sets.key[owner])
    return Crossings(inner.key[inside], inner.sight[:, inside])


def _length(vectors: FloatArray) -> FloatArray:
    length: FloatArray = np.sqrt(dot(vectors, vectors))
    return length


def azimuth_deg(east: FloatArray, north: FloatArray) -> FloatArray:
    """Return azimuths clockwise from north, 0 to 360."""
    azimuth: FloatArray = np.degrees(np.arctan2(east, north))
    # What % 360 would do, without its divisions.
    azimuth += 360.0 * (azimuth < 0.0)
    return azimuth


def join(earlier: Block, later: Block, *, border_s: float) -> Block:
    """Return both blocks' passes, those made one that a pair has open at the border.

    A pass open on one side alone ends there: the Earth's angle jumps at a leap second.
    """
    left = np.flatnonzero(earlier.open_end & (earlier.set_s >= border_s - _ROUNDING_S))
    right = np.flatnonzero(later.open_start & (later.rise_s <= border_s + _ROUNDING_S))
    width = 1 + int(max(earlier.satellite.max(initial=0), later.satellite.max(initial=0)))
    left_pair = earlier.station[left] * width + earlier.satellite[left]
    right_pair = later.station[right] * width + later.satellite[right]
    _, i, j = np.intersect1d(left_pair, right_pair, assume_unique=True, return_indices=True)
    one, two = earlier.take(left[i]), later.take(right[j])
    higher = one.elevation_deg >= two.elevation_deg
    nearer = one.range_km <= two.range_km
    joined = replace(
        one,
        set_s=two.set_s,
        set_azimuth_deg=two.set_azimuth_deg,
        open_end=two.open_end,
        elevation_deg=np.maximum(one.elevation_deg, two.elevation_deg),
        range_km=np.minimum(one.range_km, two.range_km),
        culmination_s=np.where(higher, one.culmination_s, two.culmination_s),
        culmination_azimuth_deg=np.where(
            higher, one.culmination_azimuth_deg, two.culmination_azimuth_deg
        ),
        approach_s=np.where(nearer, one.approach_s, two.approach_s),
        culminations=one.culminations + two.culminations,
    )
    alone_left = replace(earlier, open_end=_without(earlier.open_end, left))
    alone_right = replace(later, open_start=_without(later.open_start, right))
    keep_left, keep_right = np.ones(len(earlier), dtype=bool), np.ones(len(later), dtype=bool)
    keep_left[left[i]] = False
    keep_right[right[j]] = False
    return concatenate([alone_left.take(keep_left), joined, alone_right.take(keep_right)])


def _without(flags: BoolArray, index: IntArray) -> BoolArray:
    flags = flags.copy()
    flags[index] = False
    return flags
