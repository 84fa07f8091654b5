"""The motion within a grid cell: a quintic through both ends' first three derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.grid import Nodes

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.intp]


def cell_coefficients(nodes: Nodes) -> FloatArray:
    """Return the quintic Hermite coefficients of every cell, shape (S N, 18).

    Row s N + i is the cell from node i to i + 1 of satellite s, coefficient by coefficient
    and x, y, z within; the last row of each satellite is no cell and stays zero. The error
    is the sixth derivative times step^6 / 46080 at most, in the middle.

    Source: two-point Hermite interpolation, e.g. Davis, Interpolation and Approximation,
    section 2.5.
    """
    p, v, a = nodes.position, nodes.velocity, nodes.acceleration
    p0, v0, a0 = p[..., :-1], v[..., :-1], a[..., :-1]
    half_a0 = 0.5 * a0
    d = p[..., 1:] - p0 - v0 - half_a0
    e = v[..., 1:] - v0 - a0
    f = 0.5 * (a[..., 1:] - a0)
    _, satellites, count = p.shape
    rows = np.zeros((satellites, count, 6, 3))
    cells = rows[:, :-1]
    parts = (
        p0,
        v0,
        half_a0,
        10.0 * d - 4.0 * e + f,
        -15.0 * d + 7.0 * e - 2.0 * f,
        6.0 * d - 3.0 * e + f,
    )
    for power, part in enumerate(parts):
        cells[:, :, power, :] = np.moveaxis(part, 0, -1)
    return rows.reshape(satellites * count, 18)


@dataclass(frozen=True, slots=True)
class Motion:
    """The line of sight from a station to a satellite within one cell each, K of them.

    `coefficients` (6, 3, K) of station to satellite, km; `up` (3, K) the station's
    vertical; `sin_mask` (K,). Times are fractions of a cell.
    """

    coefficients: FloatArray
    up: FloatArray
    sin_mask: FloatArray

    def take(self, index: IntArray | NDArray[np.bool_]) -> Motion:
        """Return a part of the cells."""
        return Motion(self.coefficients[:, :, index], self.up[:, index], self.sin_mask[index])

    def position(self, s: FloatArray) -> FloatArray:
        """Return the line of sight, shape (3, K), km."""
        c = self.coefficients
        value: FloatArray = ((((c[5] * s + c[4]) * s + c[3]) * s + c[2]) * s + c[1]) * s + c[0]
        return value

    def velocity(self, s: FloatArray) -> FloatArray:
        """Return its derivative per cell, shape (3, K)."""
        c = self.coefficients
        value: FloatArray = (
            ((5.0 * c[5] * s + 4.0 * c[4]) * s + 3.0 * c[3]) * s + 2.0 * c[2]
        ) * s + c[1]
        return value

    def acceleration(self, s: FloatArray) -> FloatArray:
        """Return its second derivative per cell squared, shape (3, K)."""
        c = self.coefficients
        value: FloatArray = ((20.0 * c[5] * s + 12.0 * c[4]) * s + 6.0 * c[3]) * s + 2.0 * c[2]
        return value


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the inner product along the first axis, of length 3."""
    product: FloatArray = a[0] * b[0]
    product += a[1] * b[1]
    product += a[2] * b[2]
    return product
