"""Which grid cells a satellite may be visible in, and what is known at their ends.

A satellite is looked for at the nodes only. Inside a cell its height above a station's
horizon plane exceeds that at both ends by less than step^2 / 8 times its greatest
acceleration (about 110 km in a low orbit), so a threshold lowered by as much finds every
cell that can hold a visible instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.hermite import dot
from orbits.passes.skyline import Skylines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.grid import Nodes

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.intp]

# The geodetic and the geocentric vertical differ by less than this angle.
_VERTICAL_RAD = np.radians(0.2)
# The screen is computed in single precision: 0.004 km at a distance of 40,000 km.
_SLACK_KM = 1.0
# A larger matrix product of four terms is shared among threads by OpenBLAS (its limit is
# 4 x 65536 multiplications), which costs more processor time than it saves.
_PRODUCT_MAX = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """M stations as arrays.

    `position_km` (M, 3) Earth-fixed, `axes` (M, 3, 3) with rows east, north and up,
    `mask_rad` (M,). Above the mask, which is the lowest point of an uneven horizon, the
    `skylines` count.
    """

    position_km: FloatArray
    axes: FloatArray
    mask_rad: FloatArray
    skylines: Skylines | None = None

    @property
    def count(self) -> int:
        """How many stations there are."""
        return len(self.mask_rad)


@dataclass(frozen=True, slots=True)
class Ends:
    """What is known of K pairs of station and node.

    `clear` is range times (sin elevation - sin mask) and `clear_rate` its derivative;
    `climb` and `closing` are as in `roots`. Lengths in km, times in cells.
    """

    clear: FloatArray
    clear_rate: FloatArray
    climb: FloatArray
    closing: FloatArray

    def take(self, index: IntArray) -> Ends:
        """Return a part of the pairs."""
        return Ends(
            self.clear.take(index),
            self.clear_rate.take(index),
            self.climb.take(index),
            self.closing.take(index),
        )


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells that may hold a visible instant, K of them, by station, satellite and time.

    `station` and `node`, numbered s N + i, say which; `before` and `after` what is known at
    the node and at the following one.
    """

    station: IntArray
    node: IntArray
    before: Ends
    after: Ends


def visible_cells(nodes: Nodes, sites: Sites) -> Cells:
    """Return every cell that can hold a visible instant."""
    _, satellites, count = nodes.position.shape
    total = satellites * count
    least = least_heights_km(*_extremes(nodes), sites).astype(np.float32)
    height = heights_km(nodes.position, sites)

    seen = height > least[:, :, None]
    cell = np.zeros_like(seen)
    np.logical_or(seen[..., :-1], seen[..., 1:], out=cell[..., :-1])
    wanted = cell.copy()
    wanted[..., 1:] |= cell[..., :-1]
    flat = np.flatnonzero(wanted)
    station, node = np.divmod(flat, total)
    ends = node_ends(nodes, sites, station, node)
    # The nodes of a cell follow each other, here as there.
    first = np.flatnonzero(cell.ravel()[flat])
    return Cells(station[first], node[first], ends.take(first), ends.take(first + 1))


