"""Horizons of the real world: corners, steps, slits and masts, and the passes between them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orbits import (
    GroundStation,
    HorizonMask,
    StationError,
    find_passes,
    read_horizon,
    track_offsets,
)
from orbits.horizon import as_mask
from orbits.refraction import refraction_deg, true_elevation_deg
from tests.orbits.oracle import disagreements
from tests.orbits.sets import MICIUS_2016_12_18, OFFICIAL, SYNTHETIC, XINGLONG
from tests.orbits.test_passes import START

# 48 corners within 30 deg, as a survey gives them; spikes, steps and a hole below the horizon.
HILLS = [(7.5 * k, 12.0 + 9.0 * np.sin(k * k)) for k in range(48)]
REAL = [e for e in OFFICIAL[:-3] if e.mean_motion_rev_per_day > 6.4] + [MICIUS_2016_12_18]


@st.composite
def horizons(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Corners at whole tenths of a degree, some of them vertical steps."""
    azimuths = draw(st.lists(st.integers(0, 3599), min_size=2, max_size=48, unique=True))
    highest = draw(st.sampled_from([5.0, 20.0, 85.0]))
    elevation = st.floats(-5.0, highest)
    corners = []
    for azimuth in sorted(azimuths):
        corners += [(azimuth / 10.0, draw(elevation)) for _ in range(draw(st.integers(1, 2)))]
    return corners


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    corners=horizons(),
    elements=st.sampled_from(REAL),
    lat_deg=st.floats(-90.0, 90.0),
    lon_deg=st.floats(-180.0, 180.0),
    begins_h=st.floats(0.0, 5.0),
)
def test_passes_over_any_horizon_are_those_of_a_dense_scan(
    corners: list[tuple[float, float]], elements: object, lat_deg: float, lon_deg: float,
    begins_h: float,
) -> None:  # fmt: skip
    place = GroundStation(station_id="s", lat_deg=lat_deg, lon_deg=lon_deg, mask=corners)
    start = elements.epoch.replace(microsecond=0) + timedelta(hours=begins_h)
    table = find_passes(elements, place, start, start + timedelta(hours=8))
    if not table.unusable:
        assert disagreements(table, step_s=0.1) == []


@pytest.mark.parametrize(
    "elements", [SYNTHETIC[3], SYNTHETIC[5], SYNTHETIC[7]], ids=lambda e: e.name
)
def test_high_orbits_pass_hills_as_a_dense_scan_says(elements: object) -> None:
    place = GroundStation(station_id="s", lat_deg=50.0, lon_deg=20.0, mask=HILLS)
    table = find_passes(elements, place, elements.epoch, elements.epoch + timedelta(days=2))
    assert len(table) >= 2
    assert disagreements(table, step_s=2.0) == []


def the_pass() -> tuple[float, float, float]:
    """When the first high pass of a day culminates, its azimuth there and the azimuth's rate."""
    table = find_passes(
        MICIUS_2016_12_18, XINGLONG, START, START + timedelta(days=1), mask_deg=40.0
    )
    top_s = float(table.culmination_offset_s[0])
    around = track_offsets(MICIUS_2016_12_18, XINGLONG, START, np.array([top_s - 0.5, top_s + 0.5]))
    before, after = around.azimuth_deg
    return top_s, 0.5 * float(before + after), float(after - before)


@pytest.mark.parametrize("behind", [True, False], ids=["a mast", "a slit"])
def test_a_fifth_of_a_second_is_not_too_short(behind: bool) -> None:
    top_s, azimuth, rate = the_pass()
    low, high = (10.0, 85.0) if behind else (85.0, 10.0)
    begin, end = azimuth - 0.1 * abs(rate), azimuth + 0.1 * abs(rate)
    corners = [(0.0, low), (begin, low), (begin, high), (end, high), (end, low)]
    day = START + timedelta(days=1)
    table = find_passes(MICIUS_2016_12_18, replace(XINGLONG, mask=corners), START, day)
    if behind:
        # The pass that the mast cuts in two.
        later = int(np.searchsorted(table.rise_offset_s, top_s))
        ends = table.set_offset_s[later - 1], table.rise_offset_s[later]
    else:
        later = int(np.argmin(np.abs(table.rise_offset_s - top_s)))
        ends = table.rise_offset_s[later], table.set_offset_s[later]
    np.testing.assert_allclose(ends, [top_s - 0.1, top_s + 0.1], atol=2e-3)


