"""Passes of two stations that go together, against a search by hand over all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits import SearchError, find_passes, overlaps, sequences
from tests.orbits.sets import MICIUS_2016_12_18, NANSHAN, XINGLONG

Spans = list[tuple[float, float]]


@st.composite
def spans(draw: st.DrawFn) -> Spans:
    """Disjoint spans in order; whole numbers, so that ends and begins often meet."""
    edges = draw(st.lists(st.integers(0, 60), max_size=16))
    ordered = sorted(set(edges))
    return [(float(a), float(b)) for a, b in zip(ordered[::2], ordered[1::2], strict=False)]


def _columns(passes: Spans) -> tuple[list[float], list[float]]:
    return [begin for begin, _ in passes], [end for _, end in passes]


@given(first=spans(), second=spans())
def test_every_common_span_is_found_and_none_invented(first: Spans, second: Spans) -> None:
    found = overlaps(*_columns(first), *_columns(second))

    expected = {
        (i, j, max(a, c), min(b, d))
        for i, (a, b) in enumerate(first)
        for j, (c, d) in enumerate(second)
        if max(a, c) < min(b, d)
    }
    assert set(zip(*(one.tolist() for one in found), strict=True)) == expected
    assert len(found.first) == len(expected)


@given(first=spans(), second=spans(), gap=st.integers(0, 60))
def test_every_sequence_within_the_gap_is_found(first: Spans, second: Spans, gap: int) -> None:
    found = sequences(*_columns(first), *_columns(second), gap_s_max=float(gap))

    expected = {
        (i, j, c - b)
        for i, (_, b) in enumerate(first)
        for j, (c, _) in enumerate(second)
        if 0.0 <= c - b <= gap
    }
    assert set(zip(*(one.tolist() for one in found), strict=True)) == expected


@given(first=spans(), second=spans())
def test_the_order_of_stations_changes_no_window(first: Spans, second: Spans) -> None:
    one, other = (
        overlaps(*_columns(a), *_columns(b)) for a, b in ((first, second), (second, first))
    )

    assert sorted(one.begins_s) == sorted(other.begins_s)
    assert sorted(one.ends_s) == sorted(other.ends_s)


WRONG = [
    ([0.0], [0.0], "none"),
    ([1.0], [0.0], "none"),
    ([0.0, 5.0], [6.0, 9.0], "order"),
    ([0.0, 1.0], [1.0], "shape"),
    ([float("nan")], [1.0], "none"),
]


@pytest.mark.parametrize(("begins", "ends", "word"), WRONG)
def test_spans_that_are_none_are_refused(begins: list[float], ends: list[float], word: str) -> None:
    with pytest.raises(SearchError, match=word):
        overlaps(begins, ends, [0.0], [1.0])


@pytest.mark.parametrize("gap", [-1.0, float("nan")])
def test_a_gap_that_is_none_is_refused(gap: float) -> None:
    with pytest.raises(SearchError, match="gap_s_max"):
        sequences([0.0], [1.0], [2.0], [3.0], gap_s_max=gap)


def test_both_stations_see_micius_within_a_common_window_and_not_beside_it() -> None:
    start = MICIUS_2016_12_18.epoch
    tables = [
        find_passes(MICIUS_2016_12_18, [site], start, start + np.timedelta64(3, "D").item())
        for site in (XINGLONG, NANSHAN)
    ]
    columns = [column for one in tables for column in (one.rise_offset_s, one.set_offset_s)]

    found = overlaps(*columns)

    # 2,500 km apart, 500 km up: some passes are common to both, and shorter than either.
    assert len(found.first)
    lengths = found.ends_s - found.begins_s
    assert np.all(lengths <= (columns[1] - columns[0])[found.first])
    assert np.all(lengths <= (columns[3] - columns[2])[found.second])
