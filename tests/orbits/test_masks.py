"""Masks and uneven horizons: what stands in the way of a pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from orbits import (
    GroundStation,
    Visibility,
    find_passes,
    subpoint,
    track,
)
from tests.orbits.sets import (
    EPOCH,
    MICIUS_2016_12_18,
    NANSHAN,
    SYNTHETIC,
    TEN_PLACES,
    XINGLONG,
    orbit,
)
from tests.orbits.test_passes import DAY, START, micius


def test_each_station_has_its_own_mask_unless_told_otherwise() -> None:
    low, high = replace(XINGLONG, mask=5.0), replace(NANSHAN, mask=30.0)
    table = find_passes(MICIUS_2016_12_18, [low, high], START, START + 5 * DAY)
    for index, (place, mask_deg) in enumerate(((XINGLONG, 5.0), (NANSHAN, 30.0))):
        alone = find_passes(MICIUS_2016_12_18, place, START, START + 5 * DAY, mask_deg=mask_deg)
        np.testing.assert_allclose(
            table.rise_offset_s[table.station_index == index], alone.rise_offset_s, atol=1e-6
        )


def test_an_uneven_horizon_cuts_passes_where_it_stands() -> None:
    corners = [(0.0, 10.0), (80.0, 10.0), (90.0, 60.0), (180.0, 60.0), (190.0, 10.0)]
    hilly = replace(XINGLONG, mask=corners)
    flat = micius(START, START + 10 * DAY)
    table = find_passes(MICIUS_2016_12_18, hilly, START, START + 10 * DAY)
    assert 0 < len(table) < len(flat) + 10
    for one in table:
        seen = track(
            MICIUS_2016_12_18,
            XINGLONG,
            [one.rises_at + (one.sets_at - one.rises_at) * k / 200 for k in range(201)],
        )
        clear = seen.elevation_deg - hilly.horizon.at(seen.azimuth_deg)
        np.testing.assert_allclose(clear[[0, -1]], 0.0, atol=2e-4)
        assert np.all(clear[1:-1] > -1e-4)
        assert seen.elevation_deg.max() <= one.max_elevation_deg + 1e-3
    # A horizon with equal corners is a mask.
    even = find_passes(
        MICIUS_2016_12_18, replace(XINGLONG, mask=[(0.0, 10.0), (90.0, 10.0)]), START, START + DAY
    )
    assert len(even) == len(micius(START, START + DAY))


def test_a_geostationary_satellite_behind_a_mast_is_not_always_up() -> None:
    geo = SYNTHETIC[0]
    place = next(p for p in TEN_PLACES if track(geo, p, [EPOCH]).elevation_deg[0] > 20.0)
    (azimuth,) = track(geo, place, [EPOCH]).azimuth_deg
    mast = [(max(azimuth - 5, 0.0), 5.0), (azimuth, 89.0), (min(azimuth + 5, 359.0), 5.0)]
    table = find_passes(geo, replace(place, mask=mast), EPOCH, EPOCH + 2 * DAY)
    assert table.visibility() is Visibility.NEVER_UP
    table = find_passes(geo, replace(place, mask=[(0.0, 5.0), (180.0, 4.0)]), EPOCH, EPOCH + DAY)
    assert table.visibility() is Visibility.ALWAYS_UP


def test_long_arcs_over_an_uneven_horizon_culminate_as_over_an_even_one() -> None:
    """A month in sight is sampled each 144 s; what is highest lies between the samples."""
    geo = orbit(2, "drifting", rev_per_day=1.0027, inclination_deg=40.0)
    longitudes = subpoint(geo, [EPOCH + timedelta(hours=hour) for hour in range(24)])[1]
    place = GroundStation(station_id="s", lat_deg=20.0, lon_deg=float(longitudes.mean()) + 10.0)
    notched = [(0.0, 30.0), (300.0, 30.0), (300.001, 0.0), (301.0, 0.0), (301.001, 30.0)]
    even, uneven = (
        list(find_passes(geo, replace(place, mask=mask), EPOCH, EPOCH + 30 * DAY))
        for mask in (30.0, notched)
    )
    assert len(even) == len(uneven) > 25
    for one, other in zip(even, uneven, strict=True):
        assert other.culminations == one.culminations
        assert abs((other.culminates_at - one.culminates_at).total_seconds()) < 0.02
        assert abs((other.tca_at - one.tca_at).total_seconds()) < 0.02
        assert abs(other.max_elevation_deg - one.max_elevation_deg) < 1e-6
        assert abs(other.range_km_min - one.range_km_min) < 1e-3


def test_masks_below_the_horizon_see_further() -> None:
    counts = [len(micius(START, START + 10 * DAY, mask)) for mask in (-5.0, 0.0, 5.0, 30.0, 80.0)]
    assert counts == sorted(counts, reverse=True)
    longer, shorter = micius(START, START + DAY, -5.0), micius(START, START + DAY, 0.0)
    assert longer.set_offset_s.max() - longer.rise_offset_s.min() > 0
    assert longer[0].duration_s > shorter[0].duration_s
