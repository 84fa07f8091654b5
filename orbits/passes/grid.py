"""A coarse grid of times, with position, velocity and acceleration at each node.

SGP4 is the dearest part of a pass search, so it is asked rarely: a node every 0.37 rad of
the fastest motion, five minutes in a low orbit. Velocity and acceleration come from the
positions themselves, by central differences over thirteen nodes. SGP4's own velocity would
be no cheaper and is not exactly the derivative of its position (6 to 19 mm/s off).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orbits.propagate import EARTH_ROTATION_RAD_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits.elements import Elements

    FloatArray = NDArray[np.float64]

PAD = 6  # nodes on either side that a central difference over thirteen reaches
# Position error of a cell: quintic Hermite, angle^6 / 46080 of the radius = 0.4 m in a low
# orbit; J2's terms at three times the angle add 0.1 m. An elliptic orbit has harmonics of
# its own, and gets shorter steps. Measured: tests/orbits/test_oracle.py.
_ANGLE_RAD = 0.37
_ELLIPTIC = 0.35
_STEPS_S = (
    15, 20, 30, 45, 60, 75, 90, 120, 150, 180, 210, 240, 300, 360, 450, 600, 750, 900, 1200,
    1500,
)  # fmt: skip


def step_s(elements: Elements) -> float:
    """Return the grid step for an orbit, seconds: 0.24 to 0.37 rad of its motion at perigee.

    Source: true anomaly's rate at perigee, n (1 + e)^2 / (1 - e^2)^(3/2).
    """
    e = elements.eccentricity
    mean_rad_s = 2.0 * math.pi / elements.period_s
    perigee_rad_s = mean_rad_s * (1.0 + e) ** 2 / (1.0 - e * e) ** 1.5
    angle_rad = _ANGLE_RAD * (1.0 - _ELLIPTIC * e)
    widest = angle_rad / (perigee_rad_s + EARTH_ROTATION_RAD_S)
    return float(max((s for s in _STEPS_S if s <= widest), default=_STEPS_S[0]))


def _difference_weights() -> tuple[FloatArray, FloatArray]:
    """Return the weights of the first and second central difference over 2 PAD + 1 nodes.

    For f' they apply to f(k) - f(-k), for f'' to f(k) + f(-k), k = 1 .. PAD, less the sum
    of the latter times 2 f(0). Source: Fornberg, Math. Comp. 51, 699 (1988).
    """
    n = PAD
    weights = [
        (-1) ** (k + 1) * math.factorial(n) ** 2 / (math.factorial(n - k) * math.factorial(n + k))
        for k in range(1, n + 1)
    ]
    first = [w / k for k, w in enumerate(weights, start=1)]
    second = [2.0 * w / k**2 for k, w in enumerate(weights, start=1)]
    return np.array(first), np.array(second)


FIRST, SECOND = _difference_weights()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Position, velocity and acceleration of S satellites at N nodes of one step.

    Velocity is per step and acceleration per step squared, so that a cell runs from 0 to
    1. Shapes (3, S, N), Earth-fixed, km.
    """

    position: FloatArray
    velocity: FloatArray
    acceleration: FloatArray
    start_s: float  #: offset of the first node
    step_s: float


def central_nodes(padded_km: FloatArray, *, start_s: float, step_s: float) -> Nodes:
    """Return the nodes of positions (3, S, N + 2 PAD) that reach PAD steps past both ends."""
    count = padded_km.shape[-1] - 2 * PAD
    middle = padded_km[..., PAD : PAD + count]
    velocity = np.zeros_like(middle)
    acceleration = middle * (-2.0 * SECOND.sum())
    for k in range(1, PAD + 1):
        after = padded_km[..., PAD + k : PAD + k + count]
        before = padded_km[..., PAD - k : PAD - k + count]
        velocity += FIRST[k - 1] * (after - before)
        acceleration += SECOND[k - 1] * (after + before)
    return Nodes(
        position=middle,
        velocity=velocity,
        acceleration=acceleration,
        start_s=start_s,
        step_s=step_s,
    )


def one_sided_nodes(
    position_km: FloatArray, *, first: int, last: int, start_s: float, step_s: float
) -> Nodes:
    """Return the nodes `first` to `last` of positions (3, S, N), N >= 13, that end nearby.

    Within PAD nodes of either end the difference leans over: the polynomial through the
    nearest thirteen nodes, differentiated where it is wanted.
    """
    count = position_km.shape[-1]
    wanted = np.arange(first, last + 1)
    left = np.clip(wanted - PAD, 0, count - 2 * PAD - 1)
    velocity, acceleration = np.empty((2, *position_km.shape[:2], len(wanted)))
    for at in np.unique(wanted - left):
        which = np.flatnonzero(wanted - left == at)
        stencils = position_km[..., left[which, None] + np.arange(2 * PAD + 1)]
        weights = _leaning_weights(int(at))
        # Not a matrix product: its threads would make the last bit depend on their number.
        velocity[..., which] = np.einsum("...k,k->...", stencils, weights[0])
        acceleration[..., which] = np.einsum("...k,k->...", stencils, weights[1])
    return Nodes(
        position=position_km[..., first : last + 1],
        velocity=velocity,
        acceleration=acceleration,
        start_s=start_s,
        step_s=step_s,
    )


def _leaning_weights(at: int) -> FloatArray:
    """Return the weights of f' and f'' at node `at` of thirteen, shape (2, 13).

    Source: Fornberg, Math. Comp. 51, 699 (1988), as the solution of the moment equations,
    scaled to -1..1 to keep them well conditioned.
    """
    x = (np.arange(2 * PAD + 1) - at) / PAD
    moments = np.vander(x, increasing=True).T
    wanted = np.zeros((2 * PAD + 1, 2))
    wanted[1, 0], wanted[2, 1] = 1.0 / PAD, 2.0 / PAD**2
    return np.asarray(np.linalg.solve(moments, wanted).T, dtype=np.float64)
