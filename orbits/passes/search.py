"""The pass search: element sets, stations and a window in, a table of passes out.

    satellites of one grid step, a few at a time       `_batches`
      -> their passes, and where they have none        `batch`
      -> by the caller and its executor, in order      `shared`

The window is cut at leap seconds, where UT1 - UTC jumps. SGP4 counts UTC days of 86,400 s,
so an element set used beyond a leap second is a second late, 7.6 km in a low orbit: the
convention of every SGP4 program. An archive picks sets on the right side instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orbits.earth import SHIPPED, EarthTime
from orbits.elements import Elements
from orbits.errors import SearchError
from orbits.horizon import HorizonMask, MaskLike, as_mask
from orbits.passes.batch import search_batches
from orbits.passes.cells import Sites
from orbits.passes.engine import Engine, as_engine
from orbits.passes.grid import step_s
from orbits.passes.job import Batch, Gap, Job, Span
from orbits.passes.skyline import Skylines
from orbits.passes.table import PassTable, Unusable
from orbits.passes.usable import may_jump
from orbits.station import GroundStation
from orbits.times import (
    DAY_S,
    JD_OF_ORDINAL_ZERO,
    datetime_at,
    seconds_between,
    window,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

# Pairs of station and node that a batch looks at: its arrays should fit in a cache.
_BATCH_NODES = 1 << 19
_SATELLITES_MAX = 200_000
_STATIONS_MAX = 20_000
_SIZE_MAX = 1e9  # satellite-station-days: some three hours of one core


def find_passes(
    elements: Elements | Sequence[Elements],
    stations: GroundStation | Sequence[GroundStation],
    start: datetime,
    end: datetime,
    *,
    mask_deg: MaskLike | None = None,
    engine: Engine | str = Engine.NUMPY,
    executor: Executor | None = None,
    earth: EarthTime = SHIPPED,
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
    engine : the way of finding them
    executor : a concurrent.futures.Executor that shares the work, usually of processes;
        this thread works too, and the result is the same bit for bit
    earth : leap seconds and UT1

    Returns
    -------
    PassTable
        A pass under way at either end of the window is cut there and says so; a satellite
        that never sets is no pass (`PassTable.visibility`); where an element set gives no
        position is in `PassTable.unusable`.

    Raises TimeError, StationError or SearchError naming the argument out of range, and
    what the executor raises if it breaks.
    """
    tables = list(
        iter_passes(
            elements,
            stations,
            start,
            end,
            mask_deg=mask_deg,
            engine=engine,
            executor=executor,
            earth=earth,
        )
    )
    return PassTable.merge(tables)


def iter_passes(
    elements: Elements | Sequence[Elements],
    stations: GroundStation | Sequence[GroundStation],
    start: datetime,
    end: datetime,
    *,
    mask_deg: MaskLike | None = None,
    engine: Engine | str = Engine.NUMPY,
    executor: Executor | None = None,
    earth: EarthTime = SHIPPED,
) -> Iterator[PassTable]:
    """Yield the tables of `find_passes` a few satellites at a time, for large jobs.

    Each table says of the satellites of its batch (`PassTable.batch`) all there is to say;
    indices count through the whole of `elements`. Arguments and errors as `find_passes`.
    The executor is asked when the first table is; 64 tables at most are searched ahead.
    What it was asked for when the iterator is closed, it searches to the end.
    """
    start, end = window(start, end)
    sets = (elements,) if isinstance(elements, Elements) else tuple(elements)
    places = (stations,) if isinstance(stations, GroundStation) else tuple(stations)
    _check(sets, places)
    _check_size(len(sets) * len(places) * seconds_between(start, end) / DAY_S)
    job = Job(
        start=start,
        spans=_spans(start, end, earth),
        sites=_sites(places, _horizons(places, mask_deg)),
        engine=as_engine(engine),
        earth=earth,
        nodes_max=_BATCH_NODES,
    )
    return _tables(job, sets, places, end, executor)


def _check(sets: Sequence[Elements], places: Sequence[GroundStation]) -> None:
    for name, value, high in (
        ("number of element sets", len(sets), _SATELLITES_MAX),
        ("number of stations", len(places), _STATIONS_MAX),
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
    executor: Executor | None,
) -> Iterator[PassTable]:
    batches = list(_batches(sets, job))
    for batch, found in zip(batches, search_batches(batches, job, executor), strict=True):
        yield PassTable(
            found.block,
            elements=sets,
            stations=places,
            start=job.start,
            end=end,
            always_up=found.always_up,
            batch=batch.index,
            unusable=tuple(_unusable(gap, sets, job.start) for gap in found.gaps),
            earth=job.earth,
        )


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
        skylines=Skylines.of(horizons),
    )


def _spans(start: datetime, end: datetime, earth: EarthTime) -> tuple[Span, ...]:
    """Return the window cut at leap seconds."""
    borders = [0.0, *earth.leap_offsets_s(start, end), seconds_between(start, end)]
    spans = []
    for low, high in pairwise(borders):
        middle = start + timedelta(seconds=0.5 * (low + high))
        jd = middle.toordinal() + JD_OF_ORDINAL_ZERO
        spans.append(Span(start_s=low, end_s=high, tai_utc_s=float(earth.tai_minus_utc_s(jd))))
    return tuple(spans)


def _batches(sets: Sequence[Elements], job: Job) -> Iterator[Batch]:
    """Yield the satellites by grid step, as many at a time as a batch takes."""
    alike: dict[tuple[float, bool], list[int]] = {}
    for index, elements in enumerate(sets):
        alike.setdefault((step_s(elements), may_jump(elements)), []).append(index)
    for (step, deep_space), indices in sorted(alike.items()):
        nodes = math.ceil(job.end_s / step) * job.sites.count
        size = max(1, job.nodes_max // nodes)
        for first in range(0, len(indices), size):
            some = tuple(indices[first : first + size])
            yield Batch(
                step_s=step,
                deep_space=deep_space,
                index=some,
                elements=tuple(sets[i] for i in some),
            )
