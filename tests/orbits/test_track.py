"""A satellite sampled at chosen instants, against Skyfield."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from skyfield.api import EarthSatellite, load, wgs84

from orbits import SearchError, TimeError, sample_offsets, subpoint, track, track_offsets
from orbits.refraction import refraction_deg
from tests.orbits.sets import MICIUS_2016_12_18, OFFICIAL, XINGLONG

START = datetime(2016, 12, 19, 16, 48, tzinfo=UTC)
OFFSETS = np.linspace(0.0, 480.0, 97)
TIMESCALE = load.timescale(builtin=True)


def test_angles_and_ranges_are_those_of_skyfield() -> None:
    t = TIMESCALE.utc(2016, 12, 19, 16, 48, OFFSETS)
    site = wgs84.latlon(XINGLONG.lat_deg, XINGLONG.lon_deg, elevation_m=XINGLONG.height_m)
    satellite = EarthSatellite.from_satrec(MICIUS_2016_12_18.satrec(), TIMESCALE)
    there = (satellite - site).at(t)
    elevation, azimuth, distance = there.altaz()
    *_, rate = there.frame_latlon_and_rates(site)

    ours = track_offsets(MICIUS_2016_12_18, XINGLONG, START, OFFSETS)

    # 1 mm at 500 km is 1e-7 deg.
    np.testing.assert_allclose(ours.elevation_deg, elevation.degrees, rtol=0, atol=2e-7)
    np.testing.assert_allclose(ours.azimuth_deg, azimuth.degrees, rtol=0, atol=5e-7)
    np.testing.assert_allclose(ours.range_km, distance.km, rtol=0, atol=2e-6)
    np.testing.assert_allclose(ours.range_rate_km_s, rate.km_per_s, rtol=0, atol=1e-6)


def test_doppler_falls_through_zero_at_the_closest_approach() -> None:
    seen = track_offsets(MICIUS_2016_12_18, XINGLONG, START, OFFSETS)
    nearest = int(np.argmin(seen.range_km))
    shift_hz = seen.doppler_hz(353.4e12)  # 848.6 nm
    assert np.all(np.diff(shift_hz) < 0.0)
    assert np.all(shift_hz[: nearest - 1] > 0.0)
    assert np.all(shift_hz[nearest + 1 :] < 0.0)
    # 7 km/s over c, times the frequency: some 8 GHz.
    assert 5e9 < shift_hz[0] < 9e9
    np.testing.assert_allclose(shift_hz / 353.4e12, seen.doppler_ratio)


def test_datetimes_arrays_and_offsets_mean_the_same() -> None:
    datetimes = [START + timedelta(seconds=float(s)) for s in OFFSETS]
    array = np.array([t.replace(tzinfo=None) for t in datetimes], dtype="datetime64[us]")
    by_offset = track_offsets(MICIUS_2016_12_18, XINGLONG, START, OFFSETS)
    for seen in (
        track(MICIUS_2016_12_18, XINGLONG, datetimes),
        track(MICIUS_2016_12_18, XINGLONG, array),
    ):
        assert seen.start == START
        np.testing.assert_array_equal(seen.offset_s, OFFSETS)
        np.testing.assert_array_equal(seen.range_km, by_offset.range_km)
        np.testing.assert_array_equal(seen.times, array)
    assert len(by_offset) == len(OFFSETS)


def test_refraction_raises_low_satellites_and_is_off_by_default() -> None:
    plain = track_offsets(MICIUS_2016_12_18, XINGLONG, START, OFFSETS)
    raised = track_offsets(MICIUS_2016_12_18, XINGLONG, START, OFFSETS, refraction=True)
    np.testing.assert_allclose(
        raised.elevation_deg - plain.elevation_deg, refraction_deg(plain.elevation_deg)
    )
    # Saemundsson (1986): 28.98' at the horizon, 5.4' at 10 deg, 1' at 45 deg, 0 at the zenith.
    np.testing.assert_allclose(
        refraction_deg([0.0, 10.0, 45.0, 90.0, -5.0]) * 60.0, [28.98, 5.4, 1.0, 0.0, 0.0], atol=0.05
    )


def test_instants_without_a_position_are_left_out_with_the_reason() -> None:
    decayed = next(e for e in OFFICIAL if e.norad_id == 28872)
    instants = [decayed.epoch + timedelta(minutes=m) for m in (0, 5, 60)]
    seen = track(decayed, XINGLONG, instants)
    assert len(seen) == 2
    ((when, why),) = seen.unusable
    assert when == instants[2]
    assert "SGP4 error 6" in why
    for name in ("elevation_deg", "range_km", "sun_elevation_deg", "moon_phase_deg"):
        assert np.isfinite(getattr(seen, name)).all()
        assert getattr(seen, name).shape == (2,)
    gone = track(decayed, XINGLONG, instants[2:])
    assert len(gone) == 0
    assert gone.sun_elevation_deg.shape == gone.satellite_sunlit.shape == (0,)


@pytest.mark.parametrize(
    ("times", "error", "message"),
    [
        ([], SearchError, "0 instants, not 1 to"),
        ([datetime(2016, 12, 19)], TimeError, "naive"),  # noqa: DTZ001
        (np.array(["NaT"], dtype="datetime64[us]"), SearchError, "NaT"),
    ],
)
def test_bad_instants_are_refused(
    times: list[datetime], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        track(MICIUS_2016_12_18, XINGLONG, times)


def test_bad_offsets_are_refused() -> None:
    for offsets, message in (
        ([], r"offsets of shape \(0,\)"),
        ([[0.0]], r"offsets of shape \(1, 1\)"),
        ([0.0, float("nan")], "offset nan s is not finite"),
    ):
        with pytest.raises(SearchError, match=message):
            track_offsets(MICIUS_2016_12_18, XINGLONG, START, offsets)


def test_samples_reach_both_ends_evenly() -> None:
    offsets = sample_offsets(START, START + timedelta(seconds=10), step=timedelta(seconds=3))
    np.testing.assert_allclose(offsets, [0.0, 2.5, 5.0, 7.5, 10.0])
    assert sample_offsets(START, START, step=timedelta(seconds=1)).tolist() == [0.0, 0.0]
    for end, step in ((START, timedelta(0)), (START - timedelta(1), timedelta(1)),
                      (START + timedelta(3000), timedelta(microseconds=1))):  # fmt: skip
        with pytest.raises(SearchError):
            sample_offsets(START, end, step=step)


def test_the_point_below_is_that_of_skyfield() -> None:
    t = TIMESCALE.utc(2016, 12, 19, 16, 48, OFFSETS)
    satellite = EarthSatellite.from_satrec(MICIUS_2016_12_18.satrec(), TIMESCALE)
    theirs = wgs84.geographic_position_of(satellite.at(t))
    lat_deg, lon_deg = subpoint(
        MICIUS_2016_12_18, [START + timedelta(seconds=float(s)) for s in OFFSETS]
    )
    np.testing.assert_allclose(lat_deg, theirs.latitude.degrees, rtol=0, atol=1e-7)
    np.testing.assert_allclose(lon_deg, theirs.longitude.degrees, rtol=0, atol=1e-7)
