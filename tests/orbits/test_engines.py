"""The compiled search against numpy's, and engines that are not there."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from orbits import Elements, GroundStation, PassTable, SearchError, find_passes
from orbits.passes import engine
from tests.orbits.sets import MICIUS_2016_12_18, OFFICIAL, SYNTHETIC, TEN_PLACES, XINGLONG

MICROSECOND_S = 1e-6
SETS = [MICIUS_2016_12_18, *SYNTHETIC, *OFFICIAL[:-3]]


def both(
    elements: Elements, places: list[GroundStation], mask_deg: float
) -> tuple[PassTable, PassTable]:
    pytest.importorskip("numba", reason="the extra `fast` is not installed")
    start = elements.epoch.replace(microsecond=0) + timedelta(minutes=7)
    numpy, fast = (
        find_passes(
            elements, places, start, start + timedelta(days=2), mask_deg=mask_deg, engine=name
        )
        for name in ("numpy", "fast")
    )
    return numpy, fast


@pytest.mark.parametrize("mask_deg", [-5.0, 0.0, 10.0, 60.0])
@pytest.mark.parametrize("elements", SETS, ids=lambda one: f"{one.norad_id}-{one.name}")
def test_compiled_passes_are_the_same_to_a_microsecond(elements: Elements, mask_deg: float) -> None:
    numpy, fast = both(elements, list(TEN_PLACES), mask_deg)

    assert len(fast) == len(numpy)
    assert fast.always_up == numpy.always_up
    assert fast.unusable == numpy.unusable
    order_fast, order_numpy = (
        np.lexsort((table.block.rise_s, table.block.station)) for table in (fast, numpy)
    )
    for column in fields(numpy.block):
        mine = getattr(fast.block, column.name)[order_fast]
        theirs = getattr(numpy.block, column.name)[order_numpy]
        if column.name.endswith("_s"):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=MICROSECOND_S)
        elif column.name == "culmination_azimuth_deg":
            # At the zenith it has no azimuth: what is compared is the direction.
            turn = (mine - theirs + 180.0) % 360.0 - 180.0
            high = np.radians(numpy.block.elevation_deg[order_numpy])
            np.testing.assert_allclose(turn * np.cos(high), 0.0, rtol=0, atol=1e-6)
        elif mine.dtype == float:
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)
        else:
            np.testing.assert_array_equal(mine, theirs)


def test_a_kernel_in_numbas_cache_is_of_the_files_that_it_was_made_from() -> None:
    compiled = pytest.importorskip("orbits.passes.compiled", exc_type=ImportError)
    room = Path(compiled.__file__).parent
    called = b"".join((room / name).read_bytes() for name in ("compiled_cell.py", "grid.py"))
    # After a change of either write the new digest there.
    assert hashlib.sha256(called).hexdigest().startswith(compiled.CALLED)


def test_uneven_horizons_are_numpys_whatever_the_engine() -> None:
    hilly = GroundStation(
        station_id="h", lat_deg=40.4, lon_deg=117.6, mask=[(0.0, 5.0), (120.0, 30.0), (240.0, 12.0)]
    )
    start = MICIUS_2016_12_18.epoch
    pytest.importorskip("numba", reason="the extra `fast` is not installed")
    numpy, fast = (
        find_passes(MICIUS_2016_12_18, hilly, start, start + timedelta(days=3), engine=name)
        for name in ("numpy", "fast")
    )

    np.testing.assert_array_equal(fast.block.rise_s, numpy.block.rise_s)


def test_an_unknown_engine_is_refused() -> None:
    start = MICIUS_2016_12_18.epoch
    with pytest.raises(SearchError, match="engine 'warp', not one of numpy, fast, skyfield"):
        find_passes(MICIUS_2016_12_18, XINGLONG, start, start + timedelta(days=1), engine="warp")


def test_the_fast_engine_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    start = MICIUS_2016_12_18.epoch
    with pytest.raises(SearchError, match="needs numba, which is not installed; allowed: install"):
        find_passes(MICIUS_2016_12_18, XINGLONG, start, start + timedelta(days=1), engine="fast")


# Skyfield's search stops at a millisecond, and the quintics are within one (docs/measured.md).
SKYFIELD_S = 0.005
GRAZE_DEG = 0.2
FASTEST_KM_S = 11.2


@pytest.mark.parametrize("elements", SETS, ids=lambda one: f"{one.norad_id}-{one.name}")
def test_skyfield_finds_the_same_passes(elements: Elements) -> None:
    start = elements.epoch.replace(microsecond=0) + timedelta(minutes=7)
    end = start + timedelta(hours=9)
    places, mask_deg = list(TEN_PLACES)[::4], 10.0
    ours, theirs = (
        find_passes(elements, places, start, end, mask_deg=mask_deg, engine=name)
        for name in ("numpy", "skyfield")
    )

    assert theirs.always_up == ours.always_up
    mine, other = (
        table.block.take(np.lexsort((table.block.rise_s, table.block.station)))
        for table in (ours, theirs)
    )
    mine = mine.take(mine.elevation_deg > mask_deg + GRAZE_DEG)
    other = other.take(other.elevation_deg > mask_deg + GRAZE_DEG)
    np.testing.assert_array_equal(mine.station, other.station)
    np.testing.assert_array_equal(mine.open_start, other.open_start)
    np.testing.assert_array_equal(mine.open_end, other.open_end)
    for name in ("rise_s", "set_s"):
        np.testing.assert_allclose(
            getattr(other, name), getattr(mine, name), rtol=0, atol=SKYFIELD_S, err_msg=name
        )
    # At the zenith the elevation goes by as fast as the satellite, and no orbit is faster.
    allowed_deg = np.degrees(FASTEST_KM_S * SKYFIELD_S / mine.range_km)
    assert (np.abs(other.elevation_deg - mine.elevation_deg) < allowed_deg).all()
    np.testing.assert_allclose(other.range_km, mine.range_km, rtol=1e-4)


def test_skyfield_takes_no_uneven_horizon() -> None:
    hilly = GroundStation(
        station_id="h", lat_deg=40.4, lon_deg=117.6, mask=[(0.0, 5.0), (120.0, 30.0)]
    )
    start = MICIUS_2016_12_18.epoch
    with pytest.raises(SearchError, match="takes even horizons only"):
        find_passes(MICIUS_2016_12_18, hilly, start, start + timedelta(days=1), engine="skyfield")