def test_a_hill_that_a_satellite_just_clears_or_just_does_not() -> None:
    """The line of a ridge touches the path between two corners, far from both."""
    top_s, _, _ = the_pass()
    moment = track_offsets(MICIUS_2016_12_18, XINGLONG, START, [top_s - 60.0, top_s - 59.9])
    at, tilt = (
        moment.azimuth_deg[0],
        np.diff(moment.elevation_deg)[0] / np.diff(moment.azimuth_deg)[0],
    )
    day = START + timedelta(days=1)
    gaps = []
    for below_deg in (1e-3, -1e-4, -1e-3):
        corners = [(float(at + k), float(moment.elevation_deg[0] - below_deg + k * tilt))
                   for k in (-12.0, 12.0)]  # fmt: skip
        corners = [(corners[0][0], 0.0), *corners, (corners[1][0], 0.0)]
        table = find_passes(MICIUS_2016_12_18, replace(XINGLONG, mask=corners), START, day)
        inside = (table.set_offset_s > top_s - 70.0) & (table.set_offset_s < top_s - 50.0)
        gaps.append(int(inside.sum()))
        assert disagreements(table, step_s=0.1) == []
    assert gaps[0] + gaps[2] == 1


def test_a_profile_may_end_at_360_and_step() -> None:
    stepped = as_mask([(0.0, 5.0), (90.0, 10.0), (90.0, 20.0), (360.0, 8.0)])
    assert stepped.azimuth_deg == (0.0, 0.0, 90.0, 90.0)
    assert stepped.elevation_deg == (8.0, 5.0, 10.0, 20.0)
    np.testing.assert_allclose(
        stepped.at([0.0, 45.0, 89.999999, 90.0, 225.0, 359.999999, 360.0]),
        [5.0, 7.5, 10.0, 20.0, 14.0, 8.0, 5.0],
        atol=1e-6,
    )
    closed = as_mask([(0.0, 5.0), (180.0, 7.0), (360.0, 5.0)])
    assert closed == HorizonMask(azimuth_deg=(0.0, 180.0), elevation_deg=(5.0, 7.0))


@given(corners=horizons(), low=st.floats(-10.0, 60.0), azimuth=st.floats(0.0, 359.99))
def test_a_raised_horizon_is_the_higher_of_both(
    corners: list[tuple[float, float]], low: float, azimuth: float
) -> None:
    horizon = as_mask(corners)
    # At the steps themselves either side will do.
    if min(abs(azimuth - corner) for corner in horizon.azimuth_deg) < 1e-6:
        return
    np.testing.assert_allclose(
        horizon.at_least(low).at(azimuth), max(float(horizon.at(azimuth)), low), atol=1e-6
    )


@settings(max_examples=30, deadline=None)
@given(corners=horizons(), azimuth=st.floats(0.0, 359.99))
def test_a_horizon_seen_through_air_hides_what_is_seen_below_it(
    corners: list[tuple[float, float]], azimuth: float
) -> None:
    # Below, the air bends more than the formula can say (refraction_deg).
    apparent = as_mask(corners).at_least(0.0)
    if min(abs(azimuth - corner) for corner in apparent.azimuth_deg) < 1e-6:
        return
    true_deg = apparent.seen_through_air().at(azimuth)
    # 1e-3 deg: what refraction bends between the corners that are added.
    np.testing.assert_allclose(true_deg + refraction_deg(true_deg), apparent.at(azimuth), atol=1e-3)


def test_refraction_has_its_inverse() -> None:
    true = np.linspace(-1.0, 90.0, 400)
    np.testing.assert_allclose(true_elevation_deg(true + refraction_deg(true)), true, atol=1e-9)
    # Bennett, Journal of Navigation 35, 255 (1982): 34.5' at the apparent horizon, to 0.1'.
    assert -float(true_elevation_deg(0.0)) * 60.0 == pytest.approx(34.5, abs=0.15)


@pytest.mark.parametrize(
    "text",
    [
        "0,5\n90,10\n270,7.5\n",
        "\ufeffAzimuth (deg);Elevation (deg)\r\n0;5\r\n90;10,0\r\n-90;7,5\r\n",
        "# surveyed\n270 7.5 # the church\n\n0 5\n90\t10\n360 5\n",
        "point,altitude,azimuth\n1,5,0\n2,10,90\n3,7.5,270\n",
    ],
)
def test_surveys_are_read_as_they_come(text: str) -> None:
    assert read_horizon(text) == as_mask([(0.0, 5.0), (90.0, 10.0), (270.0, 7.5)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one"),
        ("azimuth,elevation\n", "at least one"),
        ("0,5\n90,high\n", "line 2: '90,high', expected azimuth and elevation"),
        ("0,5\n400,5\n", "line 2: azimuth 400.0 deg, not -180 to 360"),
        ("5\n", "line 1: '5', expected"),
        ("0,95\n", "mask 95.0 deg"),
        ("0,nan\n", "mask nan deg"),
    ],
)
def test_a_survey_that_is_none_is_refused_by_its_line(text: str, message: str) -> None:
    with pytest.raises(StationError, match=message):
        read_horizon(text)
