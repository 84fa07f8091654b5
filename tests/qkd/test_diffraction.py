"""Diffraction and pointing of the sent beam."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import qkd
from qkd.freespace.beams import (
    Pointing,
    collected_fraction,
    mean_pointing,
    pointing_fade_density,
    spot_radius_m,
    truncated_gaussian,
)

Columns = Callable[[str], dict[str, NDArray[np.float64]]]
TELESCOPE = qkd.TelescopeBeam(waist_radius_m=0.15, aperture_radius_m=0.15)


@pytest.mark.parametrize("name", ["diffraction-th30.csv", "diffraction-th90.csv"])
def test_truncated_gaussian_matches_satquma(columns: Columns, name: str) -> None:
    rows = columns(name)

    found = truncated_gaussian(
        rows["range_m"], TELESCOPE, wavelength_m=810e-9, receiver_radius_m=0.6
    )

    np.testing.assert_allclose(found, rows["eta_diff"], rtol=1e-6)


def test_many_samples_are_interpolated_without_loss_of_digits() -> None:
    ranges = np.linspace(480e3, 2600e3, 500)
    table = truncated_gaussian(ranges, TELESCOPE, wavelength_m=810e-9, receiver_radius_m=0.6)
    alone = np.array(
        [
            float(
                truncated_gaussian(
                    np.array(r), TELESCOPE, wavelength_m=810e-9, receiver_radius_m=0.6
                )
            )
            for r in ranges[::50]
        ]
    )
    np.testing.assert_allclose(table[::50], alone, rtol=1e-10)


def test_an_obscured_sender_spreads_more() -> None:
    plain = spot_radius_m(np.array(1e6), TELESCOPE, wavelength_m=850e-9)
    obscured = qkd.TelescopeBeam(
        waist_radius_m=0.15, aperture_radius_m=0.15, obscuration_radius_m=0.05
    )
    hidden = collected_fraction(
        1e3, obscured, wavelength_nm=850.0, receiver_diameter_m=1.2, receiver_obscuration_m=0.3
    )
    assert (
        0.0
        < hidden
        < collected_fraction(1e3, TELESCOPE, wavelength_nm=850.0, receiver_diameter_m=1.2)
    )
    # A narrow Gaussian that no edge cuts is lambda / (pi w0).
    free = qkd.TelescopeBeam(waist_radius_m=0.02, aperture_radius_m=0.15)
    w = spot_radius_m(np.array(1e6), free, wavelength_m=850e-9)
    assert w == pytest.approx(1e6 * 850e-9 / (np.pi * 0.02), rel=1e-6)
    assert plain > 1e6 * 850e-9 / (np.pi * 0.15)


def test_a_small_receiver_sees_the_on_axis_irradiance() -> None:
    w = spot_radius_m(np.array(1e6), TELESCOPE, wavelength_m=850e-9)
    exact = collected_fraction(1e3, TELESCOPE, wavelength_nm=850.0, receiver_diameter_m=0.02)
    assert exact == pytest.approx(2.0 * 0.01**2 / w**2, rel=1e-4)


def test_diffraction_limited_micius_is_twelve_decibels_too_good() -> None:
    # 9.95 dB at 1200 km from the printed 300 mm aperture against 22 dB published.
    ideal = qkd.FarFieldBeam.from_waist_diameter_m(0.3, wavelength_nm=848.6)
    fraction = collected_fraction(1200.0, ideal, wavelength_nm=848.6, receiver_diameter_m=1.0)
    assert -10.0 * np.log10(fraction) == pytest.approx(9.95, abs=0.01)
    measured = qkd.FarFieldBeam(half_angle_urad=7.4)
    fraction = collected_fraction(1200.0, measured, wavelength_nm=848.6, receiver_diameter_m=1.0)
    assert -10.0 * np.log10(fraction) == pytest.approx(22.0, abs=0.05)


def test_divergence_conventions() -> None:
    wavelength_nm = 850.0
    half = qkd.FarFieldBeam(half_angle_urad=10.0)
    assert qkd.FarFieldBeam.from_full_angle_urad(20.0) == half
    # Half of the peak lies at 0.5887 of the 1/e^2 radius.
    fwhm = 2.0 * 10.0 * np.sqrt(np.log(2.0) / 2.0)
    assert qkd.FarFieldBeam.from_fwhm_urad(fwhm).half_angle_urad == pytest.approx(10.0)
    waist = qkd.FarFieldBeam.from_waist_diameter_m(0.2, wavelength_nm=wavelength_nm)
    assert waist.half_angle_urad == pytest.approx(2.0 * 850e-9 / (np.pi * 0.2) * 1e6)
    # A uniformly lit aperture: on-axis irradiance of the Airy pattern, P A / (lambda L)^2.
    ring = qkd.FarFieldBeam.from_first_dark_ring_urad(1.2196698912665045 * 850e-9 / 0.3 * 1e6)
    uniform = qkd.TelescopeBeam(waist_radius_m=1e3, aperture_radius_m=0.15)
    w = spot_radius_m(np.array(1e6), uniform, wavelength_m=850e-9)
    assert ring.half_angle_urad == pytest.approx(w, rel=1e-6)


def test_an_anchored_beam_keeps_its_anchor() -> None:
    beam = qkd.AnchoredBeam(loss_db=22.0, range_km=1200.0, receiver_diameter_m=1.0)
    found = collected_fraction(
        np.array([1200.0, 600.0]), beam, wavelength_nm=848.6, receiver_diameter_m=1.0
    )
    np.testing.assert_allclose(-10.0 * np.log10(found), [22.0, 22.0 - 20.0 * np.log10(2.0)])
    wider = collected_fraction(1200.0, beam, wavelength_nm=848.6, receiver_diameter_m=1.2)
    assert wider / found[0] == pytest.approx(1.44)


def test_mean_pointing_is_the_mean_of_drawn_pointings() -> None:
    rng = np.random.default_rng(7)
    w, ranges, pointing = 9.0, 1e6, Pointing(jitter_urad=2.0, bias_urad=1.0)
    offset = rng.normal(0.0, 2.0, (2, 400_000)) + np.array([[1.0], [0.0]])
    drawn = np.exp(-2.0 * np.sum(offset**2, axis=0) / w**2).mean()

    mean = mean_pointing(np.array(w), np.array(ranges), pointing, receiver_radius_m=0.01)

    assert mean == pytest.approx(drawn, rel=5e-3)


def test_one_sigma_is_not_the_mean() -> None:
    # exp(-8 sigma^2/theta_full^2), often quoted, is the transmittance AT one sigma.
    w, sigma = 10.0, 3.0
    mean = mean_pointing(
        np.array(w), np.array(1e6), Pointing(jitter_urad=sigma), receiver_radius_m=0.01
    )
    assert mean == pytest.approx(1.0 / (1.0 + 4.0 * sigma**2 / w**2), rel=1e-4)
    assert abs(mean - np.exp(-8.0 * sigma**2 / (2.0 * w) ** 2)) > 0.05


def test_pointing_loss_of_no_jitter_is_none() -> None:
    spot, ranges = np.array([5.0, 50.0]), np.array([5e5, 5e6])
    none = mean_pointing(spot, ranges, Pointing(), receiver_radius_m=0.5)
    np.testing.assert_array_equal(none, [1.0, 1.0])
    fixed = mean_pointing(spot, ranges, Pointing(loss_db=1.5), receiver_radius_m=0.5)
    np.testing.assert_allclose(fixed, 10.0**-0.15)


def test_pointing_fades_integrate_to_the_mean() -> None:
    share = np.linspace(1e-6, 1.0, 200_001)
    density = pointing_fade_density(share, spot_m=10.0, range_m=1e6, jitter_urad=2.0)
    zeta = 10.0**2 / (4.0 * 2.0**2)
    assert np.trapezoid(share * density, share) == pytest.approx(zeta / (zeta + 1.0), rel=1e-4)
