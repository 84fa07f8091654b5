"""Which passes of two stations go together: at once, or one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orbits.errors import SearchError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.intp]


class Overlaps(NamedTuple):
    """Windows in which both stations see the satellite, arrays of shape (W,), by begin."""

    first: IntArray  #: which pass of the first station
    second: IntArray
    begins_s: FloatArray
    ends_s: FloatArray


class Sequences(NamedTuple):
    """A pass of the first station with one of the second that follows it, arrays of shape (W,)."""

    first: IntArray
    second: IntArray
    gap_s: FloatArray  #: from the end of the one to the begin of the other, 0 and up


def overlaps(
    first_begins_s: ArrayLike,
    first_ends_s: ArrayLike,
    second_begins_s: ArrayLike,
    second_ends_s: ArrayLike,
) -> Overlaps:
    """Return the spans that passes of two stations have in common, half-open, none empty.

    Takes seconds after one instant, shapes (P,) and (Q,): of each station in order, disjoint.

    Raises SearchError for passes that are out of order or overlap within one station.
    """
    a_begins, a_ends = _spans(first_begins_s, first_ends_s)
    b_begins, b_ends = _spans(second_begins_s, second_ends_s)
    low = np.searchsorted(b_ends, a_begins, side="right")
    high = np.searchsorted(b_begins, a_ends, side="left")
    first, second = _every(low, high)
    return Overlaps(
        first,
        second,
        np.maximum(a_begins[first], b_begins[second]),
        np.minimum(a_ends[first], b_ends[second]),
    )


def sequences(
    first_begins_s: ArrayLike,
    first_ends_s: ArrayLike,
    second_begins_s: ArrayLike,
    second_ends_s: ArrayLike,
    *,
    gap_s_max: float,
) -> Sequences:
    """Return each pass of the first station with every later one of the second within a gap.

    The one ends before the other begins, or at that instant, and at most `gap_s_max` seconds
    before it. Takes spans as `overlaps` does.

    Raises SearchError as `overlaps`, and for a gap that is not 0 and up.
    """
    if not gap_s_max >= 0.0:
        raise SearchError(f"gap_s_max {gap_s_max}; allowed: 0 and up")
    _, a_ends = _spans(first_begins_s, first_ends_s)
    b_begins, _ = _spans(second_begins_s, second_ends_s)
    low = np.searchsorted(b_begins, a_ends, side="left")
    # Not by a_ends + gap, whose rounding could let in a gap that is a hair too long.
    high = np.searchsorted(b_begins - gap_s_max, a_ends, side="right")
    first, second = _every(low, np.maximum(low, high))
    return Sequences(first, second, b_begins[second] - a_ends[first])


def _spans(begins_s: ArrayLike, ends_s: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return both as arrays. Raises SearchError."""
    begins, ends = (np.asarray(values, dtype=np.float64) for values in (begins_s, ends_s))
    if begins.ndim != 1 or begins.shape != ends.shape:
        raise SearchError(f"begins of shape {begins.shape}, ends of {ends.shape}, not (N,) both")
    wrong = np.flatnonzero(~(begins < ends))
    if wrong.size:
        raise SearchError(f"a pass from {begins[wrong[0]]} s to {ends[wrong[0]]} s is none")
    wrong = np.flatnonzero(begins[1:] < ends[:-1])
    if wrong.size:
        at = int(wrong[0])
        raise SearchError(
            f"a pass from {begins[at + 1]} s on begins before the one before it ends, at"
            f" {ends[at]} s; allowed: passes in order"
        )
    return begins, ends


def _every(low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
    """Return each row with every number from its low up to, not including, its high."""
    counts = high - low
    first = np.repeat(np.arange(len(low)), counts)
    inside = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    return first, low[first] + inside
