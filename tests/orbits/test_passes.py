"""The traps of a pass search, one by one, and what its tables promise."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbits import (
    Elements,
    GroundStation,
    PassTable,
    PassTimesError,
    SatellitePass,
    SearchError,
    StationError,
    TimeError,
    Visibility,
    find_passes,
    iter_passes,
    track,
    track_offsets,
)
from tests.orbits.sets import (
    EPOCH,
    MICIUS_2016_12_18,
    NANSHAN,
    OFFICIAL,
    SYNTHETIC,
    TEN_PLACES,
    XINGLONG,
    orbit,
)

DAY = timedelta(days=1)
START = datetime(2016, 12, 19, tzinfo=UTC)
COLUMNS = (
    "satellite_index", "station_index", "norad_id", "rise_offset_s", "culmination_offset_s",
    "set_offset_s", "tca_offset_s", "max_elevation_deg", "range_km_min", "rise_azimuth_deg",
    "culmination_azimuth_deg", "set_azimuth_deg", "culminations", "cut_at_start", "cut_at_end",
)  # fmt: skip


def micius(start: datetime, end: datetime, mask_deg: float = 10.0) -> PassTable:
    return find_passes(MICIUS_2016_12_18, XINGLONG, start, end, mask_deg=mask_deg)


def assert_same(one: PassTable, other: PassTable) -> None:
    """Bit for bit."""
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.always_up == other.always_up
    assert one.unusable == other.unusable


def test_the_pass_of_the_first_key_comes_out() -> None:
    # Liao et al., Nature 549, 43 (2017): 645 km closest; the rest by SGP4, see tle/README.md.
    found = [p for p in micius(START, START + DAY) if p.tca_at.hour == 16]
    assert len(found) == 1
    one = found[0]
    assert abs(one.tca_at - datetime(2016, 12, 19, 16, 52, 14, tzinfo=UTC)) < timedelta(seconds=2)
    assert one.range_km_min == pytest.approx(645.3, abs=2.0)
    assert one.max_elevation_deg == pytest.approx(47.8, abs=0.2)
    assert (one.norad_id, one.satellite, one.station_id) == (41731, "QSS (MICIUS)", "xinglong")
    assert one.epoch == MICIUS_2016_12_18.epoch
    # South-bound in the west.
    assert one.rise_azimuth_deg == pytest.approx(0.26, abs=0.01)
    assert one.culmination_azimuth_deg == pytest.approx(285.7, abs=0.1)
    assert one.set_azimuth_deg == pytest.approx(211.0, abs=0.1)


def test_rows_agree_with_a_track_at_their_instants() -> None:
    table = find_passes(MICIUS_2016_12_18, [XINGLONG, NANSHAN], START, START + 3 * DAY, mask_deg=10)
    places = {"xinglong": XINGLONG, "nanshan": NANSHAN}
    for one in table:
        seen = track(
            MICIUS_2016_12_18,
            places[one.station_id],
            [one.rises_at, one.culminates_at, one.sets_at, one.tca_at],
        )
        # Instants are rounded to a microsecond; 1e-4 deg is 2 m.
        np.testing.assert_allclose(
            seen.elevation_deg[:3], [10.0, one.max_elevation_deg, 10.0], rtol=0, atol=1e-4
        )
        np.testing.assert_allclose(
            seen.azimuth_deg[[0, 2]], [one.rise_azimuth_deg, one.set_azimuth_deg], atol=1e-4
        )
        assert seen.range_km[3] == pytest.approx(one.range_km_min, abs=1e-3)
        assert seen.range_km.min() >= one.range_km_min - 1e-3


def test_columns_rows_and_dictionaries_say_the_same() -> None:
    table = micius(START, START + 5 * DAY)
    assert all(len(getattr(table, name)) == len(table) for name in COLUMNS)
    assert list(table) == [table[row] for row in range(len(table))]
    assert table[-1] == list(table)[-1]
    for row, (one, plain) in enumerate(zip(table, table.to_dicts(), strict=True)):
        assert plain["rises_at"] == one.rises_at.isoformat().replace("+00:00", "Z")
        assert plain["max_elevation_deg"] == one.max_elevation_deg == table.max_elevation_deg[row]
        for name in ("rises_at", "culminates_at", "sets_at", "tca_at"):
            instant = getattr(table, name)[row].item().replace(tzinfo=UTC)
            assert instant == getattr(one, name)
    with pytest.raises(IndexError, match=f"pass {len(table)}, not"):
        table[len(table)]


def test_rows_are_in_order_of_rising() -> None:
    table = find_passes(SYNTHETIC, TEN_PLACES, EPOCH, EPOCH + DAY)
    assert np.all(np.diff(table.rise_offset_s) >= 0.0)
    assert set(table.norad_id) <= {e.norad_id for e in SYNTHETIC}
    assert set(table.station_id) <= {place.station_id for place in TEN_PLACES}


def test_passes_under_way_at_either_end_are_cut_and_say_so() -> None:
    whole = micius(START, START + DAY)[0]
    inside = timedelta(seconds=20)
    early = micius(whole.rises_at + inside, whole.sets_at + DAY)[0]
    assert (early.cut_at_start, early.cut_at_end) == (True, False)
    assert early.rises_at == whole.rises_at + inside
    assert abs(early.sets_at - whole.sets_at) < timedelta(microseconds=300)
    late = list(micius(whole.rises_at - timedelta(hours=1), whole.sets_at - inside))[-1]
    assert (late.cut_at_start, late.cut_at_end) == (False, True)
    assert late.sets_at == whole.sets_at - inside
    both = micius(whole.rises_at + inside, whole.sets_at - inside)
    assert [(p.cut_at_start, p.cut_at_end) for p in both] == [(True, True)]
    assert both.visibility() is Visibility.PASSES


def test_the_highest_point_of_a_cut_pass_may_be_its_end() -> None:
    whole = micius(START, START + DAY)[0]
    rising = micius(
        whole.rises_at - timedelta(minutes=5), whole.culminates_at - timedelta(seconds=30)
    )[0]
    assert rising.culminates_at == rising.sets_at
    assert rising.culminations == 0
    assert 10.0 < rising.max_elevation_deg < whole.max_elevation_deg


@pytest.mark.parametrize("length", [timedelta(microseconds=1), timedelta(seconds=1), DAY / 100])
def test_windows_of_any_length_work(length: timedelta) -> None:
    whole = micius(START, START + DAY)[0]
    table = micius(whole.culminates_at, whole.culminates_at + length)
    assert len(table) == 1
    assert table[0].rises_at == whole.culminates_at


def test_geostationary_satellites_are_always_or_never_up() -> None:
    geo = SYNTHETIC[0]
    table = find_passes(geo, TEN_PLACES, EPOCH, EPOCH + 7 * DAY, mask_deg=5.0)
    said = table.visibilities()
    assert len(table) == 0
    assert set(said.values()) == {Visibility.ALWAYS_UP, Visibility.NEVER_UP}
    assert said[(geo.norad_id, "north-pole")] is Visibility.NEVER_UP
    for index, place in enumerate(TEN_PLACES):
        (elevation,) = track(geo, place, [EPOCH]).elevation_deg
        expected = Visibility.ALWAYS_UP if elevation > 5.0 else Visibility.NEVER_UP
        assert table.visibility(0, index) is expected


def test_a_satellite_up_for_a_whole_short_window_is_a_pass_unless_it_never_sets() -> None:
    minute = timedelta(minutes=1)
    meo = next(e for e in SYNTHETIC if e.name == "MEO")
    one = find_passes(meo, XINGLONG, EPOCH, EPOCH + DAY, mask_deg=10.0)[0]
    during = find_passes(
        meo, XINGLONG, one.culminates_at, one.culminates_at + minute, mask_deg=10.0
    )
    assert len(during) == 1
    geo = SYNTHETIC[0]
    during = find_passes(geo, TEN_PLACES, EPOCH, EPOCH + minute, mask_deg=5.0)
    assert len(during) == 0
    assert Visibility.ALWAYS_UP in during.visibilities().values()


def test_a_satellite_out_of_sight_is_never_up() -> None:
    table = find_passes(SYNTHETIC[8], TEN_PLACES[0], EPOCH, EPOCH + DAY)
    assert table.visibilities() == {(90009, "north-pole"): Visibility.NEVER_UP}


def test_passes_may_culminate_more_than_once() -> None:
    table = find_passes(SYNTHETIC[3:7], TEN_PLACES, EPOCH, EPOCH + 4 * DAY, mask_deg=10.0)
    assert table.culminations.max() >= 2
    for row in np.flatnonzero(table.culminations >= 2)[:5]:
        one = table[int(row)]
        elements = table.elements[table.satellite_index[row]]
        place = table.stations[table.station_index[row]]
        length = one.sets_at - one.rises_at
        seen = track(elements, place, [one.rises_at + length * k / 400 for k in range(401)])
        assert seen.elevation_deg.max() <= one.max_elevation_deg + 1e-6
        assert np.all(seen.elevation_deg[1:-1] > 10.0)


# Masks just under the peak of a pass: 13.6 s and 0.2 s above it, and what is left at the
# limit of float64 datetimes.
@pytest.mark.parametrize(
    ("below_deg", "low_s", "high_s"), [(1e-2, 5.0, 40.0), (2e-6, 0.05, 0.6), (1e-7, 0.01, 0.2)]
)
def test_grazing_passes_are_found(below_deg: float, low_s: float, high_s: float) -> None:
    window = START, START + 3 * DAY
    for whole in list(micius(*window))[:6]:
        peak_deg = whole.max_elevation_deg

        def near(table: PassTable, peak_at: datetime = whole.culminates_at) -> list[SatellitePass]:
            return [p for p in table if abs(p.culminates_at - peak_at) < timedelta(minutes=1)]

        (found,) = near(micius(*window, mask_deg=peak_deg - below_deg))
        assert found.max_elevation_deg == pytest.approx(peak_deg, abs=1e-9)
        assert found.duration_s < high_s
        if peak_deg < 40.0:
            assert found.duration_s > low_s
        # And none when the mask lies above the peak by as much.
        assert near(micius(*window, mask_deg=peak_deg + below_deg)) == []


DECAYED = next(e for e in OFFICIAL if e.norad_id == 22312)


def test_a_decayed_set_gives_what_is_valid_and_a_reason_in_under_a_second() -> None:
    began = time.process_time()
    table = find_passes(DECAYED, TEN_PLACES, DECAYED.epoch, DECAYED.epoch + 52 * DAY, mask_deg=5.0)
    assert time.process_time() - began < 1.0
    (gap,) = table.unusable
    assert timedelta(hours=7) < gap.start - DECAYED.epoch < timedelta(hours=9)
    assert gap.end == DECAYED.epoch + 52 * DAY
    assert "6458" in gap.reason
    assert f"{DECAYED.epoch:%Y-%m-%d}" in gap.reason
    assert len(table) > 0
    assert all(one.sets_at <= gap.start for one in table)


@pytest.mark.parametrize("elements", OFFICIAL, ids=lambda e: str(e.norad_id))
def test_no_set_makes_nan_or_takes_long(elements: Elements) -> None:
    began = time.process_time()
    table = find_passes(elements, TEN_PLACES, elements.epoch - DAY, elements.epoch + 52 * DAY)
    assert time.process_time() - began < 2.0
    for name in COLUMNS:
        assert np.isfinite(getattr(table, name)).all()
    assert all(gap.reason and gap.start < gap.end for gap in table.unusable)
    for one in table:
        assert one.rises_at <= one.tca_at <= one.sets_at


def test_a_window_after_the_decay_says_so() -> None:
    start = DECAYED.epoch + 10 * DAY
    table = find_passes(DECAYED, XINGLONG, start, start + DAY)
    assert len(table) == 0
    assert [(gap.start, gap.end) for gap in table.unusable] == [(start, start + DAY)]


def test_absurd_sets_are_unusable_from_the_outset() -> None:
    absurd = next(e for e in OFFICIAL if e.norad_id == 33333)
    table = find_passes([absurd, MICIUS_2016_12_18], XINGLONG, START, START + DAY)
    assert {one.norad_id for one in table} == {41731}
    (gap,) = table.unusable
    assert gap.norad_id == 33333
    assert "perigee lies" in gap.reason


def test_one_decaying_satellite_does_not_disturb_the_others() -> None:
    start, end = DECAYED.epoch, DECAYED.epoch + 2 * DAY
    others = [replace(SYNTHETIC[k], epoch=start) for k in (8, 9, 10)]
    together = find_passes([others[0], DECAYED, *others[1:]], TEN_PLACES, start, end)
    apart = find_passes(others, TEN_PLACES, start, end)
    for number in (90009, 90010, 90011):
        mine, same = together.norad_id == number, apart.norad_id == number
        np.testing.assert_allclose(
            together.rise_offset_s[mine], apart.rise_offset_s[same], rtol=0, atol=1e-6
        )
    alone = find_passes(DECAYED, TEN_PLACES, start, end)
    np.testing.assert_array_equal(
        together.set_offset_s[together.norad_id == DECAYED.norad_id], alone.set_offset_s
    )


def test_a_long_window_in_pieces_finds_what_one_piece_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sets = [MICIUS_2016_12_18, *SYNTHETIC[3:6]]
    whole = find_passes(sets, TEN_PLACES, START, START + 20 * DAY, mask_deg=7.0)
    monkeypatch.setattr("orbits.passes.search._BATCH_NODES", 2000)
    pieces = find_passes(sets, TEN_PLACES, START, START + 20 * DAY, mask_deg=7.0)
    assert len(whole) == len(pieces)
    for name in COLUMNS:
        np.testing.assert_allclose(
            getattr(whole, name), getattr(pieces, name), rtol=0, atol=1e-5, err_msg=name
        )


def test_chunks_make_up_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orbits.passes.search._BATCH_NODES", 20_000)
    tables = list(iter_passes(SYNTHETIC, TEN_PLACES, EPOCH, EPOCH + 2 * DAY))
    assert len(tables) > 3
    assert sorted(i for table in tables for i in table.batch) == list(range(len(SYNTHETIC)))
    assert_same(PassTable.merge(tables), find_passes(SYNTHETIC, TEN_PLACES, EPOCH, EPOCH + 2 * DAY))


def test_night_passes_are_those_with_the_sun_down() -> None:
    table = micius(START, START + 10 * DAY)
    night = table.at_night()
    assert 0 < len(night) < len(table)
    assert np.all(night.light.sun_elevation_deg < -6.0)
    dropped = table.where(~np.isin(table.rise_offset_s, night.rise_offset_s))
    assert np.all(dropped.light.sun_elevation_deg >= -6.0)
    one = night[0]
    seen = track(MICIUS_2016_12_18, XINGLONG, [one.culminates_at])
    for name in ("sun_elevation_deg", "moon_elevation_deg", "moon_phase_deg",
                 "moon_separation_deg", "sunlit_fraction"):  # fmt: skip
        assert getattr(night.light, name)[0] == pytest.approx(getattr(seen, name)[0], abs=1e-4)
    with pytest.raises(SearchError, match=r"mask of shape \(1,\)"):
        table.where(np.array([True]))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"elements": []}, SearchError, "number of element sets 0, not 1 to 200000"),
        ({"stations": []}, SearchError, "number of stations 0, not 1 to 20000"),
        ({"stations": [XINGLONG, XINGLONG]}, SearchError, "'xinglong' is given twice"),
        (
            {"elements": [MICIUS_2016_12_18] * 100_000, "end": START + 36000 * DAY},
            SearchError,
            "3.6e.09 satellite-station-days at once, more than 1e.09",
        ),
        ({"mask_deg": 95.0}, StationError, "mask 95.0 deg"),
        ({"mask_deg": float("nan")}, StationError, "mask nan deg"),
        ({"end": START}, TimeError, "need start < end"),
        ({"start": datetime(2016, 12, 19)}, TimeError, "naive"),  # noqa: DTZ001
        ({"end": START + 40000 * DAY}, TimeError, "longer than 36600 days"),
    ],
)
def test_bad_arguments_are_refused_at_once(
    change: dict[str, object], error: type[Exception], message: str
) -> None:
    arguments: dict[str, object] = {
        "elements": MICIUS_2016_12_18, "stations": XINGLONG, "start": START, "end": START + DAY,
    } | change  # fmt: skip
    with pytest.raises(error, match=message):
        iter_passes(**arguments)  # type: ignore[arg-type]


def test_a_pass_checks_its_own_times() -> None:
    one = micius(START, START + DAY)[0]
    with pytest.raises(PassTimesError, match="need rise <= culmination <= set"):
        replace(one, rises_at=one.sets_at, sets_at=one.rises_at)
    with pytest.raises(PassTimesError, match="closest approach"):
        replace(one, tca_at=one.sets_at + DAY)
    assert isinstance(one, SatellitePass)


@pytest.mark.parametrize(
    ("rev_per_day", "eccentricity", "inclination_deg", "raan_deg", "perigee_deg", "anomaly_deg"),
    [
        (3.81477685, 0.17154994, 28.54484417, 316.81132242, 139.92624719, 341.10919166),
        (2.5, 0.3, 28.5, 316.8, 139.9, 341.1),
        (3.8, 0.22, 63.4, 20.0, 270.0, 30.0),
    ],
)
def test_an_elliptic_orbit_may_be_nearest_as_it_rises_or_sets(
    rev_per_day: float,
    eccentricity: float,
    inclination_deg: float,
    raan_deg: float,
    perigee_deg: float,
    anomaly_deg: float,
) -> None:
    elements = Elements(
        norad_id=1, epoch=EPOCH, mean_motion_rev_per_day=rev_per_day, eccentricity=eccentricity,
        inclination_deg=inclination_deg, raan_deg=raan_deg,
        argument_of_perigee_deg=perigee_deg, mean_anomaly_deg=anomaly_deg,
    )  # fmt: skip
    at_an_end = 0
    for lat_deg in (-80.0, -53.87872, -20.0, 0.0, 35.0, 70.0):
        place = GroundStation(station_id="far", lat_deg=lat_deg, lon_deg=180.0)
        for one in find_passes(elements, place, EPOCH, EPOCH + 6 * DAY, mask_deg=-1.0):
            seen = track_offsets(elements, place, one.rises_at, np.linspace(0, one.duration_s, 999))
            assert one.range_km_min <= seen.range_km.min() + 1e-3
            (there,) = track(elements, place, [one.tca_at]).range_km
            assert there == pytest.approx(one.range_km_min, abs=1e-2)
            at_an_end += one.tca_at in {one.rises_at, one.sets_at}
    assert at_an_end > 0


@given(
    rev_per_day=st.floats(0.2, 16.2),
    eccentricity=st.floats(0.0, 0.85),
    inclination_deg=st.floats(0.0, 180.0),
    anomaly_deg=st.floats(0.0, 360.0),
    lat_deg=st.floats(-90.0, 90.0),
    lon_deg=st.floats(-180.0, 180.0),
    mask_deg=st.floats(-5.0, 60.0),
)
@settings(max_examples=60, deadline=None)
def test_any_orbit_over_any_place_keeps_the_promises(
    rev_per_day: float,
    eccentricity: float,
    inclination_deg: float,
    anomaly_deg: float,
    lat_deg: float,
    lon_deg: float,
    mask_deg: float,
) -> None:
    elements = orbit(
        1, "any", rev_per_day=rev_per_day, eccentricity=eccentricity,
        inclination_deg=inclination_deg, anomaly_deg=anomaly_deg,
    )  # fmt: skip
    place = GroundStation(station_id="any", lat_deg=lat_deg, lon_deg=lon_deg)
    end = EPOCH + 2 * DAY
    table = find_passes(elements, place, EPOCH, end, mask_deg=mask_deg)

    rise, top, set_ = table.rise_offset_s, table.culmination_offset_s, table.set_offset_s
    assert np.all((rise <= top) & (top <= set_))
    assert np.all(rise[1:] > set_[:-1])
    assert np.all(table.max_elevation_deg >= mask_deg - 1e-4)
    assert np.all((table.tca_offset_s >= rise) & (table.tca_offset_s <= set_))
    # Outside its passes the satellite is below the mask, inside above.
    times = np.linspace(0.0, 2 * 86400.0, 700)
    seen = track(elements, place, [EPOCH + timedelta(seconds=t) for t in times])
    owner = np.searchsorted(rise, seen.offset_s, side="right") - 1
    inside = (owner >= 0) & (seen.offset_s <= np.append(set_, -1.0)[owner])
    if table.always_up:
        inside[:] = True
    for gap in table.unusable:
        begin, until = ((t - EPOCH).total_seconds() for t in (gap.start, gap.end))
        keep = (seen.offset_s < begin) | (seen.offset_s > until)
        inside, times_ok = inside[keep], keep
        seen = replace(
            seen,
            offset_s=seen.offset_s[times_ok],
            elevation_deg=seen.elevation_deg[times_ok],
        )
    assert np.all(seen.elevation_deg[inside] >= mask_deg - 1e-3)
    assert np.all(seen.elevation_deg[~inside] <= mask_deg + 1e-3)
