"""The motion within a grid cell: a quintic through both ends' first three derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.grid import Nodes

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.intp]


def cell_coefficients(nodes: Nodes, first: IntArray) -> FloatArray:
    """Return the quintic Hermite coefficients of C cells, shape (6, 3, C), km.

    Cell s N + i, of those in `first`, runs from node i to i + 1 of satellite s. The error is
    the sixth derivative times step^6 / 46080 at most, in the middle.

    Source: two-point Hermite interpolation, e.g. Davis, Interpolation and Approximation,
    section 2.5.
    """
    p, v, a = (x.reshape(3, -1) for x in (nodes.position, nodes.velocity, nodes.acceleration))
    c = np.empty((6, 3, len(first)))
    p.take(first, axis=1, out=c[0])
    v.take(first, axis=1, out=c[1])
    a0 = a.take(first, axis=1)
    np.multiply(a0, 0.5, out=c[2])
    # What constant acceleration leaves of position, velocity and acceleration at the end.
    last = first + 1
    d = p.take(last, axis=1) - c[0] - c[1] - c[2]
    e = v.take(last, axis=1) - c[1] - a0
    f = 0.5 * a.take(last, axis=1) - c[2]
    np.add(10.0 * d - 4.0 * e, f, out=c[3])
    np.subtract(7.0 * e - 15.0 * d, 2.0 * f, out=c[4])
    np.add(6.0 * d - 3.0 * e, f, out=c[5])
    return c


@dataclass(frozen=True, slots=True)
class Quintics:
    """Vectors that move within one cell each, K of them: `coefficients` (6, 3, K).

    Times are fractions of a cell.
    """

    coefficients: FloatArray

    def take(self, index: IntArray) -> Self:
        """Return a part of the cells."""
        return replace(self, coefficients=self.coefficients.take(index, axis=2))

    def position(self, s: FloatArray) -> FloatArray:
        """Return the vectors, shape (3, K)."""
        c = self.coefficients
        r: FloatArray = c[5] * s
        for power in (4, 3, 2, 1):
            r += c[power]
            r *= s
        r += c[0]
        return r

    def with_velocity(self, s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the vectors and their derivatives per cell, each (3, K).

        Both by one Horner scheme: the partial results of the first are the coefficients
        of the second.
        """
        c = self.coefficients
        r = c[5] * s
        r += c[4]
        v = c[5] * s
        v += r
        for power in (3, 2):
            r *= s
            r += c[power]
            v *= s
            v += r
        r *= s
        r += c[1]
        v *= s
        v += r
        r *= s
        r += c[0]
        return r, v

    def acceleration(self, s: FloatArray) -> FloatArray:
        """Return the second derivative per cell squared, shape (3, K)."""
        c = self.coefficients
        a: FloatArray = (20.0 * s) * c[5]
        a += 12.0 * c[4]
        a *= s
        a += 6.0 * c[3]
        a *= s
        a += 2.0 * c[2]
        return a


@dataclass(frozen=True, slots=True)
class Motion(Quintics):
    """The line of sight from a station to a satellite, in km.

    `up` (3, K) is the station's vertical; `sin_mask` (K,).
    """

    up: FloatArray
    sin_mask: FloatArray

    def take(self, index: IntArray) -> Motion:
        """Return a part of the cells."""
        return Motion(
            self.coefficients.take(index, axis=2),
            self.up.take(index, axis=1),
            self.sin_mask.take(index),
        )


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the inner product along the first axis, of length 3."""
    product: FloatArray = np.einsum("jk,jk->k", a, b)
    return product
