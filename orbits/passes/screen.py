"""Positions for few stations: SGP4 is asked only about where somebody may see the satellite.

Each sixth node is propagated, and a quintic through position, velocity and the pull of a
point mass gives the others to less than half a percent of the radius. Around those that a
station may see SGP4's own positions take their place, as far as the differences of `grid`
reach, so that every cell that is looked into is the same as if all had been propagated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sgp4.api import SatrecArray

from orbits.passes.cells import heights_km, least_heights_km
from orbits.passes.grid import PAD
from orbits.propagate import EARTH_ROTATION_RAD_S, RADIUS_KM_MAX, RADIUS_KM_MIN, turned

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sgp4.api import Satrec

    from orbits.passes.cells import Sites
    from orbits.propagate import EarthTurn

    FloatArray = NDArray[np.float64]

_EARTH_KM3_S2 = 398600.8  # WGS72, as in SGP4
_EVERY = 6
_ERROR = 0.004  # of the radius; 0.0019 was the most of 182 orbits
_STATIONS_MAX = 4
_NODES_MIN = 600
_PRODUCT_MAX = 8192  # as in `cells`: a larger product would be shared among threads


def _basis() -> FloatArray:
    """Return the weights of both ends' first three derivatives within a cell, (_EVERY - 1, 6).

    Source: as `hermite.cell_coefficients`.
    """
    s = np.arange(1, _EVERY) / _EVERY
    third, fourth, fifth = s**3, s**4, s**5
    last = 10.0 * third - 15.0 * fourth + 6.0 * fifth
    last_rate = -4.0 * third + 7.0 * fourth - 3.0 * fifth
    last_bend = 0.5 * (third - 2.0 * fourth + fifth)
    return np.column_stack(
        (
            1.0 - last,
            s - last - last_rate,
            0.5 * s**2 - 0.5 * last - last_rate - last_bend,
            last,
            last_rate,
            last_bend,
        )
    )


_BASIS = _basis()


def pays(stations: int, nodes: int) -> bool:
    """Return whether asking less of SGP4 repays the looking."""
    return stations <= _STATIONS_MAX and nodes >= _NODES_MIN


def screened_positions(
    satellites: Sequence[Satrec], turn: EarthTurn, sites: Sites, step_s: float
) -> FloatArray | None:
    """Return Earth-fixed positions (3, S, N) of near-Earth satellites; None if any is unusable.

    Those that no station needs are approximate.
    """
    exact = _exact_nodes(len(turn.jd))
    teme_km = _approximate_km(satellites, turn, exact, step_s)
    if teme_km is None:
        return None
    position_km = turned(teme_km, turn)
    radius = np.sqrt(np.einsum("csn,csn->sn", position_km, position_km))
    low, high = radius.min(axis=1) * (1.0 - _ERROR), radius.max(axis=1) * (1.0 + _ERROR)
    if low.min() < RADIUS_KM_MIN or high.max() > RADIUS_KM_MAX:
        return None
    wanted = _wanted(position_km, (low, high), sites, step_s)
    wanted[:, exact] = False
    for s, satellite in enumerate(satellites):
        which = np.flatnonzero(wanted[s])
        error, exact_km, _ = satellite.sgp4_array(turn.jd[which], turn.fraction[which])
        if error.any():
            return None
        position_km[:, s, which] = turned(exact_km[None], turn.take(which))[:, 0]
    return position_km


def _exact_nodes(count: int) -> NDArray[np.intp]:
    """Return each sixth node, and those after the last of them."""
    last = (count - 1) // _EVERY * _EVERY
    return np.concatenate([np.arange(0, last, _EVERY), np.arange(last, count)])


def _approximate_km(
    satellites: Sequence[Satrec], turn: EarthTurn, exact: NDArray[np.intp], step_s: float
) -> FloatArray | None:
    """Return positions (S, N, 3) in SGP4's frame, exact at those nodes."""
    count = len(turn.jd)
    last = (count - 1) // _EVERY * _EVERY
    error, place, speed = SatrecArray(satellites).sgp4(turn.jd[exact], turn.fraction[exact])
    if error.any():
        return None
    ends = last // _EVERY + 1
    p, v = place[:, :ends], speed[:, :ends] * (_EVERY * step_s)
    radius2 = np.einsum("skc,skc->sk", p, p)[..., None]
    a = p * (-_EARTH_KM3_S2 * (_EVERY * step_s) ** 2) / (radius2 * np.sqrt(radius2))
    known = np.empty((len(satellites), 6, ends - 1, 3))
    for k, each in enumerate((p, v, a)):
        known[:, k], known[:, k + 3] = each[:, :-1], each[:, 1:]
    flat = known.reshape(len(satellites), 6, -1)
    between = np.empty((len(satellites), _EVERY - 1, flat.shape[2]))
    for first in range(0, flat.shape[2], _PRODUCT_MAX):
        some = slice(first, first + _PRODUCT_MAX)
        np.matmul(_BASIS, flat[..., some], out=between[..., some])
    teme_km = np.empty((len(satellites), count, 3))
    teme_km[:, exact] = place
    cells = teme_km[:, :last].reshape(len(satellites), ends - 1, _EVERY, 3)
    cells[:, :, 1:] = between.reshape(len(satellites), _EVERY - 1, -1, 3).swapaxes(1, 2)
    return teme_km


def _wanted(
    position_km: FloatArray, radii: tuple[FloatArray, FloatArray], sites: Sites, step_s: float
) -> NDArray[np.bool_]:
    """Return which nodes a cell needs that a station may see into, shape (S, N)."""
    low, high = radii
    # Pull, Coriolis and centrifugal acceleration at most, whatever the direction.
    acceleration = (
        _EARTH_KM3_S2 / low**2
        + 2.0 * EARTH_ROTATION_RAD_S * np.sqrt(2.0 * _EARTH_KM3_S2 / low)
        + EARTH_ROTATION_RAD_S**2 * high
    )
    least = least_heights_km(low, high, acceleration * step_s**2, sites) - _ERROR * high
    height = heights_km(position_km, sites)
    seen = np.any(height > least[:, :, None], axis=0)
    # A cell's ends, and as many nodes on either side as a difference reaches.
    reach = PAD + 1
    before = np.zeros((len(seen), seen.shape[1] + 2 * reach + 1), dtype=np.intp)
    np.cumsum(seen, axis=1, out=before[:, reach + 1 : -reach])
    before[:, -reach:] = before[:, -reach - 1, None]
    wanted: NDArray[np.bool_] = before[:, 2 * reach + 1 :] > before[:, : -2 * reach - 1]
    return wanted
