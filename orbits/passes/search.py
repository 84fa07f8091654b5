"""The pass search: element sets, stations and a window in, a table of passes out.

    satellites of one grid step, a few at a time       `_batches`
      -> positions at coarse nodes (SGP4)              `propagate`, `grid`
      -> cells that may hold a visible instant         `cells`
      -> rises, culminations, approaches, sets         `events`, `roots`, `hermite`
      -> passes                                        `assemble`
    what an element set that decays still gives        `usable`

The window is cut at leap seconds, where UT1 - UTC jumps. SGP4 counts UTC days of 86,400 s,
so an element set used beyond a leap second is a second late, 7.6 km in a low orbit: the
convention of every SGP4 program. An archive picks sets on the right side instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orbits.elements import Elements
from orbits.errors import SearchError
from orbits.passes.always import always_up, without
from orbits.passes.assemble import Block, concatenate, join, passes_of
from orbits.passes.cells import Sites
from orbits.passes.events import find_events
from orbits.passes.grid import PAD, Nodes, central_nodes, step_s
from orbits.passes.horizon import cut_to_horizons
from orbits.passes.job import Batch, Found, Gap, Job, Span
from orbits.passes.jumps import is_rough, may_jump
from orbits.passes.table import PassTable, Unusable
from orbits.passes.usable import absurdity, search_usable_part
from orbits.propagate import EarthTurn, earth_fixed, earth_turn
from orbits.station import GroundStation, HorizonMask, MaskLike, as_mask
from orbits.times import (
    DAY_S,
    datetime_at,
    julian_pairs,
    leap_offsets_s,
    seconds_between,
    tai_minus_utc_s,
    window,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sgp4.api import Satrec

    FloatArray = NDArray[np.float64]

# Pairs of station and node that a batch looks at: its arrays should fit in a cache.
_BATCH_NODES = 1 << 19
_PIECE_CELLS_MIN = 32
_SATELLITES_MAX = 200_000
_STATIONS_MAX = 20_000
_WORKERS_MAX = 256
_SIZE_MAX = 1e9  # satellite-station-days: some three hours of one core


def find_passes(
    elements: Elements | Sequence[Elements],
    stations: GroundStation | Sequence[GroundStation],
    start: datetime,
    end: datetime,
    *,
    mask_deg: MaskLike | None = None,
    workers: int = 1,
) -> PassTable:
    """Return every pass of satellites over stations in a window.

    Each element set is a satellite of its own, propagated over the whole window whatever
    its age; `find_passes_in_archive` picks the right set for each instant instead.

    Parameters
    ----------
    elements : one set, or up to 200,000 of any orbits
    stations : one station, or up to 20,000
    start, end : aware datetimes, the half-open window, up to 36,600 days
    mask_deg : an elevation mask in degrees, -10 to 89.9, or a horizon, in place of the
        stations' own
    workers : processes to share the work; the result is the same bit for bit

    Returns
    -------
    PassTable
        A pass under way at either end of the window is cut there and says so; a satellite
        that never sets is no pass (`PassTable.visibility`); where an element set gives no
        position is in `PassTable.unusable`.

    Raises TimeError, StationError or SearchError naming the argument out of range.
    """
    tables = list(iter_passes(elements, stations, start, end, mask_deg=mask_deg, workers=workers))
    return PassTable.merge(tables)


def iter_passes(
    elements: Elements | Sequence[Elements],
    stations: GroundStation | Sequence[GroundStation],
    start: datetime,
    end: datetime,
    *,
    mask_deg: MaskLike | None = None,
    workers: int = 1,
) -> Iterator[PassTable]:
    """Yield the tables of `find_passes` a few satellites at a time, for large jobs.

    Each table says of the satellites of its batch (`PassTable.batch`) all there is to say;
    indices count through the whole of `elements`. Arguments and errors as `find_passes`.
    """
    start, end = window(start, end)
    sets = (elements,) if isinstance(elements, Elements) else tuple(elements)
    places = (stations,) if isinstance(stations, GroundStation) else tuple(stations)
    _check(sets, places, workers)
    _check_size(len(sets) * len(places) * seconds_between(start, end) / DAY_S)
    horizons = _horizons(places, mask_deg)
    sites = _sites(places, horizons)
    job = Job(start=start, spans=_spans(start, end), sites=sites, horizons=horizons)
    return _tables(job, sets, places, end, workers)


def _check(sets: Sequence[Elements], places: Sequence[GroundStation], workers: int) -> None:
    for name, value, high in (
        ("number of element sets", len(sets), _SATELLITES_MAX),
        ("number of stations", len(places), _STATIONS_MAX),
        ("workers", workers, _WORKERS_MAX),
    ):
        if not 1 <= value <= high:
            raise SearchError(f"{name} {value}, not 1 to {high}")
    ids = [place.station_id for place in places]
    if len(set(ids)) != len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise SearchError(f"station {twice!r} is given twice")


def _check_size(size: float) -> None:
    if size > _SIZE_MAX:
        raise SearchError(
            f"{size:.3g} satellite-station-days at once, more than {_SIZE_MAX:.3g}; "
            f"search fewer satellites or a shorter window at a time"
        )


def _tables(
    job: Job,
    sets: tuple[Elements, ...],
    places: tuple[GroundStation, ...],
    end: datetime,
    workers: int,
) -> Iterator[PassTable]:
    batches = list(_batches(sets, job))
    for batch, found in zip(batches, _run(batches, job, workers), strict=True):
        up = always_up(found.block, batch, job)
        yield PassTable(
            without(found.block, up),
            elements=sets,
            stations=places,
            start=job.start,
            end=end,
            always_up=up,
            batch=batch.index,
            unusable=tuple(_unusable(gap, sets, job.start) for gap in found.gaps),
        )


def _run(batches: Sequence[Batch], job: Job, workers: int) -> Iterator[Found]:
    """Yield what the batches find, in their order."""
    work = partial(_search_batch, job=job)
    if workers == 1 or len(batches) == 1:
        yield from map(work, batches)
        return
    # Imported late: 15 ms that one process does not need.
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Fresh interpreters: a fork would copy the locks of the caller's threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        chunk = max(1, len(batches) // (8 * workers))
        yield from pool.map(work, batches, chunksize=chunk)


def _unusable(gap: Gap, sets: Sequence[Elements], start: datetime) -> Unusable:
    elements = sets[gap.index]
    return Unusable(
        norad_id=elements.norad_id,
        satellite=elements.label,
        start=datetime_at(start, gap.start_s),
        end=datetime_at(start, gap.end_s),
        reason=f"{gap.reason} (element set of {elements.epoch:%Y-%m-%d %H:%M} UTC)",
    )


def _horizons(
    places: Sequence[GroundStation], mask_deg: MaskLike | None
) -> tuple[HorizonMask, ...]:
    if mask_deg is not None:
        return (as_mask(mask_deg),) * len(places)
    return tuple(place.horizon for place in places)


def _sites(places: Sequence[GroundStation], horizons: Sequence[HorizonMask]) -> Sites:
    return Sites(
        position_km=np.array([place.position_km() for place in places]),
        axes=np.array([place.axes() for place in places]),
        mask_rad=np.radians([horizon.elevation_deg_min for horizon in horizons]),
    )


def _spans(start: datetime, end: datetime) -> tuple[Span, ...]:
    """Return the window cut at leap seconds."""
    borders = [0.0, *leap_offsets_s(start, end), seconds_between(start, end)]
    spans = []
    for low, high in pairwise(borders):
        middle = start + timedelta(seconds=0.5 * (low + high))
        jd = middle.toordinal() + 1721424.5
        spans.append(Span(start_s=low, end_s=high, tai_utc_s=float(tai_minus_utc_s(jd))))
    return tuple(spans)


def _batches(sets: Sequence[Elements], job: Job) -> Iterator[Batch]:
    """Yield the satellites by grid step, as many at a time as a batch takes."""
    alike: dict[tuple[float, bool], list[int]] = {}
    for index, elements in enumerate(sets):
        alike.setdefault((step_s(elements), may_jump(elements)), []).append(index)
    for (step, deep_space), indices in sorted(alike.items()):
        nodes = math.ceil(job.end_s / step) * job.sites.count
        size = max(1, _BATCH_NODES // nodes)
        for first in range(0, len(indices), size):
            some = tuple(indices[first : first + size])
            yield Batch(
                step_s=step,
                deep_space=deep_space,
                index=some,
                elements=tuple(sets[i] for i in some),
            )


def _search_batch(batch: Batch, job: Job) -> Found:
    """Return the passes of a few satellites over the whole window."""
    alive: dict[int, tuple[Elements, Satrec]] = {}
    gaps: list[Gap] = []
    for index, elements in zip(batch.index, batch.elements, strict=True):
        if reason := absurdity(elements):
            gaps.append(Gap(index=index, start_s=0.0, end_s=job.end_s, reason=reason))
        else:
            alive[index] = elements, elements.satrec()
    closed: list[Block] = []
    under_way = Block.empty()
    for span, begin, size, cells in _pieces(batch, job) if alive else ():
        turn = _turn(job.start, span.tai_utc_s, begin, size, cells)
        nodes, bad = _nodes([satrec for _, satrec in alive.values()], turn, batch, begin, size)
        for index in [index for index, is_bad in zip(list(alive), bad, strict=True) if is_bad]:
            elements, _ = alive.pop(index)
            mine = under_way.satellite == index
            part, part_gaps = search_usable_part(
                elements, index, job, from_s=begin, cells_max=_piece_cells(job.sites)
            )
            closed.append(join(under_way.take(mine), part, border_s=begin) if begin else part)
            under_way = under_way.take(~mine)
            gaps.extend(part_gaps)
        if nodes is None:
            break
        found = passes_of(find_events(nodes, job.sites), nodes, job.sites)
        found = found.of_satellites(tuple(alive))
        if begin:
            found = join(under_way, found, border_s=begin)
        closed.append(found.take(~found.open_end))
        under_way = found.take(found.open_end)
    block = cut_to_horizons(concatenate([*closed, under_way]), batch, job)
    return Found(block=block, gaps=tuple(gaps))


def _piece_cells(sites: Sites) -> int:
    return max(_PIECE_CELLS_MIN, _BATCH_NODES // sites.count)


def _pieces(batch: Batch, job: Job) -> Iterator[tuple[Span, float, float, int]]:
    """Yield span, start, step and number of cells of the grids that make up the window."""
    limit = max(_PIECE_CELLS_MIN, _BATCH_NODES // (job.sites.count * len(batch.index)))
    for span in job.spans:
        count = math.ceil((span.end_s - span.start_s) / batch.step_s)
        size = (span.end_s - span.start_s) / count
        for first in range(0, count, limit):
            yield span, span.start_s + first * size, size, min(limit, count - first)


def _nodes(
    satellites: Sequence[Satrec], turn: EarthTurn, batch: Batch, begin: float, size: float
) -> tuple[Nodes | None, NDArray[np.bool_]]:
    """Return the nodes of the satellites that a coarse grid can do, and which it cannot."""
    positions = earth_fixed(satellites, turn)
    bad: NDArray[np.bool_] = ~np.all(positions.usable, axis=1)
    if batch.deep_space:
        bad |= is_rough(positions.position_km)
    if bad.all():
        return None, bad
    position_km = positions.position_km[:, ~bad] if bad.any() else positions.position_km
    return central_nodes(position_km, start_s=begin, step_s=size), bad


@lru_cache(maxsize=2)
def _turn(start: datetime, tai_utc_s: float, begin: float, size: float, cells: int) -> EarthTurn:
    """Return the Earth's angle on a padded grid; batches of one step have it in common."""
    offset_s: FloatArray = begin + size * np.arange(-PAD, cells + PAD + 1, dtype=np.float64)
    jd, fraction = julian_pairs(start, offset_s)
    return earth_turn(jd, fraction, tai_utc_s=tai_utc_s)
