"""Satellites that never set: up throughout the window and a day before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orbits.propagate import earth_fixed, earth_turn
from orbits.times import DAY_S, julian_pairs

if TYPE_CHECKING:
    from orbits.elements import Elements
    from orbits.passes.assemble import Block
    from orbits.passes.job import Batch, Job, Pair

_ROUNDING = 1e-11


def always_up(block: Block, batch: Batch, job: Job) -> frozenset[Pair]:
    """Return the pairs of a batch's passes that are always up."""
    throughout = (
        block.open_start & block.open_end & (block.rise_s <= 0.0) & (block.set_s >= job.end_s)
    )
    elements = dict(zip(batch.index, batch.elements, strict=True))
    pairs = zip(block.satellite[throughout], block.station[throughout], strict=True)
    return frozenset(
        (int(i), int(j))
        for i, j in pairs
        if _is_up_around(elements[int(i)], int(j), batch.step_s, job)
    )


def without(block: Block, pairs: frozenset[Pair]) -> Block:
    """Return the passes of all other pairs."""
    if not pairs:
        return block
    rows = zip(block.satellite, block.station, strict=True)
    return block.take(np.array([(int(i), int(j)) not in pairs for i, j in rows], dtype=bool))


def _is_up_around(elements: Elements, station: int, step_s: float, job: Job) -> bool:
    """Return whether a satellite is up at each grid step of the days around the window."""
    day = np.arange(0.0, DAY_S + step_s, step_s)
    jd, fraction = julian_pairs(job.start, np.concatenate([-day[::-1], job.end_s + day]))
    places = earth_fixed([elements.satrec()], earth_turn(jd, fraction))
    if not places.usable.all():
        return False
    sites = job.sites
    sight = places.position_km[:, 0] - sites.position_km[station][:, None]
    sine = sites.axes[station, 2] @ sight / np.linalg.norm(sight, axis=0)
    if (sine < np.sin(sites.mask_rad[station]) - _ROUNDING).any():
        return False
    if sites.skylines is None or not sites.skylines.count[station]:
        return True
    which = np.full(len(jd), station)
    return bool(sites.skylines.is_up(which, sight, sites.axes).all())
