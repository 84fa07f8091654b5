"""The search of one batch: a few satellites of one grid step over the whole window.

positions at coarse nodes (SGP4)                   `propagate`, `grid`
cells that may hold a visible instant              `cells`
rises, culminations, approaches, sets              `events`, `roots`, `hermite`
passes                                             `assemble`
what an element set that decays still gives        `usable`
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from orbits.earth import EarthTime
from orbits.elements import Elements
from orbits.passes.assemble import Block, concatenate, join, passes_of
from orbits.passes.engine import Engine
from orbits.passes.events import find_events
from orbits.passes.grid import PAD, central_nodes
from orbits.passes.job import Batch, Found, Gap, Job, Span
from orbits.passes.screen import pays, screened_positions
from orbits.passes.usable import absurdity, always_up, gone, is_rough, search_usable_part, without
from orbits.propagate import EarthTurn, earth_fixed, earth_turn
from orbits.times import julian_pairs

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from numpy.typing import NDArray
    from sgp4.api import Satrec

    FloatArray = NDArray[np.float64]


_AHEAD = 64  # batches searched ahead of the caller at most; each is some 20 ms and 1 MB
_ASKED_FIRST = 2


def search_batches(
    batches: Sequence[Batch], job: Job, executor: Executor | None = None
) -> Iterator[Found]:
    """Yield what the batches find, in their order; the caller searches while it waits.

    Raises whatever the search of a batch raised, or what the executor does if it breaks.
    """
    if executor is None or len(batches) == 1:
        yield from (search_batch(batch, job) for batch in batches)
        return
    todo = deque(batches)
    ahead: deque[_Share] = deque()
    asked = _ASKED_FIRST
    while todo or ahead:
        # How many work for the executor is not told: it is asked for more as long as most of
        # what it was asked for is done when the caller looks again. Nothing is cancelled: the
        # executor of Python 3.11 does not survive that if a process dies meanwhile.
        busy = sum(share.is_asked and not share.is_done for share in ahead)
        if ahead and 2 * busy < asked:
            asked = min(2 * asked, _AHEAD)
        while todo and busy < asked and len(ahead) < _AHEAD:
            batch = todo.popleft()
            ahead.append(_Share(batch, executor.submit(search_batch, batch, job)))
            busy += 1
        if ahead[0].is_done:
            yield ahead.popleft().result()
        elif todo and len(ahead) < _AHEAD:
            ahead.append(_Share(todo.popleft()))
            ahead[-1].search(job)
        elif ahead[0].is_waiting:
            ahead[0].search(job)
        else:
            yield ahead.popleft().result()


class _Share:
    """A batch that the executor was asked for, or that the caller searches."""

    def __init__(self, batch: Batch, future: Future[Found] | None = None) -> None:
        self._batch, self._future = batch, future
        self._found: Found | None = None

    @property
    def is_asked(self) -> bool:
        """Whether the executor was asked for it."""
        return self._future is not None

    @property
    def is_done(self) -> bool:
        """Whether there is a result, or an error."""
        return self._found is not None or (self._future is not None and self._future.done())

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has begun with it."""
        return self._future is None or not (self._future.running() or self._future.done())

    def search(self, job: Job) -> None:
        """Search the batch here and now."""
        self._found = search_batch(self._batch, job)

    def result(self) -> Found:
        """Return what was found, waiting for it; raise what the search raised."""
        if self._found is not None:
            return self._found
        assert self._future is not None
        return self._future.result()


_PIECE_CELLS_MIN = 32


