"""Datetimes, Julian dates, the Earth's angle, and places on the ground."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skyfield.api import load, wgs84
from skyfield.sgp4lib import theta_GMST1982

from orbits import (
    GroundStation,
    HorizonMask,
    StationError,
    TimeError,
    as_utc,
    iso_utc,
)
from orbits.earth import SHIPPED
from orbits.times import (
    DAY_S,
    TT_MINUS_TAI_S,
    datetime_at,
    julian_pair,
    julian_pairs,
    window,
)

NOON = datetime(2017, 1, 1, 12, tzinfo=UTC)
TIMESCALE = load.timescale(builtin=True)


def test_other_zones_become_utc() -> None:
    beijing = timezone(timedelta(hours=8))
    assert as_utc(datetime(2017, 1, 1, 20, tzinfo=beijing)) == NOON
    assert as_utc(datetime(2017, 1, 1, 20, tzinfo=beijing)).tzinfo is UTC
    assert (
        iso_utc(datetime(2017, 1, 1, 20, 0, 0, 5, tzinfo=beijing)) == "2017-01-01T12:00:00.000005Z"
    )


@pytest.mark.parametrize("value", [datetime(2017, 1, 1), "2017-01-01", 0])  # noqa: DTZ001
def test_naive_and_other_values_are_refused(value: object) -> None:
    with pytest.raises(TimeError, match="need a datetime"):
        as_utc(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (timedelta(0), "need start < end"),
        (timedelta(seconds=-1), "need start < end"),
        (timedelta(days=36601), "longer than 36600 days"),
    ],
)
def test_windows_have_a_direction_and_a_limit(length: timedelta, message: str) -> None:
    with pytest.raises(TimeError, match=message):
        window(NOON, NOON + length)


INSTANTS = st.timedeltas(timedelta(0), timedelta(days=50000)).map(
    lambda after: datetime(1958, 1, 1, tzinfo=UTC) + after
)


@given(start=INSTANTS, offset_s=st.floats(-1e6, 1e9))
def test_split_dates_resolve_nanoseconds(start: datetime, offset_s: float) -> None:
    jd, fraction = julian_pairs(start, np.array([offset_s]))
    jd0, fraction0 = julian_pair(start)

    assert 0.0 <= fraction[0] < 1.0
    assert jd[0] % 1.0 == 0.5
    again = ((jd[0] - jd0) + (fraction[0] - fraction0)) * 86400.0
    # 1e9 s in a float64 of days: 1e-12 days.
    assert again == pytest.approx(offset_s, rel=0, abs=2e-7)


@given(start=INSTANTS, offset_s=st.floats(0, 1e8))
def test_instants_are_exact_to_a_microsecond(start: datetime, offset_s: float) -> None:
    assert (datetime_at(start, offset_s) - start).total_seconds() == pytest.approx(
        offset_s, rel=0, abs=0.51e-6 + 1e-8
    )


def test_leap_seconds_are_those_of_skyfield() -> None:
    assert SHIPPED.tai_minus_utc_s(2436000.5) == 10.0
    for count, leap in enumerate(SHIPPED.leap_instants):
        jd, _ = julian_pair(leap)
        assert SHIPPED.tai_minus_utc_s(jd - 1.0) == 10 + count
        assert SHIPPED.tai_minus_utc_s(jd) == 11 + count
        before, after = (TIMESCALE.from_datetime(leap + k * timedelta(hours=1)) for k in (-1, 1))
        # Two hours and a second pass on a clock that shows two hours.
        assert (after - before) * 86400.0 == pytest.approx(7201.0, abs=1e-3)


def test_windows_are_cut_at_leap_seconds_inside_them() -> None:
    start = datetime(2016, 12, 31, 23, tzinfo=UTC)
    assert SHIPPED.leap_offsets_s(start, NOON) == [3600.0]
    assert SHIPPED.leap_offsets_s(datetime(2017, 1, 1, tzinfo=UTC), NOON) == []
    assert SHIPPED.leap_offsets_s(start, datetime(2017, 1, 1, tzinfo=UTC)) == []


def test_the_earths_lag_is_that_of_skyfield_to_the_last_bit() -> None:
    # From the splines of antiquity over the daily table to the parabola after it.
    jd = np.arange(1_000_000.5, 4_000_000.0, 29.3)
    tai_utc_s = SHIPPED.tai_minus_utc_s(jd)
    offset_s = TT_MINUS_TAI_S + tai_utc_s
    delta_t = TIMESCALE.delta_t_function(jd + (0.25 + offset_s / DAY_S))
    ours = SHIPPED.ut1_minus_utc_s(jd, np.full_like(jd, 0.25), tai_utc_s)
    np.testing.assert_array_equal(ours, offset_s - delta_t)


def test_the_earths_angle_is_that_of_skyfield() -> None:
    offset_s = np.linspace(0.0, 20 * 365 * 86400.0, 1000)
    start = datetime(2005, 1, 1, tzinfo=UTC)
    jd, fraction = julian_pairs(start, offset_s)
    t = TIMESCALE.tt_jd(jd, fraction + (SHIPPED.tai_minus_utc_s(jd + fraction) + 32.184) / 86400.0)
    theirs, _ = theta_GMST1982(t.whole, t.ut1_fraction)

    ours = SHIPPED.rotation_rad(jd, fraction, SHIPPED.tai_minus_utc_s(jd + fraction))

    # 1e-9 rad: 6 mm at the equator, 10 us of UT1.
    difference = (ours - theirs + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(difference, 0.0, atol=1e-9)


def test_ut1_goes_on_smoothly_where_the_table_ends() -> None:
    end = SHIPPED.known_until
    assert end > datetime(2026, 12, 1, tzinfo=UTC)
    days = np.arange(-30.0, 400.0)
    jd, fraction = julian_pairs(end, days * 86400.0)
    offset_s = SHIPPED.ut1_minus_utc_s(jd, fraction, SHIPPED.tai_minus_utc_s(jd + fraction))
    # In 1962 to 2026 a day was at most 4 ms longer than 86,400 s (IERS, EOP C04).
    assert np.abs(np.diff(offset_s)).max() < 0.004


@given(lat=st.floats(-90, 90), lon=st.floats(-180, 360), height=st.floats(-500, 9000))
def test_places_are_where_skyfield_puts_them(lat: float, lon: float, height: float) -> None:
    station = GroundStation(station_id="a", lat_deg=lat, lon_deg=lon, height_m=height)
    theirs = wgs84.latlon(lat, lon, elevation_m=height)
    # Skyfield's own Earth-fixed vector, before any rotation.
    np.testing.assert_allclose(station.position_km(), theirs.itrs_xyz.km, rtol=0, atol=1e-6)
    np.testing.assert_allclose(station.axes() @ station.axes().T, np.eye(3), atol=1e-12)
    assert np.linalg.det(station.axes()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lat_deg": 90.1}, "lat_deg 90.1, not -90.0 to 90.0"),
        ({"lat_deg": float("nan")}, "lat_deg nan, not"),
        ({"lon_deg": -181.0}, "lon_deg -181.0, not -180.0 to 360.0"),
        ({"height_m": 1e6}, "height_m 1000000.0, not"),
        ({"station_id": ""}, "needs a station_id"),
        ({"mask": 90.0}, "mask 90.0 deg, not -10.0 to 89.9"),
        ({"mask": float("nan")}, "mask nan deg, not"),
        ({"mask": [(9.0, 5.0), (8.0, 6.0)]}, "must ascend, got 8 deg after 9"),
        ({"mask": [(9.0, 5.0), (9.0, 6.0), (9.0, 7.0)]}, "azimuth 9 deg is there more than twice"),
        ({"mask": [(360.5, 5.0)]}, "azimuth 360.5 deg, not 0 to below 360"),
        ({"mask": []}, "at least one"),
    ],
)
def test_places_out_of_range_are_refused(change: dict[str, object], message: str) -> None:
    fields = {"station_id": "a", "lat_deg": 1.0, "lon_deg": 2.0} | change
    with pytest.raises(StationError, match=message):
        GroundStation(**fields)  # type: ignore[arg-type]


def test_a_station_is_called_by_its_identity_unless_it_has_a_name() -> None:
    assert GroundStation(station_id="graz", lat_deg=47.0, lon_deg=15.0).name == "graz"
    assert GroundStation(station_id="graz", name="Graz", lat_deg=47.0, lon_deg=15.0).name == "Graz"


def test_horizons_run_straight_between_corners_and_round_through_north() -> None:
    horizon = GroundStation(
        station_id="a", lat_deg=0.0, lon_deg=0.0, mask=[(90.0, 10.0), (270.0, 30.0)]
    ).horizon
    assert horizon == HorizonMask(azimuth_deg=(90.0, 270.0), elevation_deg=(10.0, 30.0))
    np.testing.assert_allclose(
        horizon.at([90, 180, 270, 315, 0, 45, 360]), [10, 20, 30, 25, 20, 15, 20]
    )
    assert not horizon.is_constant
    assert horizon.elevation_deg_min == 10.0
