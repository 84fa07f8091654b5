"""The uneven horizons of many stations as arrays of straight pieces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orbits.horizon import HorizonMask
from orbits.passes.hermite import dot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.intp]

TURN_RAD = 2.0 * np.pi
_STATION_RAD = 10.0  # more than a turn
# Azimuths are told from a piece's middle, which must not lie behind the observer.
_WIDTH_DEG_MAX = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Skylines:
    """The straight pieces of M horizons, those of a station side by side, clockwise.

    `first` and `count` (M,) say which are whose; an even horizon has none. `lowest` and
    `highest` (M,) bound it. Of each piece: `begin` and `middle` azimuth, `height` of the
    horizon there in the middle, and its `slope`. All in radians.
    """

    first: IntArray
    count: IntArray
    lowest: FloatArray
    highest: FloatArray
    key: FloatArray
    begin: FloatArray
    middle: FloatArray
    height: FloatArray
    slope: FloatArray

    @classmethod
    def of(cls, horizons: Sequence[HorizonMask]) -> Skylines | None:
        """Return the skylines of stations, or None if all of their horizons are even."""
        rows = [
            (station, *row)
            for station, horizon in enumerate(horizons)
            if not horizon.is_constant
            for row in _rows(horizon)
        ]
        if not rows:
            return None
        station, begin, middle, height, slope = np.array(rows).T
        count = np.bincount(station.astype(np.intp), minlength=len(horizons))
        begin = np.radians(begin)
        return cls(
            first=np.cumsum(count) - count,
            count=count,
            lowest=np.radians([min(horizon.elevation_deg) for horizon in horizons]),
            highest=np.radians([max(horizon.elevation_deg) for horizon in horizons]),
            key=station * _STATION_RAD + begin,
            begin=begin,
            middle=np.radians(middle),
            height=np.radians(height),
            slope=slope,
        )

    def piece_at(self, station: IntArray, azimuth: FloatArray) -> IntArray:
        """Return which piece of its station's horizon is at each azimuth, 0 to a turn."""
        key = station * _STATION_RAD + azimuth
        piece = np.searchsorted(self.key, key, side="right") - 1
        # Before the first corner it is the last piece that comes round.
        return np.where(piece < self.first[station], piece + self.count[station], piece)

    def step(self, station: IntArray, piece: IntArray, by: IntArray) -> IntArray:
        """Return the piece so many further clockwise."""
        first = self.first[station]
        further: IntArray = first + (piece - first + by) % self.count[station]
        return further

    def at(self, piece: IntArray, azimuth: FloatArray) -> FloatArray:
        """Return how high the line of a piece is at each azimuth."""
        height: FloatArray = self.height[piece] + self.slope[piece] * shortest(
            azimuth - self.middle[piece]
        )
        return height

    def is_up(self, station: IntArray, sight: FloatArray, axes: FloatArray) -> BoolArray:
        """Return whether lines of sight (3, K) clear the horizons of their stations.

        `axes` (M, 3, 3) are the directions east, north and up of all stations.
        """
        east, north, up = (dot(axes[station, k].T, sight) for k in range(3))
        azimuth = np.arctan2(east, north)
        azimuth += TURN_RAD * (azimuth < 0.0)
        elevation = np.arctan2(up, np.hypot(east, north))
        is_up: BoolArray = elevation >= self.at(self.piece_at(station, azimuth), azimuth)
        return is_up


def shortest(angle: FloatArray) -> FloatArray:
    """Return angles within half a turn either way."""
    turned: FloatArray = angle - TURN_RAD * np.rint(angle / TURN_RAD)
    return turned


def _rows(horizon: HorizonMask) -> list[tuple[float, float, float, float]]:
    """Return begin, middle, height in the middle and slope of each piece, ascending."""
    rows = []
    for piece in horizon.pieces():
        slope = (piece.end_elevation_deg - piece.elevation_deg) / piece.width_deg
        parts = math.ceil(piece.width_deg / _WIDTH_DEG_MAX)
        width = piece.width_deg / parts
        for k in range(parts):
            begin = piece.azimuth_deg + k * width
            height = piece.elevation_deg + slope * (k + 0.5) * width
            rows.append((begin % 360.0, begin + 0.5 * width, height, slope))
    return sorted(rows)
