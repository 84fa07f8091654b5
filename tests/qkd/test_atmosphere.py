"""Extinction, turbulence and what follows from them."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import qkd
from qkd.freespace.atmosphere import draw_fades, fibre_coupling, field_stop

Columns = Callable[[str], dict[str, NDArray[np.float64]]]

# Kasten and Young 1989.
AIRMASS = [
    (90.0, 0.9997),
    (60.0, 1.1540),
    (45.0, 1.4126),
    (30.0, 1.9943),
    (20.0, 2.9031),
    (10.0, 5.5860),
    (5.0, 10.3058),
    (0.0, 37.9196),
]


@pytest.mark.parametrize(("elevation_deg", "expected"), AIRMASS)
def test_airmass(elevation_deg: float, expected: float) -> None:
    assert qkd.airmass(elevation_deg) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize("name", ["diffraction-th30.csv", "diffraction-th90.csv"])
def test_lines_and_continuum_follow_a_radiative_transfer_table(columns: Columns, name: str) -> None:
    rows = columns(name)
    high = np.degrees(rows["elev_rad"]) >= 10.0
    air = qkd.Atmosphere(continuum_depth=0.1440, line_depth=0.0622)

    found = air.transmittance(np.degrees(rows["elev_rad"][high]))

    np.testing.assert_allclose(found, rows["eta_atm"][high], rtol=0.02)


def test_continuum_alone_would_lose_a_fifth_at_ten_degrees(columns: Columns) -> None:
    rows = columns("diffraction-th30.csv")
    elevation = np.degrees(rows["elev_rad"])
    zenith = 0.8136  # MODTRAN at 810 nm
    beer = qkd.Atmosphere(continuum_depth=-np.log(zenith)).transmittance(10.0)
    table = np.interp(10.0, elevation[:30], rows["eta_atm"][:30])
    assert beer / table == pytest.approx(0.81, abs=0.03)


def test_below_the_horizon_is_dark() -> None:
    for air in (
        qkd.Atmosphere(continuum_depth=0.0),
        qkd.TabulatedAtmosphere(elevations_deg=(10.0, 90.0), transmittances=(0.4, 0.85)),
    ):
        np.testing.assert_array_equal(air.transmittance([-0.1, -30.0, -90.0]), 0.0)


def test_a_table_keeps_its_rows() -> None:
    air = qkd.TabulatedAtmosphere(elevations_deg=(10.0, 30.0, 90.0), transmittances=(0.3, 0.6, 0.8))
    np.testing.assert_allclose(air.transmittance([10.0, 30.0, 90.0]), [0.3, 0.6, 0.8])
    between = air.transmittance(np.linspace(10.0, 90.0, 50))
    assert np.all(np.diff(between) > 0.0)


def test_slant_loss_is_its_own_anchor() -> None:
    air = qkd.Atmosphere.from_slant_loss_db(5.5, elevation_deg=19.6)
    assert -10.0 * np.log10(air.transmittance(19.6)) == pytest.approx(5.5)


def test_the_standard_atmosphere_thins_with_height() -> None:
    sea = qkd.standard_atmosphere(850.0, height_m=0.0)
    # Rayleigh 0.017 at 850 nm and AOD 0.12 at 550 nm.
    assert sea.continuum_depth == pytest.approx(0.017 + 0.12 * (0.85 / 0.55) ** -1.3, abs=1e-4)
    high = qkd.standard_atmosphere(850.0, height_m=3000.0)
    assert high.continuum_depth < sea.continuum_depth / 2.0


HV = qkd.HufnagelValley()


def test_turbulence_check_values() -> None:
    # Hufnagel-Valley 5/7: 5 cm and 7 urad at 500 nm.
    assert HV.fried_m(90.0, wavelength_nm=500.0) == pytest.approx(0.0496, abs=5e-5)
    assert HV.isoplanatic_urad(90.0, wavelength_nm=500.0) == pytest.approx(6.89, abs=5e-3)
    assert HV.fried_m(90.0, wavelength_nm=850.0) == pytest.approx(0.0938, abs=5e-5)
    assert HV.rytov(90.0, wavelength_nm=850.0) == pytest.approx(0.1266, abs=5e-5)
    assert HV.fried_m(20.0, wavelength_nm=850.0) == pytest.approx(0.0493, abs=5e-5)
    assert HV.rytov(20.0, wavelength_nm=850.0) == pytest.approx(0.9050, abs=5e-4)
    assert HV.aperture_scintillation(90.0, diameter_m=1.0) == pytest.approx(3.31e-4, rel=2e-3)
    assert HV.aperture_scintillation(20.0, diameter_m=1.0) == pytest.approx(8.26e-3, rel=2e-3)


def test_moments_are_the_integrals() -> None:
    heights = np.linspace(0.0, 60e3, 600_001)
    for power in (0.0, 5.0 / 6.0, 5.0 / 3.0, 2.0):
        integral = np.trapezoid(HV.cn2(heights) * heights**power, heights)
        assert HV.moment(power) == pytest.approx(integral, rel=1e-5)


def test_point_scintillation_saturates() -> None:
    index = HV.point_scintillation(np.linspace(3.0, 90.0, 200), wavelength_nm=850.0)
    assert np.all((index > 0.0) & (index < 3.0))
    # Weak turbulence: the index is the Rytov variance.
    weak = qkd.HufnagelValley(wind_m_s=2.0, ground_cn2=1e-17)
    assert weak.point_scintillation(90.0, wavelength_nm=1550.0) == pytest.approx(
        weak.rytov(90.0, wavelength_nm=1550.0), rel=0.05
    )


def test_fades_have_mean_one_and_the_variance_asked_for() -> None:
    drawn = draw_fades(np.full(400_000, 0.2), np.random.default_rng(3))
    assert drawn.mean() == pytest.approx(1.0, abs=3e-3)
    assert drawn.var() == pytest.approx(0.2, rel=0.03)


def test_field_stop_passes_half_at_its_width() -> None:
    seeing = 0.98 * 850e-9 / 0.0938
    limit = 1.03 * 850e-9 / 1.0
    width = np.hypot(seeing, limit) * 1e6
    half = field_stop(0.0938, wavelength_nm=850.0, diameter_m=1.0, field_of_view_urad=width)
    assert half == pytest.approx(0.5)


def test_fibre_coupling_falls_with_the_aperture() -> None:
    assert fibre_coupling(0.1, diameter_m=0.1) == pytest.approx(0.405)
    assert fibre_coupling(0.1, diameter_m=1e-6) == pytest.approx(0.81)