def search_batch(batch: Batch, job: Job) -> Found:
    """Return the passes of a few satellites over the whole window."""
    if job.engine is Engine.SKYFIELD:
        # Late: skyfield.api takes a third of a second to import.
        from orbits.passes.by_skyfield import search_by_skyfield

        return search_by_skyfield(batch, job)
    alive: dict[int, tuple[Elements, Satrec]] = {}
    gaps: list[Gap] = []
    for index, elements in zip(batch.index, batch.elements, strict=True):
        satellite = elements.satrec()
        if reason := absurdity(elements) or gone(elements, satellite, job):
            gaps.append(Gap(index=index, start_s=0.0, end_s=job.end_s, reason=reason))
        else:
            alive[index] = elements, satellite
    closed: list[Block] = []
    under_way = Block.empty()
    for span, begin, size, cells in _pieces(batch, job) if alive else ():
        if len(under_way):
            closed.append(under_way.take(~under_way.open_end))
            under_way = under_way.take(under_way.open_end)
        turn = _turn(job.start, job.earth, span.tai_utc_s, begin, size, cells)
        places, bad = _places([satrec for _, satrec in alive.values()], turn, batch, job, size)
        for index in [index for index, is_bad in zip(list(alive), bad, strict=True) if is_bad]:
            elements, _ = alive.pop(index)
            mine = under_way.satellite == index
            part, part_gaps = search_usable_part(
                elements, index, job, from_s=begin, cells_max=_piece_cells(job)
            )
            closed.append(join(under_way.take(mine), part, border_s=begin) if begin else part)
            under_way = under_way.take(~mine)
            gaps.extend(part_gaps)
        if places is None:
            break
        found = _passes_on_grid(places, job, start_s=begin, step_s=size)
        found = found.of_satellites(tuple(alive))
        under_way = join(under_way, found, border_s=begin) if begin else found
    block = concatenate([*closed, under_way])
    up = always_up(block, batch, job)
    return Found(block=without(block, up), gaps=tuple(gaps), always_up=up)


def _piece_cells(job: Job, satellites: int = 1) -> int:
    return max(_PIECE_CELLS_MIN, job.nodes_max // (job.sites.count * satellites))


def _pieces(batch: Batch, job: Job) -> Iterator[tuple[Span, float, float, int]]:
    """Yield span, start, step and number of cells of the grids that make up the window."""
    limit = _piece_cells(job, len(batch.index))
    for span in job.spans:
        count = math.ceil((span.end_s - span.start_s) / batch.step_s)
        size = (span.end_s - span.start_s) / count
        for first in range(0, count, limit):
            yield span, span.start_s + first * size, size, min(limit, count - first)


def _places(
    satellites: Sequence[Satrec], turn: EarthTurn, batch: Batch, job: Job, step_s: float
) -> tuple[FloatArray | None, NDArray[np.bool_]]:
    """Return the positions of satellites that a coarse grid can do, and which it cannot."""
    if not batch.deep_space and pays(job.sites.count, len(turn.jd) * len(satellites)):
        screened = screened_positions(satellites, turn, job.sites, step_s)
        if screened is not None:
            return screened, np.zeros(len(satellites), dtype=np.bool_)
    positions = earth_fixed(satellites, turn)
    bad: NDArray[np.bool_] = ~np.all(positions.usable, axis=1)
    if batch.deep_space:
        bad |= is_rough(positions.position_km)
    if bad.all():
        return None, bad
    return positions.position_km[:, ~bad] if bad.any() else positions.position_km, bad


def _passes_on_grid(padded_km: FloatArray, job: Job, *, start_s: float, step_s: float) -> Block:
    """Return the passes of positions that reach PAD steps past both ends of a grid."""
    if job.engine is Engine.FAST and job.sites.skylines is None:
        # Late: numba is an extra, and takes half a second to import.
        from orbits.passes.compiled import passes_on_grid

        return passes_on_grid(padded_km, job.sites, start_s=start_s, step_s=step_s)
    nodes = central_nodes(padded_km, start_s=start_s, step_s=step_s)
    return passes_of(find_events(nodes, job.sites), nodes, job.sites)


@lru_cache(maxsize=2)
def _turn(
    start: datetime, earth: EarthTime, tai_utc_s: float, begin: float, size: float, cells: int
) -> EarthTurn:
    """Return the Earth's angle on a padded grid; batches of one step have it in common."""
    offset_s: FloatArray = begin + size * np.arange(-PAD, cells + PAD + 1, dtype=np.float64)
    jd, fraction = julian_pairs(start, offset_s)
    return earth_turn(jd, fraction, earth, tai_utc_s=tai_utc_s)
