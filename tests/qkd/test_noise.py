"""Background light and dark counts."""

from types import SimpleNamespace

import numpy as np
import pytest

import qkd
from qkd.geometry import circular_pass
from qkd.noise import noise_yield, sky_rate_hz
from qkd.sky import CONDITIONS, NIGHT_FLOOR, moonlight_by_angle, sky_radiance

TERMINAL = qkd.Terminal(wavelength_nm=850.0, beam=qkd.FarFieldBeam(half_angle_urad=7.4))
DETECTOR = qkd.Detector(efficiency=0.5, count=4, dark_rate_hz=25.0, gate_ns=2.0)
VIEW = qkd.SkyView(field_of_view_urad=100.0, filter_width_nm=1.0)
SITE = qkd.OpticalSite(height_m=900.0)


class Night:
    """A track of one night, as arrays of one shape."""

    def __init__(self, sun: list[float], moon: float = -20.0, phase: float = 90.0) -> None:
        self.sun_elevation_deg = np.array(sun)
        self.offset_s = np.arange(len(sun), dtype=np.float64)
        self.elevation_deg = np.full(len(sun), 45.0)
        self.range_km = np.full(len(sun), 700.0)
        self.moon_elevation_deg = np.full(len(sun), moon)
        self.moon_phase_deg = np.full(len(sun), phase)
        self.satellite_sunlit = np.array([s > -20.0 for s in sun])


def receiver(sky: qkd.SkyView | None, stray_rate_hz: float = 0.0) -> qkd.Receiver:
    return qkd.Receiver(
        diameter_m=1.0,
        detector=DETECTOR,
        optics_transmittance=0.16,
        misalignment=0.01,
        sky=sky,
        stray_rate_hz=stray_rate_hz,
    )


def test_sky_rate_check_value() -> None:
    rate = sky_rate_hz(
        1.5e-8,
        field_of_view_urad=100.0,
        diameter_m=1.0,
        filter_width_nm=1.0,
        wavelength_nm=850.0,
        efficiency=0.08,
    )
    assert rate == pytest.approx(31.67, abs=0.005)


@pytest.mark.parametrize(
    ("sun", "expected"),
    [(10.0, 2.5e-2), (0.0, 7e-4), (-6.0, 6e-6), (-12.0, 3e-8), (-18.0, 1.5e-8), (-60.0, 1.5e-8)],
)
def test_sky_radiance_by_sun(sun: float, expected: float) -> None:
    assert sky_radiance(sun) == pytest.approx(expected)


def test_the_moon_adds_only_above_the_horizon() -> None:
    floor = sky_radiance(-30.0)
    assert sky_radiance(-30.0, moon_elevation_deg=-1.0, moon_phase_deg=0.0) == floor
    full = sky_radiance(-30.0, moon_elevation_deg=90.0, moon_phase_deg=0.0)
    assert full - floor == pytest.approx(1.5e-6)
    half = sky_radiance(-30.0, moon_elevation_deg=90.0, moon_phase_deg=90.0) - floor
    assert half / (full - floor) == pytest.approx(10.0 ** (-0.4 * (2.34 + 4e-9 * 90.0**4)))


def test_light_pollution_multiplies_the_floor_only() -> None:
    town = sky_radiance(-30.0, sky_brightness=19.5)
    assert town == pytest.approx(NIGHT_FLOOR * 10.0)
    day, day_in_town = sky_radiance(10.0), sky_radiance(10.0, sky_brightness=19.5)
    assert day_in_town - day == pytest.approx(town - NIGHT_FLOOR)


def test_darks_alone_give_the_micius_noise_yield() -> None:
    found = qkd.background(Night([-30.0]), TERMINAL, receiver(None), SITE)
    assert found.per_gate[0] == pytest.approx(2e-7, rel=1e-6)
    assert found.dark_hz[0] == 100.0


def test_stray_light_stops_in_the_shadow() -> None:
    found = qkd.background(Night([-19.0, -21.0]), TERMINAL, receiver(None, 40.0), SITE)
    np.testing.assert_array_equal(found.stray_hz, [40.0, 0.0])


