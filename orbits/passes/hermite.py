"""The motion within a grid cell: a quintic through both ends' first three derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.passes.grid import Nodes

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.intp]
    BoolArray = NDArray[np.bool_]


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


Moving = TypeVar("Moving", bound=Quintics)
Function = Callable[[Moving, "FloatArray"], "tuple[FloatArray, FloatArray]"]
"""Value and slope of something at a fraction of each cell."""

_TOLERANCE_S = 1e-6
_EXTRA_STEPS = 6
_BISECTIONS = 44  # a cell of 1500 s down to 0.1 ns


def climb(motion: Motion, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return d(sin elevation)/ds times range^3, and its slope; zero at a culmination.

    With r the line of sight and up = u.r, it is up' r^2 - up (r.r'), which is close to a
    straight line even near the zenith.
    """
    (r, v), a = motion.with_velocity(s), motion.acceleration(s)
    up, up_rate = dot(motion.up, r), dot(motion.up, v)
    range2, closing = dot(r, r), dot(r, v)
    value = up_rate * range2 - up * closing
    slope = dot(motion.up, a) * range2 + up_rate * closing - up * (dot(v, v) + dot(r, a))
    return value, slope


def closing(motion: Motion, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return half the rate of range^2, and its slope; zero at the closest approach."""
    r, v = motion.with_velocity(s)
    return dot(r, v), dot(v, v) + dot(r, motion.acceleration(s))


def clearance(motion: Motion, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return range times (sin elevation - sin mask), and its slope; zero at rise and set."""
    r, v = motion.with_velocity(s)
    range_km = np.sqrt(dot(r, r))
    value = dot(motion.up, r) - motion.sin_mask * range_km
    slope = dot(motion.up, v) - motion.sin_mask * dot(r, v) / range_km
    return value, slope


def solve(
    function: Function[Moving],
    motion: Moving,
    *,
    guess: FloatArray,
    low: FloatArray,
    high: FloatArray,
    rising: bool | BoolArray,
    step_s: float,
) -> FloatArray:
    """Return the root of a function in each cell, as a fraction of the cell, shape (K,).

    Each function has one sign at `low` and the other at `high`, negative first if
    `rising`; the root lies between them. Its error is under a microsecond: Newton's steps
    a, b are followed by an error of about b^3 / a^2.
    """
    tolerance = _TOLERANCE_S / step_s
    s, first = _newton(function, motion, guess, low, high)
    s, second = _newton(function, motion, s, low, high)
    left = np.flatnonzero(_is_open(first, second, s, low, high, tolerance))
    for _ in range(_EXTRA_STEPS):
        if not left.size:
            return s
        first = second if second.size == left.size else second[left]
        part, lows, highs = motion.take(left), low[left], high[left]
        s[left], second = _newton(function, part, s[left], lows, highs)
        still = _is_open(first, second, s[left], lows, highs, tolerance)
        left, second = left[still], second[still]
    if left.size:
        rises = np.broadcast_to(rising, s.shape)[left]
        s[left] = _bisect(function, motion.take(left), low[left], high[left], rises)
    return s


def _is_open(
    first: FloatArray,
    second: FloatArray,
    s: FloatArray,
    low: FloatArray,
    high: FloatArray,
    tolerance: float,
) -> BoolArray:
    """Return which roots are not found yet, after steps of these lengths.

    A step that was cut off at an end of the bracket tells nothing.
    """
    # Not second**3: a general power costs ten times as much as two products.
    far = (second > tolerance) & (second * second * second > tolerance * (first * first))
    is_open: BoolArray = far | (s <= low) | (s >= high)
    return is_open


def _newton(
    function: Function[Moving], motion: Moving, s: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return one Newton step, kept between the ends, and how far it went."""
    value, slope = function(motion, s)
    # A flat function (slope 0) is sent to an end, and from there to bisection.
    step = np.divide(value, slope, out=np.full_like(s, 2.0), where=slope != 0.0)
    following = np.minimum(np.maximum(s - step, low), high)
    return following, np.abs(following - s)


def _bisect(
    function: Function[Moving], motion: Moving, low: FloatArray, high: FloatArray, rising: BoolArray
) -> FloatArray:
    """Return the roots by halving the brackets."""
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        value, _ = function(motion, middle)
        before = (value < 0.0) == rising
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return 0.5 * (low + high)


def crossing_guess(below: FloatArray, above: FloatArray, slope: FloatArray) -> FloatArray:
    """Return where the parabola from `below` at 0 to `above` at 1 is zero, 0 to 1.

    `slope` is its derivative at 0. Without a root in there, the middle is returned.
    """
    curve = above - below - slope
    # The roots of curve t^2 + slope t + below = 0, in the form that does not cancel.
    root = np.sqrt(np.maximum(slope * slope - 4.0 * curve * below, 0.0))
    q = -0.5 * (slope + np.copysign(root, slope))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        first, second = below / q, q / curve
    t = np.where((first >= 0.0) & (first <= 1.0), first, second)
    middle: FloatArray = np.where((t >= 0.0) & (t <= 1.0), t, 0.5)
    return middle
