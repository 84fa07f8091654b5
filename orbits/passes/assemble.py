"""Events in order of station, satellite and time, put together to passes.

Rises and sets alternate within a pair. A pair that is up at the first node gets a rise
there, one that is up at the last node a set, both marked open, so that the passes of two
grids that follow each other can be joined (`join`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.events import Crossings, Events

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
    def empty(cls) -> Block:
        """Return no passes."""
        return cls(**{f.name: np.zeros(0, dtype=_DTYPES.get(f.name, float)) for f in fields(cls)})

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
        return Block(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def concatenate(blocks: list[Block]) -> Block:
    """Return the passes of several blocks, at least one, in their order."""
    if len(blocks) == 1:
        return blocks[0]
    return Block(
        **{f.name: np.concatenate([getattr(b, f.name) for b in blocks]) for f in fields(Block)}
    )


def passes_of(events: Events, nodes: Nodes, sites: Sites) -> Block:
    """Return the passes of a grid, by station, satellite and time."""
    _, satellites, count = nodes.position.shape
    rises, open_start = _with_ends(events.rises, events.up_at_first, 0, nodes, sites)
    sets, open_end = _with_ends(events.sets, events.up_at_last, count - 1, nodes, sites)
    pair = (rises.key // count).astype(np.intp)
    station, satellite = pair // satellites, pair % satellites
    if len(rises.key) != len(sets.key):
        raise AssertionError(f"{len(rises.key)} rises and {len(sets.key)} sets")
    up = sites.axes[:, 2, :]

    top = _best(events.culminations, rises, sets, station, up, highest=True)
    near = _best(events.approaches, rises, sets, station, up, highest=False)
    first = pair * count
    axes = sites.axes[station]

    def seconds(key: FloatArray) -> FloatArray:
        offset_s: FloatArray = nodes.start_s + (key - first) * nodes.step_s
        return offset_s

    sine = np.einsum("kj,jk->k", axes[:, 2], top.sight) / _length(top.sight)
    return Block(
        satellite=satellite,
        station=station,
        rise_s=seconds(rises.key),
        culmination_s=seconds(top.key),
        set_s=seconds(sets.key),
        approach_s=seconds(near.key),
        elevation_deg=np.degrees(np.arcsin(np.minimum(sine, 1.0))),
        range_km=_length(near.sight),
        rise_azimuth_deg=_azimuth_deg(axes, rises.sight),
        culmination_azimuth_deg=_azimuth_deg(axes, top.sight),
        set_azimuth_deg=_azimuth_deg(axes, sets.sight),
        culminations=_count(events.culminations, rises),
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
    station: IntArray,
    up: FloatArray,
    *,
    highest: bool,
) -> Crossings:
    """Return the highest or the nearest point of each pass: an inner one, or an end."""
    owner = np.searchsorted(rises.key, inner.key, side="right") - 1
    inside = (
        (owner >= 0) & (inner.key <= sets.key[np.maximum(owner, 0)])
        if len(sets.key)
        else owner >= 0
    )
    if not inside.all():
        inner = Crossings(inner.key[inside], inner.sight[:, inside])
        owner = owner[inside]
    if np.array_equal(owner, np.arange(len(rises.key))):
        return inner

    def worth(points: Crossings, owner: IntArray) -> FloatArray:
        if not highest:
            return -_length(points.sight)
        heights: FloatArray = np.einsum("kj,jk->k", up[station[owner]], points.sight)
        return heights / _length(points.sight)

    everyone = np.arange(len(rises.key))
    owners = np.concatenate([owner, everyone, everyone])
    keys = np.concatenate([inner.key, rises.key, sets.key])
    sights = np.concatenate([inner.sight, rises.sight, sets.sight], axis=1)
    value = worth(Crossings(keys, sights), owners)
    order = np.lexsort((value, owners))
    last = order[np.searchsorted(owners[order], everyone, side="right") - 1]
    return Crossings(keys[last], sights[:, last])


def _count(culminations: Crossings, rises: Crossings) -> IntArray:
    owner = np.searchsorted(rises.key, culminations.key, side="right") - 1
    return np.bincount(owner[owner >= 0], minlength=len(rises.key)).astype(np.intp)


def _length(vectors: FloatArray) -> FloatArray:
    length: FloatArray = np.sqrt(np.einsum("jk,jk->k", vectors, vectors))
    return length


def _azimuth_deg(axes: FloatArray, sight: FloatArray) -> FloatArray:
    """Return azimuths clockwise from north, 0 to 360, of vectors (3, K) by axes (K, 3, 3)."""
    east = np.einsum("kj,jk->k", axes[:, 0], sight)
    north = np.einsum("kj,jk->k", axes[:, 1], sight)
    azimuth: FloatArray = np.degrees(np.arctan2(east, north)) % 360.0
    return azimuth


def join(earlier: Block, later: Block, *, border_s: float) -> Block:
    """Return both blocks' passes, those made one that a pair has open at the border.

    A pass open on one side alone ends there: the Earth's angle jumps at a leap second.
    """
    left = np.flatnonzero(earlier.open_end & (earlier.set_s >= border_s))
    right = np.flatnonzero(later.open_start & (later.rise_s <= border_s))
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