def test_daylight_never_gives_a_key() -> None:
    for sky in (None, VIEW):
        track = Night([5.0] * 200)
        hardware = receiver(sky)
        noise = qkd.background(track, TERMINAL, hardware, SITE)
        budget = qkd.link_budget(track, TERMINAL, hardware, SITE)
        protocol = qkd.DecoyProtocol(
            intensities=(0.8, 0.1, 0.0), probabilities=(0.5, 0.25, 0.25), pulse_rate_hz=1e8
        )
        counts = qkd.expected_counts(
            budget.transmittance, protocol, background_per_gate=noise.per_gate, misalignment=0.01
        )
        key = qkd.secret_key(counts.total(), protocol, qkd.Security())
        assert key.length_bits == 0
        assert np.isfinite(key.signed_length)


def test_noise_yield_saturates_at_one() -> None:
    np.testing.assert_array_equal(noise_yield([0.0, np.inf], gate_ns=1.0), [0.0, 1.0])


def test_moonlight_is_brightest_near_the_moon_and_least_at_right_angles() -> None:
    angles = np.array([0.0, 0.26, 1.0, 5.0, 15.0, 30.0, 60.0, 90.0, 120.0])
    found = moonlight_by_angle(angles)
    assert found[7] == pytest.approx(1.0)
    assert np.all(np.diff(found[1:8]) < 0.0)
    assert found[0] == found[1]
    # Krisciunas and Schaefer's function by hand at 30 and 60 degrees.
    at_90 = 10.0**5.36 * 1.06 + 10.0 ** (6.15 - 90.0 / 40.0)
    for angle, value in ((30.0, found[5]), (60.0, found[6])):
        cosine = np.cos(np.radians(angle))
        by_hand = 10.0**5.36 * (1.06 + cosine**2) + 10.0 ** (6.15 - angle / 40.0)
        assert value == pytest.approx(by_hand / at_90)


def test_scattered_light_is_bluer_than_it_came_and_the_floor_even() -> None:
    night = [sky_radiance(-40.0, wavelength_nm=nm) for nm in (550.0, 850.0, 1550.0)]
    assert night == pytest.approx([NIGHT_FLOOR] * 3)
    noon = [float(sky_radiance(10.0, wavelength_nm=nm)) for nm in (600.0, 850.0, 1550.0)]
    assert noon[1] == pytest.approx(2.5e-2)
    # The Sun's spectrum and what air scatters of it both fall: some 3 and 1/10 of 850 nm.
    assert 2.0 < noon[0] / noon[1] < 4.0
    assert 0.05 < noon[2] / noon[1] < 0.15


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in qkd.preset_names()
        if isinstance(found := qkd.preset(name), qkd.Preset)
        and found.kind is qkd.SessionKind.DOWNLINK
    ],
)
def test_midnight_moonlight_and_twilight_give_different_keys(name: str) -> None:
    preset = qkd.satellite_preset(name)
    station = next(iter(preset.receivers))
    seen = circular_pass(altitude_km=500.0, max_elevation_deg=60.0, step_s=2.0)
    keys = {}
    for condition in CONDITIONS:
        lit = SimpleNamespace(
            offset_s=seen.offset_s,
            elevation_deg=seen.elevation_deg,
            range_km=seen.range_km,
            **condition.light(seen.offset_s.size),
        )
        keys[condition.name] = qkd.pass_yield(lit, preset, station).secret_bits
    found = list(keys.values())
    dark, half, full, near = found[:4]
    assert dark > half > full > near
    assert keys["nautical twilight, Sun at -9 deg"] < dark
    assert keys["day, Sun at 10 deg"] == 0
    numbers = {number.name: number for number in preset.numbers}
    for part in ("field_of_view_urad", "filter_width_nm"):
        number = numbers[f"receivers.{station}.sky.{part}"]
        assert number.standing is qkd.Standing.ASSUMED
        assert "not published" in number.source
