"""The pass search for an element set that decays, is absurd, or jumps in the window.

Only the run of usable instants about the epoch is searched (`lifetime`). Its ends are known
to a millisecond, and the grid is four times finer, so that differences may lean to one side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orbits.elements import Elements
from orbits.lifetime import life_of
from orbits.passes.assemble import Block, concatenate, join, passes_of
from orbits.passes.events import find_events
from orbits.passes.grid import PAD, one_sided_nodes, step_s
from orbits.passes.job import Gap, Job, Span
from orbits.propagate import earth_fixed, earth_turn, why_unusable
from orbits.times import DAY_S, datetime_at, julian_pairs, seconds_between

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from sgp4.api import Satrec

    from orbits.passes.job import Batch, Pair

    FloatArray = NDArray[np.float64]


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
    places = earth_fixed([elements.satrec()], earth_turn(jd, fraction, job.earth))
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


_FINER = 4
# A rocket that never reached orbit may have its perigee somewhat below the ground.
_PERIGEE_KM_MIN = -600.0
_PIECE_NODES = 1 << 14
_SHORTEST_S = 1e-3
_ASIDE_S = 1e-6


def absurdity(elements: Elements) -> str | None:
    """Return in words why a set describes no orbit about the Earth, or None."""
    perigee_km = elements.perigee_height_km
    if perigee_km >= _PERIGEE_KM_MIN:
        return None
    return f"absurd: the perigee lies {-perigee_km:.0f} km below the ground"


def search_usable_part(
    elements: Elements, index: int, job: Job, *, from_s: float, cells_max: int
) -> tuple[Block, list[Gap]]:
    """Return the passes of one satellite from an instant on, and where it is unusable."""
    satellite = elements.satrec()
    run, gaps = usable_run(satellite, elements, index, job, from_s)
    if run is None:
        return Block.empty(), gaps
    closed: list[Block] = []
    under_way = Block.empty()
    step = step_s(elements) / _FINER
    for span in _smooth_spans(satellite, elements, job, run):
        begin, end = span.start_s, span.end_s
        count = max(2 * PAD, math.ceil((end - begin) / step))
        size = (end - begin) / count
        for first in range(0, count, cells_max):
            piece = first, min(first + cells_max, count)
            found = _search_piece(satellite, index, job, span, (begin, size, count), piece)
            if closed:
                found = join(under_way, found, border_s=begin + first * size)
            closed.append(found.take(~found.open_end))
            under_way = found.take(found.open_end)
    return concatenate([*closed, under_way]), gaps


def _smooth_spans(
    satellite: Satrec, elements: Elements, job: Job, run: tuple[float, float]
) -> Iterator[Span]:
    """Yield the parts of the usable run between leap seconds and SGP4's own jumps."""
    step = step_s(elements) / _FINER
    for span in job.spans:
        begin, end = max(span.start_s, run[0]), min(span.end_s, run[1])
        if not begin < end:
            continue
        borders = [begin]
        if may_jump(elements):
            place = partial(_positions, satellite, job, span)
            count = math.ceil((end - begin) / step)
            grid = np.linspace(begin, end, count + 1)
            for first in range(0, count, _PIECE_NODES):
                # Pieces overlap, so that each cell lies in the middle of some stencil.
                piece = grid[max(first - 2 * PAD, 0) : first + _PIECE_NODES + 1]
                borders.extend(jump_offsets_s(place, piece))
        for low, high in pairwise([*sorted(set(borders)), end]):
            # The nodes at both ends belong on this side of the jumps.
            begins = low if low == borders[0] else low + _ASIDE_S
            ends = high if high == end else high - _ASIDE_S
            if ends - begins > _SHORTEST_S:
                yield replace(span, start_s=begins, end_s=ends)


def _search_piece(
    satellite: Satrec,
    index: int,
    job: Job,
    span: Span,
    grid: tuple[float, float, int],
    piece: tuple[int, int],
) -> Block:
    """Return the passes between two nodes of a grid (start, step, cells)."""
    begin, size, count = grid
    low, high = max(piece[0] - PAD, 0), min(piece[1] + PAD, count)
    # One-sided differences need thirteen nodes.
    low, high = min(low, max(high - 2 * PAD, 0)), max(high, min(low + 2 * PAD, count))
    offset_s: FloatArray = begin + size * np.arange(low, high + 1, dtype=np.float64)
    positions = _positions(satellite, job, span, offset_s)
    nodes = one_sided_nodes(
        positions,
        first=piece[0] - low,
        last=piece[1] - low,
        start_s=begin + piece[0] * size,
        step_s=size,
    )
    found = passes_of(find_events(nodes, job.sites), nodes, job.sites)
    return found.of_satellites((index,))


def _positions(satellite: Satrec, job: Job, span: Span, offset_s: FloatArray) -> FloatArray:
    jd, fraction = julian_pairs(job.start, offset_s)
    turn = earth_turn(jd, fraction, job.earth, tai_utc_s=span.tai_utc_s)
    return earth_fixed([satellite], turn).position_km


def usable_run(
    satellite: Satrec, elements: Elements, index: int, job: Job, from_s: float
) -> tuple[tuple[float, float] | None, list[Gap]]:
    """Return the ends of the usable run, and the gaps around it."""
    epoch_s = seconds_between(job.start, elements.epoch)
    life = life_of(elements, satellite, from_s - epoch_s, job.end_s - epoch_s, sure=True)
    low, high = max(from_s, epoch_s + life.begins_s), min(job.end_s, epoch_s + life.ends_s)
    gaps = [
        Gap(index=index, start_s=begin, end_s=end, reason=_why(satellite, at))
        for at, begin, end in (
            (life.fails_before_s, from_s, min(low, job.end_s)),
            (life.fails_after_s, max(high, from_s), job.end_s),
        )
        if at is not None and begin < end
    ]
    if low < high:
        return (low, high), gaps
    reason = gaps[0].reason if gaps else _why(satellite, 0.0)
    return None, [Gap(index=index, start_s=from_s, end_s=job.end_s, reason=reason)]


def gone(elements: Elements, satellite: Satrec, job: Job) -> str | None:
    """Return in words why a set gives no position anywhere in a window, or None if it may.

    Only what happens on the way from the epoch to the window is looked at.
    """
    start_s = -seconds_between(job.start, elements.epoch)
    end_s = start_s + job.end_s
    life = life_of(elements, satellite, min(end_s, 0.0), max(start_s, 0.0))
    for at in (life.fails_before_s, life.fails_after_s):
        if at is not None:
            return f"down since {datetime_at(elements.epoch, at):%Y-%m-%d %H:%M} UTC: " + _why(
                satellite, at
            )
    return None


def _why(satellite: Satrec, from_epoch_s: float) -> str:
    jd, fraction = satellite.jdsatepoch, satellite.jdsatepochF + from_epoch_s / DAY_S
    return why_unusable(satellite, jd, fraction)
