"""How much the air raises what is seen through it, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

_LEAST_DEG = -1.0
_ROUNDS = 40  # each takes at least a third off the error, of half a degree at first


def refraction_deg(elevation_deg: ArrayLike) -> FloatArray:
    """Return how much the air raises a true elevation, degrees, at 10 C and 1010 mbar.

    Below -1 deg the formula means nothing and zero is returned.

    Source: Saemundsson, Sky and Telescope 72, 70 (1986); Meeus, eq. 16.4.
    """
    elevation = np.asarray(elevation_deg, dtype=np.float64)
    return np.where(elevation >= _LEAST_DEG, _raised_by_deg(elevation), 0.0)


def true_elevation_deg(apparent_deg: ArrayLike) -> FloatArray:
    """Return the true elevation of what is seen at an apparent one, degrees.

    The inverse of adding `refraction_deg`; below -1 deg true, what it is there is kept on.
    """
    apparent = np.asarray(apparent_deg, dtype=np.float64)
    true = apparent
    for _ in range(_ROUNDS):
        true = apparent - _raised_by_deg(true)
    return true


def _raised_by_deg(elevation_deg: FloatArray) -> FloatArray:
    clipped = np.maximum(elevation_deg, _LEAST_DEG)
    raised = 1.02 / 60.0 / np.tan(np.radians(clipped + 10.3 / (clipped + 5.11)))
    return np.maximum(raised, 0.0)
