"""The pass search over a window that several element sets of one satellite serve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from orbits.archive.store import MAX_AGE, Archive, Segment, SetRule
from orbits.earth import EarthTime
from orbits.horizon import MaskLike
from orbits.passes import PassTable, find_passes
from orbits.passes.assemble import Block, concatenate
from orbits.passes.engine import Engine
from orbits.station import GroundStation
from orbits.times import seconds_between, window

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray

# A pass of a low orbit is over within the hour; one of a high orbit may last for days.
_MARGIN_LOW = timedelta(hours=2)
_MARGIN_HIGH = timedelta(days=2)
_LOW_PERIOD_S = 225.0 * 60.0


def find_passes_in_archive(
    archive: Archive,
    norad_id: int,
    stations: GroundStation | Sequence[GroundStation],
    start: datetime,
    end: datetime,
    *,
    rule: SetRule | str = SetRule.NEAREST,
    as_known_at: datetime | None = None,
    lag: timedelta = timedelta(0),
    max_age: timedelta | None = MAX_AGE,
    mask_deg: MaskLike | None = None,
    engine: Engine | str = Engine.NUMPY,
    executor: Executor | None = None,
) -> PassTable:
    """Return the passes of one satellite, each by the set that serves its culmination.

    The window is cut as `Archive.segments` says. Each piece is searched somewhat beyond
    its borders, so that no pass is cut by one; of a pass that two neighbours both see, the
    one of the earlier set is kept. `PassTable.elements` are the sets in order.

    Parameters
    ----------
    rule, as_known_at, lag : which set serves when, as in `Archive.segments`
    max_age : how far from its epoch a set may be used, either way; None for any distance

    Raises NoElementsError, StaleElementsError, and whatever `find_passes` raises.
    """
    start, end = window(start, end)
    pieces = archive.segments(
        start, end, rule, norad_id=norad_id, lag=lag, as_known_at=as_known_at, max_age=max_age
    )
    tables = [
        _search(
            piece,
            stations,
            start,
            end,
            mask_deg=mask_deg,
            engine=engine,
            executor=executor,
            earth=archive.earth,
        )
        for piece in pieces
    ]
    blocks = [
        table.block.of_satellites((k,)).later(seconds_between(start, table.start))
        for k, table in enumerate(tables)
    ]
    borders_s = [seconds_between(start, piece.end) for piece in pieces[:-1]]
    found = PassTable(
        _chained(blocks, borders_s),
        elements=tuple(piece.elements for piece in pieces),
        stations=tables[0].stations,
        start=start,
        end=end,
        always_up=frozenset(
            (k, station) for k, table in enumerate(tables) for _, station in table.always_up
        ),
        unusable=tuple(gap for table in tables for gap in table.unusable),
        earth=archive.earth,
    )
    return found.with_sigma(_time_sigma_s(archive, found))


def _time_sigma_s(archive: Archive, passes: PassTable) -> NDArray[np.float64] | None:
    """Return one sigma of each pass's times; None if the archive has no history."""
    sigma_s = np.zeros(len(passes))
    for k, elements in enumerate(passes.elements):
        mine = passes.satellite_index == k
        found = archive.time_sigmas_s(elements, passes.culminates_at[mine])
        if found is None:
            return None
        sigma_s[mine] = found
    return sigma_s


def _chained(blocks: Sequence[Block], borders_s: Sequence[float]) -> Block:
    """Return the passes of overlapping pieces, each pass once (see find_passes_in_archive)."""
    kept: list[Block] = []
    lows = [-np.inf, *borders_s]
    highs = [*borders_s, np.inf]
    for k, (block, low, high) in enumerate(zip(blocks, lows, highs, strict=True)):
        own = (block.culmination_s >= low) & (block.culmination_s < high)
        if k:
            # Both sides may claim a pass that culminates at the border: the earlier has it.
            own &= ~_overlaps(block, kept[-1])
        if k < len(blocks) - 1:
            # Both sides may leave it to each other: again the earlier has it.
            later = blocks[k + 1]
            left = later.take(later.culmination_s < high)
            own |= (block.culmination_s >= high) & _overlaps(block, left)
        kept.append(block.take(own))
    return concatenate(kept)


def _overlaps(block: Block, others: Block) -> NDArray[np.bool_]:
    """Return for each pass whether one of the others is over the same station meanwhile."""
    found = np.zeros(len(block), dtype=bool)
    for station in sorted(set(block.station.tolist())):
        mine = np.flatnonzero(block.station == station)
        theirs = others.take(others.station == station)
        order = np.argsort(theirs.rise_s)
        rises, sets = theirs.rise_s[order], theirs.set_s[order]
        at = np.searchsorted(rises, block.set_s[mine], side="right") - 1
        found[mine] = (
            (at >= 0) & (sets[np.maximum(at, 0)] > block.rise_s[mine]) if len(sets) else False
        )
    return found


def _search(
    piece: Segment,
    stations: GroundStation | Sequence[GroundStation],
    start: datetime,
    end: datetime,
    *,
    mask_deg: MaskLike | None,
    engine: Engine | str,
    executor: Executor | None,
    earth: EarthTime,
) -> PassTable:
    low = piece.elements.period_s < _LOW_PERIOD_S
    margin = _MARGIN_LOW if low else _MARGIN_HIGH
    return find_passes(
        piece.elements,
        stations,
        max(start, piece.start - margin),
        min(end, piece.end + margin),
        mask_deg=mask_deg,
        engine=engine,
        executor=executor,
        earth=earth,
    )
