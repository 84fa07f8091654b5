"""How far from its epoch an element set gives positions: what has fallen stays down.

SGP4's drag is a polynomial of the time since the epoch. Beyond the instant at which it
takes a satellite down, numbers come back that mean nothing, so a set is usable only up to
the first instant, on the way from its epoch, that is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orbits.passes.grid import step_s
from orbits.propagate import RADIUS_KM_MAX, RADIUS_KM_MIN

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sgp4.api import Satrec

    from orbits.elements import Elements

    FloatArray = NDArray[np.float64]

_FINER = 4  # than the grid of a pass search
_PIECE_NODES = 1 << 14
_BISECTIONS = 22  # of a step of at most 600 s: 0.15 ms
# A look at mean elements tells most sets safe. The polynomial falls to nothing and comes
# back over more than half of the way, so that few looks cannot miss it; what Moon and Sun
# do within the mean elements' periods has to fit in the margins (a tenth of the radius in
# deep space, 20 km below it).
_LOOKS = 8
_MARGIN_KM = 50.0
_MARGIN_DEEP = 0.1
_MINUTES_DEEP = 225.0


@dataclass(frozen=True, slots=True)
class Life:
    """Seconds from the epoch: the first and last usable instant, and the first that is not.

    `fails_before` and `fails_after` are None where the set is usable as far as was asked.
    """

    begins_s: float
    ends_s: float
    fails_before_s: float | None = None
    fails_after_s: float | None = None


def life_of(
    elements: Elements, satellite: Satrec, low_s: float, high_s: float, *, sure: bool = False
) -> Life:
    """Return which part of a stretch about the epoch a set is usable in, to a millisecond.

    `satellite` is the set's SGP4 record. `sure` walks the whole way although a look at the
    mean elements says that nothing can happen on it.
    """
    begins, before = _reached(elements, satellite, min(low_s, 0.0), sure=sure)
    ends, after = _reached(elements, satellite, max(high_s, 0.0), sure=sure)
    return Life(begins, ends, before, after)


def _reached(
    elements: Elements, satellite: Satrec, reach_s: float, *, sure: bool
) -> tuple[float, float | None]:
    if reach_s == 0.0 or (not sure and _is_safe(satellite, reach_s / 60.0)):
        return reach_s, None
    return _walk(elements, satellite, reach_s)


def _is_safe(satellite: Satrec, reach_min: float) -> bool:
    """Return whether perigee and apogee stay far from the limits up to an instant."""
    earth_km = satellite.radiusearthkm
    deep = 2.0 * math.pi / satellite.no_kozai >= _MINUTES_DEEP
    for look in range(_LOOKS + 1):
        code, _, _ = satellite.sgp4_tsince(reach_min * look / _LOOKS)
        semi_major_km, e = satellite.am * earth_km, satellite.em
        if deep:
            e += _MARGIN_DEEP * (1.0 - e)
        low_km, high_km = semi_major_km * (1.0 - e), semi_major_km * (1.0 + e)
        # A comparison with NaN is false.
        if code or not RADIUS_KM_MIN + _MARGIN_KM < low_km < high_km < RADIUS_KM_MAX:
            return False
    return True


def _walk(elements: Elements, satellite: Satrec, reach_s: float) -> tuple[float, float | None]:
    """Return the last usable instant on the way, and the first that is not."""
    count = max(1, math.ceil(abs(reach_s) / (step_s(elements) / _FINER)))
    good = 0.0
    for first in range(0, count + 1, _PIECE_NODES):
        piece = reach_s * (np.arange(first, min(first + _PIECE_NODES, count + 1)) / count)
        usable = _usable(satellite, piece)
        if usable.all():
            good = float(piece[-1])
            continue
        at = int(np.argmin(usable))
        good = float(piece[at - 1]) if at else good
        return _between(satellite, good, float(piece[at]))
    return reach_s, None


def _between(satellite: Satrec, good: float, bad: float) -> tuple[float, float]:
    """Return a usable and an unusable instant next to each other, from two further apart."""
    for _ in range(_BISECTIONS):
        middle = 0.5 * (good + bad)
        if _usable(satellite, np.array([middle]))[0]:
            good = middle
        else:
            bad = middle
    return good, bad


def _usable(satellite: Satrec, offset_s: FloatArray) -> NDArray[np.bool_]:
    jd = np.full(len(offset_s), satellite.jdsatepoch)
    error, place_km, _ = satellite.sgp4_array(jd, satellite.jdsatepochF + offset_s / 86400.0)
    radius2 = np.einsum("nc,nc->n", place_km, place_km)
    usable: NDArray[np.bool_] = (
        (error == 0) & (radius2 >= RADIUS_KM_MIN**2) & (radius2 <= RADIUS_KM_MAX**2)
    )
    return usable
