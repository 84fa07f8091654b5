"""Azimuth and elevation along quintics, and what of them is zero at turns and horizons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.hermite import Quintics
from orbits.passes.skyline import TURN_RAD, shortest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.intp]

_FLAT_KM = 1e-6  # closer to the vertical than this there is no azimuth


@dataclass(frozen=True, slots=True)
class Points:
    """Instants within cells, and where and how fast the satellite goes there.

    Angles in radians, azimuth 0 to a turn; rates per cell.
    """

    cell: IntArray
    s: FloatArray
    azimuth: FloatArray
    elevation: FloatArray
    azimuth_rate: FloatArray
    elevation_rate: FloatArray

    @classmethod
    def of(cls, local: Quintics, cell: IntArray, s: FloatArray) -> Points:
        """Return points of motions east, north and up."""
        r, v = local.take(cell).with_velocity(s)
        (azimuth, elevation), flat2 = angles(r)
        flat = np.sqrt(flat2)
        outward = r[0] * v[0] + r[1] * v[1]
        return cls(
            cell,
            s,
            azimuth,
            elevation,
            (v[0] * r[1] - r[0] * v[1]) / flat2,
            (v[2] * flat2 - r[2] * outward) / (flat * (flat2 + r[2] * r[2])),
        )

    def followed_by(self, other: Points) -> Points:
        """Return these and then the others."""
        names = self.__slots__
        return Points(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    def sorted(self) -> Points:
        """Return the same in order of cell and time."""
        order = np.lexsort((self.s, self.cell))
        return Points(*(getattr(self, name)[order] for name in self.__slots__))


def angles(r: FloatArray) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
    """Return azimuth and elevation of vectors east, north and up (3, K), and rho^2."""
    flat2 = np.maximum(r[0] * r[0] + r[1] * r[1], _FLAT_KM**2)
    azimuth = np.arctan2(r[0], r[1])
    azimuth += TURN_RAD * (azimuth < 0.0)
    return (azimuth, np.arctan2(r[2], np.sqrt(flat2))), flat2


@dataclass(frozen=True, slots=True)
class Over(Quintics):
    """Motion east, north and up over a straight piece of horizon each.

    `height` is the piece's at `azimuth`, and `slope` how it goes on from there. `sign` is
    -1 where what falls is to be taken as rising.
    """

    azimuth: FloatArray
    height: FloatArray
    slope: FloatArray
    sign: FloatArray

    @classmethod
    def of(
        cls,
        local: Quintics,
        cell: IntArray,
        *,
        sign: FloatArray,
        azimuth: FloatArray | None = None,
        height: FloatArray | None = None,
        slope: FloatArray | None = None,
    ) -> Over:
        """Return the motion within some cells; what is left out is zero."""
        zero = np.zeros(len(cell))
        return cls(
            local.coefficients.take(cell, axis=2),
            zero if azimuth is None else azimuth,
            zero if height is None else height,
            zero if slope is None else slope,
            sign,
        )

    def take(self, index: IntArray) -> Over:
        """Return a part of the cells."""
        return Over(
            self.coefficients.take(index, axis=2),
            self.azimuth[index],
            self.height[index],
            self.slope[index],
            self.sign[index],
        )


def swing(over: Over, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rho^2 times the azimuth's rate, and its slope; zero where the azimuth turns."""
    r, v = over.with_velocity(s)
    a = over.acceleration(s)
    return over.sign * (v[0] * r[1] - r[0] * v[1]), over.sign * (a[0] * r[1] - r[0] * a[1])


def past_corner(over: Over, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rho times the sine of the azimuth from a corner on, and its slope."""
    r, v = over.with_velocity(s)
    cos, sin = over.sign * np.cos(over.azimuth), over.sign * np.sin(over.azimuth)
    return r[0] * cos - r[1] * sin, v[0] * cos - v[1] * sin


def clearance(over: Over, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return elevation less horizon, and its slope."""
    r, v = over.with_velocity(s)
    (azimuth, elevation), flat2 = angles(r)
    clear = elevation - over.height - over.slope * shortest(azimuth - over.azimuth)
    outward = r[0] * v[0] + r[1] * v[1]
    climb = (v[2] * flat2 - r[2] * outward) / (np.sqrt(flat2) * (flat2 + r[2] * r[2]))
    turn = (v[0] * r[1] - r[0] * v[1]) / flat2
    return over.sign * clear, over.sign * (climb - over.slope * turn)


def steepness(over: Over, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the slope of `clearance`, and its own slope; zero at an extremum.

    With rho and z the flat distance and the height, elevation' = N / D of N = z' rho^2 -
    z rho rho' and D = rho range^2, and azimuth' = W / rho^2.
    """
    r, v = over.with_velocity(s)
    a = over.acceleration(s)
    flat2 = np.maximum(r[0] * r[0] + r[1] * r[1], _FLAT_KM**2)
    flat = np.sqrt(flat2)
    range2 = flat2 + r[2] * r[2]
    outward = r[0] * v[0] + r[1] * v[1]
    outward_rate = v[0] * v[0] + v[1] * v[1] + r[0] * a[0] + r[1] * a[1]
    n, d = v[2] * flat2 - r[2] * outward, flat * range2
    n_rate = a[2] * flat2 + v[2] * outward - r[2] * outward_rate
    d_rate = outward / flat * range2 + 2.0 * flat * (outward + r[2] * v[2])
    w, w_rate = v[0] * r[1] - r[0] * v[1], a[0] * r[1] - r[0] * a[1]
    value = n / d - over.slope * w / flat2
    slope = (n_rate - n * d_rate / d) / d
    slope -= over.slope * (w_rate - 2.0 * w * outward / flat2) / flat2
    return over.sign * value, over.sign * slope
