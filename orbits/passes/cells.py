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

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.grid import Nodes

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.intp]

# The acceleration between nodes exceeds that at the nodes by less than this factor.
_ACCELERATION_MARGIN = 1.3
# The geodetic and the geocentric vertical differ by less than this angle.
_VERTICAL_RAD = np.radians(0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """M stations as arrays.

    `position_km` (M, 3) Earth-fixed, `axes` (M, 3, 3) with rows east, north and up,
    `mask_rad` (M,).
    """

    position_km: FloatArray
    axes: FloatArray
    mask_rad: FloatArray

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


class NodeView:
    """The nodes of S satellites as M stations see them: arrays of shape (M, S N)."""

    def __init__(self, nodes: Nodes, sites: Sites) -> None:
        position = nodes.position.reshape(3, -1)
        velocity = nodes.velocity.reshape(3, -1)
        up, at = sites.axes[:, 2, :], sites.position_km
        self.count = nodes.position.shape[-1]
        self.sites = sites
        self.height = up @ position - np.einsum("ij,ij->i", up, at)[:, None]
        self.climbing = up @ velocity
        self.toward = at @ position
        self.toward_rate = at @ velocity
        self.radius2 = np.einsum("ij,ij->j", position, position)
        self.radial = np.einsum("ij,ij->j", position, velocity)
        self.site2 = np.einsum("ij,ij->i", at, at)
        self.sin_mask = np.sin(sites.mask_rad)

    def ends(self, station: IntArray, node: IntArray) -> Ends:
        """Return what is known of pairs of station and node."""
        flat = station * self.radius2.size + node
        height, climbing = self.height.ravel()[flat], self.climbing.ravel()[flat]
        range2 = self.radius2[node] - 2.0 * self.toward.ravel()[flat] + self.site2[station]
        closing = self.radial[node] - self.toward_rate.ravel()[flat]
        range_km = np.sqrt(range2)
        sin_mask = self.sin_mask[station]
        return Ends(
            clear=height - sin_mask * range_km,
            clear_rate=climbing - sin_mask * closing / range_km,
            climb=climbing * range2 - height * closing,
            closing=closing,
        )

    def is_up(self, node: int) -> BoolArray:
        """Return whether each satellite is above each mask at one node, shape (M S,)."""
        satellites = self.radius2.size // self.count
        at = np.arange(satellites) * self.count + node % self.count
        station = np.repeat(np.arange(self.sites.count), satellites)
        up: BoolArray = self.ends(station, np.tile(at, self.sites.count)).clear >= 0.0
        return up


def visible_cells(view: NodeView, nodes: Nodes) -> tuple[IntArray, IntArray]:
    """Return station and first node of every cell that can hold a visible instant.

    In order of station, satellite and time; nodes are numbered s N + i.
    """
    least = _least_height_km(nodes, view.sites)
    stations, satellites = least.shape
    seen = view.height.reshape(stations, satellites, -1) > least[:, :, None]
    cell = np.zeros_like(seen)
    np.logical_or(seen[..., :-1], seen[..., 1:], out=cell[..., :-1])
    station, node = np.nonzero(cell.reshape(stations, -1))
    return station, node


def _least_height_km(nodes: Nodes, sites: Sites) -> FloatArray:
    """Return the height above the horizon plane that both ends miss if a cell is dark.

    Shape (M, S). At the mask it is least where the orbit is lowest (a mask above the
    horizon) or highest (below it), by the triangle of Earth's centre, station, satellite.
    """
    radius = np.sqrt(np.einsum("csn,csn->sn", nodes.position, nodes.position))
    low, high = radius.min(axis=1), radius.max(axis=1)
    # Between nodes the radius passes its extremes there by e angle^2 / 8 of itself.
    sag = np.minimum(0.05 * (high - low), 0.02 * low) + 1.0
    acceleration = np.sqrt(np.einsum("csn,csn->sn", nodes.acceleration, nodes.acceleration))
    bulge = acceleration.max(axis=1) * (_ACCELERATION_MARGIN / 8.0)
    site = np.linalg.norm(sites.position_km, axis=1)[:, None]
    mask = sites.mask_rad[:, None]
    tilted = mask + _VERTICAL_RAD
    above = _range_km(np.maximum(low - sag, 0.0), site, tilted)
    below = _range_km(high + sag, site, mask - _VERTICAL_RAD)
    height: FloatArray = np.where(mask >= 0.0, above, below) * np.sin(mask) - bulge
    return height


def _range_km(radius: FloatArray, site: FloatArray, elevation_rad: FloatArray) -> FloatArray:
    """Return the range at an elevation to a sphere of some radius, zero where below it."""
    chord2 = np.maximum(radius**2 - (site * np.cos(elevation_rad)) ** 2, 0.0)
    return np.maximum(np.sqrt(chord2) - site * np.sin(elevation_rad), 0.0)
