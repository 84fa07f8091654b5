"""The loss of a downlink, factor by factor."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

import qkd
from qkd.freespace.budget import doppler_shift_pm
from qkd.geometry import circular_pass, slant_range_km

PASS = circular_pass(altitude_km=500.0, max_elevation_deg=60.0)
TERMINAL = qkd.Terminal(
    wavelength_nm=850.0,
    beam=qkd.FarFieldBeam(half_angle_urad=7.4),
    pointing=qkd.Pointing(jitter_urad=1.2),
)
RECEIVER = qkd.Receiver(
    diameter_m=1.0,
    detector=qkd.Detector(efficiency=0.5, count=4, dark_rate_hz=25.0, gate_ns=2.0, timing_ps=350.0),
    optics_transmittance=0.16,
    misalignment=0.01,
)
SITE = qkd.OpticalSite(height_m=890.0)


@dataclass(frozen=True)
class BarePlace:
    """A site that knows nothing but its height."""

    height_m: float


@dataclass(frozen=True)
class Stack:
    """Several passes at once, time last."""

    offset_s: NDArray[np.float64]
    elevation_deg: NDArray[np.float64]
    range_km: NDArray[np.float64]


def test_factors_multiply_to_the_total() -> None:
    budget = qkd.link_budget(PASS, TERMINAL, RECEIVER, SITE)
    np.testing.assert_allclose(sum(budget.factors().values()), budget.loss_db)
    assert all(np.all(db >= 0.0) for db in budget.factors().values())
    # erf(2 / (2 sqrt(2) 0.35))
    assert budget.gate_db[0] == pytest.approx(-10.0 * np.log10(0.99572), abs=1e-4)


def test_leading_axes_are_passes() -> None:
    one = qkd.link_budget(PASS, TERMINAL, RECEIVER, SITE)
    many = qkd.link_budget(
        Stack(
            offset_s=np.stack([PASS.offset_s] * 3),
            elevation_deg=np.stack([PASS.elevation_deg] * 3),
            range_km=np.stack([PASS.range_km] * 3),
        ),
        TERMINAL,
        RECEIVER,
        SITE,
    )
    assert many.transmittance.shape == (3, PASS.offset_s.size)
    np.testing.assert_allclose(many.transmittance[1], one.transmittance, rtol=1e-12)


def test_a_bare_site_gets_standard_air() -> None:
    bare = qkd.link_budget(PASS, TERMINAL, RECEIVER, BarePlace(height_m=890.0))
    known = qkd.link_budget(PASS, TERMINAL, RECEIVER, SITE)
    np.testing.assert_array_equal(bare.transmittance, known.transmittance)


def test_an_uplink_is_refused() -> None:
    with pytest.raises(qkd.NotModelledError, match="uplink"):
        qkd.link_budget(PASS, replace(TERMINAL, direction="uplink"), RECEIVER, SITE)


def test_fibre_coupling_and_field_stop_are_losses() -> None:
    sky = qkd.SkyView(field_of_view_urad=20.0, filter_width_nm=1.0)
    narrow = replace(RECEIVER, sky=sky, field_stop_losses=True)
    limited = replace(RECEIVER, coupling="single-mode")
    corrected = replace(RECEIVER, coupling="single-mode", fibre_coupling=0.5)
    plain = qkd.link_budget(PASS, TERMINAL, RECEIVER, SITE)
    for hardware, factor in ((narrow, "field_stop_db"), (limited, "coupling_db")):
        budget = qkd.link_budget(PASS, TERMINAL, hardware, SITE)
        assert np.all(budget.factors()[factor] > 0.0)
        assert np.all(budget.transmittance < plain.transmittance)
    constant = qkd.link_budget(PASS, TERMINAL, corrected, SITE)
    np.testing.assert_allclose(constant.coupling_db, 10.0 * np.log10(2.0))


def test_scintillation_is_no_mean_loss() -> None:
    # Counts are linear in the irradiance, and turbulence conserves it.
    rough = replace(SITE, turbulence=qkd.HufnagelValley(wind_m_s=60.0))
    calm = qkd.link_budget(PASS, TERMINAL, RECEIVER, SITE).transmittance
    np.testing.assert_array_equal(
        qkd.link_budget(PASS, TERMINAL, RECEIVER, rough).transmittance, calm
    )


def test_low_and_hidden_samples_are_no_link() -> None:
    track = Stack(
        offset_s=np.arange(3.0),
        elevation_deg=np.array([-5.0, 8.0, 30.0]),
        range_km=np.array([2600.0, 1800.0, 909.0]),
    )
    budget = qkd.link_budget(track, TERMINAL, replace(RECEIVER, min_elevation_deg=10.0), SITE)
    assert budget.transmittance[0] == budget.transmittance[1] == 0.0
    assert np.isinf(budget.loss_db[0])
    assert budget.transmittance[2] > 0.0


@pytest.mark.parametrize(
    "beam",
    [
        qkd.AnchoredBeam(loss_db=22.0, range_km=1200.0, receiver_diameter_m=1.0),
        qkd.FarFieldBeam(half_angle_urad=7.4),
        qkd.TelescopeBeam(waist_radius_m=0.15, aperture_radius_m=0.15),
    ],
)
def test_the_near_field_never_exceeds_one(beam: qkd.AnchoredBeam) -> None:
    track = Stack(
        offset_s=np.arange(4.0),
        elevation_deg=np.full(4, 60.0),
        range_km=np.array([0.001, 0.1, 10.0, 500.0]),
    )
    budget = qkd.link_budget(track, replace(TERMINAL, beam=beam), RECEIVER, SITE)
    assert np.all((budget.transmittance >= 0.0) & (budget.transmittance <= 1.0))
    if isinstance(beam, qkd.AnchoredBeam):
        # Where the far-field formula exceeds one there is no link at all.
        assert budget.transmittance[0] == 0.0


def test_doppler_shift() -> None:
    # Seven kilometres a second: 2.1e-5 of the wavelength would be 6.3 km/s.
    assert doppler_shift_pm(850.0, range_rate_km_s=6.3) == pytest.approx(17.9, abs=0.1)


@pytest.mark.parametrize(
    ("elevation", "expected"),
    [(90.0, 500.0), (60.0, 570.51), (30.0, 909.425), (20.0, 1192.797), (10.0, 1694.567)],
)
def test_slant_range(elevation: float, expected: float) -> None:
    assert slant_range_km(elevation, altitude_km=500.0) == pytest.approx(expected, abs=1e-3)


def test_the_circular_pass_agrees_with_its_closed_form() -> None:
    np.testing.assert_allclose(
        PASS.range_km, slant_range_km(PASS.elevation_deg, altitude_km=500.0), rtol=1e-9
    )
    assert PASS.elevation_deg.max() == pytest.approx(60.0)
    assert PASS.offset_s.size == 437  # as the reference loss curve
