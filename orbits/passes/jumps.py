"""Instants at which SGP4 jumps.

It computes deep-space orbits in two ways, above and below 0.2 rad of inclination, which do
not meet: a satellite that passes this angle jumps (in the official test file 14128 by 1.7
km, 20413 by 1300 km). No polynomial may reach across such an instant, so it is found, by
differences that a smooth orbit keeps small, and the window is cut there.

Source: Vallado et al., AIAA 2006-6753, on the Lyddane choice in DPPER.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.grid import PAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from orbits.elements import Elements

    FloatArray = NDArray[np.float64]

DEEP_SPACE_PERIOD_S = 225.0 * 60.0
# The twelfth difference is up to 924 times a jump. Along a smooth orbit it is under 20 km
# on the coarse grid (measured, e 0 to 0.8) and far less on a finer one.
_ROUGH_KM = 50.0
_ZOOM_POINTS = 16
_ZOOMS = 18  # by four each time: a cell of 600 s down to 10 ns
# The fourth difference of 16 points in a fine cell is under a metre along a smooth orbit.
_JUMP_KM = 0.01


def may_jump(elements: Elements) -> bool:
    """Return whether a set is propagated by SGP4's deep-space part."""
    return elements.period_s >= DEEP_SPACE_PERIOD_S


def is_rough(padded_km: FloatArray) -> NDArray[np.bool_]:
    """Return which satellites' positions (3, S, N) on a coarse grid jump, shape (S,)."""
    rough: NDArray[np.bool_] = np.any(_rough_stencils(padded_km), axis=-1)
    return rough


def _rough_stencils(position_km: FloatArray) -> NDArray[np.bool_]:
    twelfth = np.diff(position_km, n=2 * PAD, axis=-1)
    rough: NDArray[np.bool_] = np.einsum("csn,csn->sn", twelfth, twelfth) > _ROUGH_KM**2
    return rough


def jump_offsets_s(
    positions: Callable[[FloatArray], FloatArray], offset_s: FloatArray
) -> list[float]:
    """Return the instants of jumps along a fine grid of offsets, at most one a cell.

    `positions` gives Earth-fixed positions (3, 1, N) in km at offsets (N,) in seconds.
    """
    if len(offset_s) <= 2 * PAD:
        return []
    rough = np.flatnonzero(_rough_stencils(positions(offset_s))[0])
    cells = np.unique(rough[:, None] + np.arange(2 * PAD))
    found = [_zoom(positions, offset_s[cell], offset_s[cell + 1]) for cell in cells]
    return [instant for instant in found if instant is not None]


def _zoom(positions: Callable[[FloatArray], FloatArray], low: float, high: float) -> float | None:
    """Return where positions jump between two instants, or None if they do not."""
    for _ in range(_ZOOMS):
        points = np.linspace(low, high, _ZOOM_POINTS + 1)
        fourth = np.linalg.norm(np.diff(positions(points)[:, 0], n=4, axis=-1), axis=0)
        at = int(np.argmax(fourth))
        if fourth[at] < _JUMP_KM:
            return None
        low, high = points[at], points[at + 4]
    return float(0.5 * (low + high))
