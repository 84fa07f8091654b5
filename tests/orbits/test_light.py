"""Sun, Moon and shadow, against JPL's DE421 and geometry."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import skyfield_data
from skyfield.api import load, wgs84
from skyfield.jpllib import SpiceKernel

from orbits import Twilight, light, track_offsets
from orbits.earth import SHIPPED
from orbits.light import AU_KM, SUN_RADIUS_KM
from orbits.times import julian_pair
from tests.orbits.sets import MICIUS_2016_12_18, XINGLONG

TIMESCALE = load.timescale(builtin=True)
SITE = XINGLONG.position_km()[:, None], XINGLONG.axes()[2][:, None]


@pytest.fixture(scope="module")
def sky() -> dict[str, np.ndarray]:
    """Sun and Moon over Xinglong by DE421 at 1500 instants from 1960 to 2049."""
    kernel = SpiceKernel(Path(skyfield_data.__file__).parent / "data" / "de421.bsp")
    rng = np.random.default_rng(1)
    jd = np.floor(rng.uniform(2437000, 2469000, 1500)) + 0.5
    fraction = rng.uniform(0, 1, 1500)
    t = TIMESCALE.tt_jd(jd, fraction + (32.184 + SHIPPED.tai_minus_utc_s(jd)) / 86400.0)
    site = wgs84.latlon(XINGLONG.lat_deg, XINGLONG.lon_deg, elevation_m=XINGLONG.height_m)
    here = (kernel["earth"] + site).at(t)
    sun, moon = (here.observe(kernel[body]).apparent() for body in ("sun", "moon"))
    phase = here.observe(kernel["moon"]).phase_angle(kernel["sun"])
    result = {
        "jd": jd,
        "fraction": fraction,
        "sun": sun.altaz()[0].degrees,
        "moon": moon.altaz()[0].degrees,
        "moon_km": moon.distance().km,
        "separation": sun.separation_from(moon).degrees,
        "phase": phase.degrees,
    }
    kernel.close()
    return result


def test_sun_and_moon_stand_where_the_ephemeris_puts_them(sky: dict[str, np.ndarray]) -> None:
    instants = sky["jd"], sky["fraction"]
    sun, moon = light.sun_position_km(*instants), light.moon_position_km(*instants)

    # As stated: 0.01 deg for the Sun and 0.03 deg for the Moon.
    np.testing.assert_allclose(light.elevation_deg(sun, *SITE), sky["sun"], rtol=0, atol=0.01)
    np.testing.assert_allclose(light.elevation_deg(moon, *SITE), sky["moon"], rtol=0, atol=0.03)
    distance = np.linalg.norm(moon - SITE[0], axis=0)
    np.testing.assert_allclose(distance, sky["moon_km"], rtol=0, atol=100.0)
    separation = light.angle_deg(sun - SITE[0], moon - SITE[0])
    np.testing.assert_allclose(separation, sky["separation"], rtol=0, atol=0.04)
    phase = light.moon_phase_deg(moon, sun, SITE[0])
    np.testing.assert_allclose(phase, sky["phase"], rtol=0, atol=0.04)


# Full and new moons and quarters: USNO, Phases of the Moon, 2016 and 2017.
@pytest.mark.parametrize(
    ("instant", "low", "high"),
    [("2016-12-14T00:06Z", 0.0, 6.0), ("2016-12-29T06:53Z", 174.0, 180.0),
     ("2016-12-21T01:56Z", 88.0, 92.0), ("2017-01-05T19:47Z", 88.0, 92.0)],
)  # fmt: skip
def test_the_phase_is_that_of_the_almanac(instant: str, low: float, high: float) -> None:
    jd, fraction = julian_pair(datetime.fromisoformat(instant))
    at = np.array([jd]), np.array([fraction])
    (phase,) = light.moon_phase_deg(
        light.moon_position_km(*at), light.sun_position_km(*at), SITE[0]
    )
    assert low <= phase <= high


def test_twilight_has_five_classes() -> None:
    names = light.twilight([10.0, -0.833, -0.9, -6.0, -6.1, -12.0, -12.1, -18.0, -18.1])
    assert names.tolist() == [
        Twilight.DAY, Twilight.DAY, Twilight.CIVIL, Twilight.CIVIL, Twilight.NAUTICAL,
        Twilight.NAUTICAL, Twilight.ASTRONOMICAL, Twilight.ASTRONOMICAL, Twilight.NIGHT,
    ]  # fmt: skip


SUN = np.array([[AU_KM], [0.0], [0.0]])


def shadow_at(behind_km: float, aside_km: np.ndarray, *, polar: bool = False) -> np.ndarray:
    """Sunlit fraction of satellites behind the Earth, off its axis towards y or the pole."""
    place = np.zeros((3, len(aside_km)))
    place[0], place[2 if polar else 1] = -behind_km, aside_km
    return light.sunlit_fraction(place, np.broadcast_to(SUN, place.shape))


def test_umbra_and_penumbra_are_cones() -> None:
    # Tangents to Sun and Earth: at a distance d behind the Earth the umbra's radius is
    # R / cos(a) - d tan(a), sin(a) = (Rs - R) / AU; the penumbra's R / cos(b) + d tan(b),
    # sin(b) = (Rs + R) / AU. Vallado, Fundamentals of Astrodynamics, 4th ed., section 5.3.3.
    radius, behind = 6378.137, 6000.0
    for sign, limit in ((-1.0, 0.0), (1.0, 1.0)):
        angle = np.arcsin((SUN_RADIUS_KM + sign * radius) / AU_KM)
        edge = radius / np.cos(angle) + sign * behind * np.tan(angle)
        # 0.5 km: the far Sun's disc against the tangent cone.
        inner, outer = shadow_at(behind, np.array([edge - 0.5, edge + 0.5]))
        assert (inner == 0.0 < outer) if limit == 0.0 else (inner < 1.0 == outer)


def test_the_penumbra_brightens_outwards_from_nothing_to_all() -> None:
    fraction = shadow_at(2000.0, np.linspace(6300.0, 6450.0, 400))
    assert fraction[0] == 0.0
    assert fraction[-1] == 1.0
    assert np.all(np.diff(fraction) >= 0.0)
    middle = np.interp(0.5, fraction, np.linspace(6300.0, 6450.0, 400))
    assert middle == pytest.approx(6378.1, abs=1.0)


def test_the_shadow_is_narrower_over_the_poles() -> None:
    equator, pole = (
        np.interp(0.5, shadow_at(2000.0, aside, polar=polar), aside)
        for polar, aside in (
            (False, np.linspace(6300, 6450, 400)),
            (True, np.linspace(6280, 6430, 400)),
        )
    )
    # The polar radius of WGS84 is 21.4 km less.
    assert equator - pole == pytest.approx(21.4, abs=0.5)


def test_the_day_side_is_in_sunlight_and_a_far_earth_covers_a_part() -> None:
    assert shadow_at(-7000.0, np.array([0.0]))[0] == 1.0
    # Beyond the umbra's tip (1.38 million km) the Earth is a dot on the Sun.
    (ring,) = shadow_at(2.0e6, np.array([0.0]))
    seen = (6378.137 / 2.0e6) / (SUN_RADIUS_KM / (AU_KM + 2.0e6))
    assert ring == pytest.approx(1.0 - seen**2, abs=0.02)


def test_the_first_satellite_key_was_made_at_night_with_the_satellite_dark() -> None:
    start = datetime(2016, 12, 19, 16, 49, 56, tzinfo=UTC)
    seen = track_offsets(MICIUS_2016_12_18, XINGLONG, start, np.linspace(0.0, 273.0, 50))
    assert np.all(seen.sun_elevation_deg < -60.0)
    assert set(seen.twilight) == {Twilight.NIGHT}
    assert not seen.satellite_sunlit.any()
    assert np.all(seen.sunlit_fraction == 0.0)
    assert np.all((seen.moon_phase_deg > 60.0) & (seen.moon_phase_deg < 90.0))
    for name in ("moon_separation_deg", "sun_separation_deg"):
        assert np.all((getattr(seen, name) >= 0.0) & (getattr(seen, name) <= 180.0))
