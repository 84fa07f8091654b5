"""Many looks at once see what single tracks see."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orbits import Elements, GroundStation, SearchError, SunAndMoon, light, sights, track_offsets
from orbits.times import julian_pairs
from tests.orbits.sets import MICIUS_2016_12_18, SYNTHETIC, TEN_PLACES

# By a cubic over 30 s of a low orbit 2 cm, seen from 500 km 2e-6 deg; near the zenith the
# azimuth turns faster than the direction. Sun and Moon by one over 300 s: 3e-7 deg.
TOLERANCES = {
    "elevation_deg": 1e-5,
    "range_km": 2e-4,
    "sun_elevation_deg": 1e-6,
    "moon_elevation_deg": 1e-6,
    "moon_phase_deg": 1e-6,
    "moon_separation_deg": 1e-5,
}


@pytest.mark.parametrize("elements", [MICIUS_2016_12_18, SYNTHETIC[9]], ids=lambda e: e.label)
def test_many_looks_at_once_see_what_single_tracks_see(elements: Elements) -> None:
    rng = np.random.default_rng(1)
    start = elements.epoch.replace(microsecond=0)
    offset_s = np.sort(rng.uniform(-86_400.0, 7 * 86_400.0, 3000))
    station = rng.integers(0, len(TEN_PLACES), len(offset_s))

    found = sights(elements, TEN_PLACES, station, start, offset_s)

    assert found.usable.all()
    for index, place in enumerate(TEN_PLACES):
        mine = station == index
        alone = track_offsets(elements, place, start, offset_s[mine])
        for name, tolerance in TOLERANCES.items():
            one, other = getattr(found, name)[mine], getattr(alone, name)
            np.testing.assert_allclose(one, other, rtol=0, atol=tolerance, err_msg=name)
        turn = np.abs(found.azimuth_deg[mine] - alone.azimuth_deg)
        across = np.minimum(turn, 360.0 - turn) * np.cos(np.radians(alone.elevation_deg))
        assert across.max() < 1e-5
        assert (found.satellite_sunlit[mine] == alone.satellite_sunlit).mean() > 0.999


def test_what_is_looked_at_besides_changes_nothing() -> None:
    start = MICIUS_2016_12_18.epoch
    offset_s = np.linspace(0.0, 600.0, 50)
    one = np.zeros(50, dtype=np.intp)
    alone = sights(MICIUS_2016_12_18, TEN_PLACES[:1], one, start, offset_s)
    early = start - timedelta(hours=7)
    more_s = np.concatenate([[0.0, 17.3], offset_s + 7 * 3600.0, [90_000.0]])

    among = sights(MICIUS_2016_12_18, TEN_PLACES[:1], np.zeros(53, dtype=np.intp), early, more_s)

    np.testing.assert_allclose(among.elevation_deg[2:-1], alone.elevation_deg, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        among.moon_elevation_deg[2:-1], alone.moon_elevation_deg, rtol=0, atol=1e-9
    )


def test_a_leap_second_is_smoothed_over_a_few_minutes_alone() -> None:
    start = datetime(2016, 12, 31, 12, tzinfo=UTC)
    offset_s = np.arange(0.0, 86_400.0, 7.0)
    exact = light.sun_position_km(*julian_pairs(start, offset_s))

    found, _ = SunAndMoon(start, 0.0, 86_400.0).at(offset_s)

    off_deg = light.angle_deg(found, exact)
    near = np.abs(offset_s - 43_200.0) < 600.0
    assert off_deg[~near].max() < 1e-6
    assert off_deg[near].max() < 0.0045


def test_looks_and_instants_are_as_many() -> None:
    place = GroundStation(station_id="a", lat_deg=0.0, lon_deg=0.0)
    for offsets, stations in (([], []), ([1.0, 2.0], [0])):
        with pytest.raises(SearchError, match="not \\(N,\\) each"):
            sights(
                MICIUS_2016_12_18, [place], np.array(stations, dtype=np.intp),
                MICIUS_2016_12_18.epoch, np.array(offsets),
            )  # fmt: skip
