"""The motion within one cell and its events, compiled by numba: see `compiled`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numba

from orbits.passes.grid import FIRST, PAD, SECOND

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    Vector = tuple[float, float, float]

_Function = TypeVar("_Function", bound=Callable[..., object])
_CLIMB, _CLOSING, _CLEARANCE = 0, 1, 2
_EXTRA_STEPS = 6
_BISECTIONS = 44
_NONE = -1.0
_SECOND_SUM = float(SECOND.sum())


def compiled(function: _Function) -> _Function:
    """Return a function compiled when it is first called, or taken from the cache.

    The cache knows what is in the function's own file, not in what that calls: hence
    `compiled.CALLED`.
    """
    compiler: Any = numba.njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"})
    made: _Function = compiler(function)
    return made


def inlined(function: _Function) -> _Function:
    """Return a function that is compiled as a part of those that call it."""
    compiler: Any = numba.njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
    made: _Function = compiler(function)
    return made


@inlined
def set_node(padded: FloatArray, s: int, k: int, nodes: FloatArray) -> None:
    """Set position, velocity and acceleration at a node (`grid.central_nodes`)."""
    middle = PAD + k
    for j in range(3):
        v, a = 0.0, -2.0 * _SECOND_SUM * padded[j, s, middle]
        for n in range(1, PAD + 1):
            after, before = padded[j, s, middle + n], padded[j, s, middle - n]
            v += FIRST[n - 1] * (after - before)
            a += SECOND[n - 1] * (after + before)
        nodes[k, j], nodes[k, 3 + j], nodes[k, 6 + j] = padded[j, s, middle], v, a


@inlined
def set_coefficients(nodes: FloatArray, i: int, site: Vector, c: FloatArray) -> None:
    """Set the quintic of one cell as seen from a station (`hermite.cell_coefficients`)."""
    for j in range(3):
        p0, v0, a0 = nodes[i, j], nodes[i, 3 + j], nodes[i, 6 + j]
        p1, v1, a1 = nodes[i + 1, j], nodes[i + 1, 3 + j], nodes[i + 1, 6 + j]
        d = p1 - p0 - v0 - 0.5 * a0
        e = v1 - v0 - a0
        f = 0.5 * (a1 - a0)
        c[0, j], c[1, j], c[2, j] = p0 - site[j], v0, 0.5 * a0
        c[3, j] = 10.0 * d - 4.0 * e + f
        c[4, j] = 7.0 * e - 15.0 * d - 2.0 * f
        c[5, j] = 6.0 * d - 3.0 * e + f


@inlined
def _at(c: FloatArray, s: float, j: int) -> tuple[float, float]:
    """Return one component of the motion, and its derivative."""
    r = c[5, j] * s + c[4, j]
    v = c[5, j] * s + r
    r = r * s + c[3, j]
    v = v * s + r
    r = r * s + c[2, j]
    v = v * s + r
    r = r * s + c[1, j]
    v = v * s + r
    return r * s + c[0, j], v


@inlined
def _bend(c: FloatArray, s: float, j: int) -> float:
    """Return the second derivative of one component."""
    bend: float = ((20.0 * c[5, j] * s + 12.0 * c[4, j]) * s + 6.0 * c[3, j]) * s + 2.0 * c[2, j]
    return bend


@inlined
def _value(kind: int, c: FloatArray, up: Vector, sin_mask: float, s: float) -> tuple[float, float]:
    """Return `hermite.climb`, `closing` or `clearance` with its slope."""
    rx, vx = _at(c, s, 0)
    ry, vy = _at(c, s, 1)
    rz, vz = _at(c, s, 2)
    closing = rx * vx + ry * vy + rz * vz
    height = up[0] * rx + up[1] * ry + up[2] * rz
    rate = up[0] * vx + up[1] * vy + up[2] * vz
    range2 = rx * rx + ry * ry + rz * rz
    if kind == _CLEARANCE:
        range_km = math.sqrt(range2)
        return height - sin_mask * range_km, rate - sin_mask * closing / range_km
    ax, ay, az = _bend(c, s, 0), _bend(c, s, 1), _bend(c, s, 2)
    if kind == _CLOSING:
        return closing, vx * vx + vy * vy + vz * vz + rx * ax + ry * ay + rz * az
    speed2 = vx * vx + vy * vy + vz * vz + rx * ax + ry * ay + rz * az
    bend = up[0] * ax + up[1] * ay + up[2] * az
    return rate * range2 - height * closing, bend * range2 + rate * closing - height * speed2


@inlined
def _root(
    kind: int,
    c: FloatArray,
    up: Vector,
    sin_mask: float,
    guess: float,
    low: float,
    high: float,
    rising: bool,
    tolerance: float,
) -> float:
    """Return the root between two ends as `hermite.solve` finds it."""
    s, before, step = guess, 0.0, 0.0
    for count in range(2 + _EXTRA_STEPS):
        value, slope = _value(kind, c, up, sin_mask, s)
        following = min(max(s - (value / slope if slope != 0.0 else 2.0), low), high)
        before, step, s = step, abs(following - s), following
        far = step > tolerance and step * step * step > tolerance * (before * before)
        if count and not far and low < s < high:
            return s
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        value, _slope = _value(kind, c, up, sin_mask, middle)
        if (value < 0.0) == rising:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@inlined
def ends_at(
    nodes: FloatArray, k: int, site: Vector, up: Vector, sin_mask: float
) -> tuple[float, float, float, float]:
    """Return clearance, its rate, climb and closing at a node (`cells.node_ends`)."""
    rx, ry, rz = nodes[k, 0] - site[0], nodes[k, 1] - site[1], nodes[k, 2] - site[2]
    vx, vy, vz = nodes[k, 3], nodes[k, 4], nodes[k, 5]
    height = up[0] * rx + up[1] * ry + up[2] * rz
    rate = up[0] * vx + up[1] * vy + up[2] * vz
    range2, closing = rx * rx + ry * ry + rz * rz, rx * vx + ry * vy + rz * vz
    range_km = math.sqrt(range2)
    return (
        height - sin_mask * range_km,
        rate - sin_mask * closing / range_km,
        rate * range2 - height * closing,
        closing,
    )


@compiled
def _crossing_guess(below: float, above: float, slope: float) -> float:
    """Return `hermite.crossing_guess` of one cell."""
    curve = above - below - slope
    q = -0.5 * (
        slope + math.copysign(math.sqrt(max(slope * slope - 4.0 * curve * below, 0.0)), slope)
    )
    if q != 0.0 and 0.0 <= below / q <= 1.0:
        return below / q
    if curve != 0.0 and 0.0 <= q / curve <= 1.0:
        return q / curve
    return 0.5


@inlined
def events_in(
    c: FloatArray,
    up: Vector,
    sin_mask: float,
    before: tuple[float, float, float, float],
    after: tuple[float, float, float, float],
    tolerance: float,
) -> tuple[float, float, float, float]:
    """Return rise, culmination, closest approach and set within a cell, -1 for none."""
    clear0, rate0, climb0, closing0 = before
    clear1, rate1, climb1, closing1 = after
    up0, up1 = clear0 >= 0.0, clear1 >= 0.0
    top = dip = near = rise = fall = _NONE
    turn, extreme = _NONE, 0.0
    if (climb0 > 0.0) != (climb1 > 0.0) and (climb0 > 0.0 or (up0 and up1)):
        guess = climb0 / (climb0 - climb1)
        turn = _root(_CLIMB, c, up, sin_mask, guess, 0.0, 1.0, climb0 <= 0.0, tolerance)
        extreme, _ = _value(_CLEARANCE, c, up, sin_mask, turn)
        if climb0 > 0.0 and extreme >= 0.0:
            top = turn
        elif climb0 <= 0.0 and extreme < 0.0:
            dip = turn
    has_top, has_dip = top >= 0.0, dip >= 0.0
    if (not up0 and (up1 or has_top)) or has_dip:
        low, start, slope = (dip, extreme, 0.0) if has_dip else (0.0, clear0, rate0)
        high, end = (top, extreme) if has_top else (1.0, clear1)
        guess = low + _crossing_guess(start, end, slope * (high - low)) * (high - low)
        rise = _root(_CLEARANCE, c, up, sin_mask, guess, low, high, True, tolerance)
    if (not up1 and (up0 or has_top)) or has_dip:
        low, start = (top, extreme) if has_top else (0.0, clear0)
        high, end, slope = (dip, extreme, 0.0) if has_dip else (1.0, clear1, rate1)
        guess = high - _crossing_guess(end, start, -slope * (high - low)) * (high - low)
        fall = _root(_CLEARANCE, c, up, sin_mask, guess, low, high, False, tolerance)
    if closing0 < 0.0 and closing1 >= 0.0 and (up0 or up1 or has_top):
        guess = closing0 / (closing0 - closing1)
        near = _root(_CLOSING, c, up, sin_mask, guess, 0.0, 1.0, True, tolerance)
    return rise, top, near, fall


@inlined
def look(c: FloatArray, axes: FloatArray, m: int, s: float) -> tuple[float, float, float]:
    """Return the line of sight east, north and up."""
    x, _ = _at(c, s, 0)
    y, _ = _at(c, s, 1)
    z, _ = _at(c, s, 2)
    return (
        axes[m, 0, 0] * x + axes[m, 0, 1] * y + axes[m, 0, 2] * z,
        axes[m, 1, 0] * x + axes[m, 1, 1] * y + axes[m, 1, 2] * z,
        axes[m, 2, 0] * x + axes[m, 2, 1] * y + axes[m, 2, 2] * z,
    )