def heights_km(position_km: FloatArray, sites: Sites) -> NDArray[np.float32]:
    """Return the heights of positions (3, S, N) above all horizon planes, shape (M, S, N)."""
    up = sites.axes[:, 2, :]
    _, satellites, count = position_km.shape
    total = satellites * count
    planes = np.column_stack([up, -np.einsum("ij,ij->i", up, sites.position_km)])
    planes = planes.astype(np.float32)
    places = np.ones((4, total), dtype=np.float32)
    places[:3] = position_km.reshape(3, total)
    height = np.empty((sites.count, total), dtype=np.float32)
    width = max(1, _PRODUCT_MAX // sites.count)
    for first in range(0, total, width):
        np.matmul(planes, places[:, first : first + width], out=height[:, first : first + width])
    return height.reshape(sites.count, satellites, count)


def node_ends(nodes: Nodes, sites: Sites, station: IntArray, node: IntArray) -> Ends:
    """Return what is known of pairs of station and node."""
    r = nodes.position.reshape(3, -1).take(node, axis=1)
    v = nodes.velocity.reshape(3, -1).take(node, axis=1)
    r -= sites.position_km.T.take(station, axis=1)
    up = np.ascontiguousarray(sites.axes[:, 2, :].T).take(station, axis=1)
    sin_mask = np.sin(sites.mask_rad).take(station)
    height, height_rate = dot(up, r), dot(up, v)
    range2, closing = dot(r, r), dot(r, v)
    range_km = np.sqrt(range2)
    return Ends(
        clear=height - sin_mask * range_km,
        clear_rate=height_rate - sin_mask * closing / range_km,
        climb=height_rate * range2 - height * closing,
        closing=closing,
    )


def up_at(nodes: Nodes, sites: Sites, node: int) -> BoolArray:
    """Return whether each satellite is above each horizon at one node, shape (M S,)."""
    _, satellites, count = nodes.position.shape
    at = np.tile(np.arange(satellites) * count + node % count, sites.count)
    station = np.repeat(np.arange(sites.count), satellites)
    up: BoolArray = node_ends(nodes, sites, station, at).clear >= 0.0
    if sites.skylines is not None:
        uneven = np.flatnonzero(up & (sites.skylines.count[station] > 0))
        up[uneven] = clears_horizon(nodes, sites, sites.skylines, station[uneven], at[uneven])
    return up


def clears_horizon(
    nodes: Nodes, sites: Sites, skylines: Skylines, station: IntArray, node: IntArray
) -> BoolArray:
    """Return whether the satellite is above an uneven horizon, of K pairs of station and node."""
    position_km = nodes.position.reshape(3, -1).take(node, axis=1)
    return skylines.is_up(station, position_km - sites.position_km.T[:, station], sites.axes)


def _extremes(nodes: Nodes) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the least and greatest radius of each satellite and its greatest acceleration."""
    radius = np.sqrt(np.einsum("csn,csn->sn", nodes.position, nodes.position))
    acceleration = np.sqrt(np.einsum("csn,csn->sn", nodes.acceleration, nodes.acceleration))
    return radius.min(axis=1), radius.max(axis=1), acceleration.max(axis=1)


def least_heights_km(
    low: FloatArray, high: FloatArray, acceleration: FloatArray, sites: Sites
) -> FloatArray:
    """Return the height above the horizon plane that both ends miss if a cell is dark.

    Shape (M, S), of S satellites that keep between two radii and below an acceleration. At
    the mask it is least where the orbit is lowest (a mask above the horizon) or highest
    (below it), by the triangle of Earth's centre, station, satellite.
    """
    spread = (high - low) / (high + low)
    # Between nodes the radius passes its extremes there by e angle^2 / 8 of itself, and
    # the acceleration by less than e / 2 (measured at e 0.8: 0.15).
    sag = np.minimum(0.05 * (high - low), 0.02 * low) + 1.0
    bulge = acceleration * (1.02 + 0.5 * spread) / 8.0 + _SLACK_KM
    site = np.linalg.norm(sites.position_km, axis=1)[:, None]
    mask = sites.mask_rad[:, None]
    above = _range_km(np.maximum(low - sag, 0.0), site, mask + _VERTICAL_RAD)
    below = _range_km(high + sag, site, mask - _VERTICAL_RAD)
    height: FloatArray = np.where(mask >= 0.0, above, below) * np.sin(mask) - bulge
    return height


def _range_km(radius: FloatArray, site: FloatArray, elevation_rad: FloatArray) -> FloatArray:
    """Return the range at an elevation to a sphere of some radius, zero where below it."""
    chord2 = np.maximum(radius**2 - (site * np.cos(elevation_rad)) ** 2, 0.0)
    return np.maximum(np.sqrt(chord2) - site * np.sin(elevation_rad), 0.0)
