"""Impossible parameters are refused by name, value and range."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import qkd
from qkd.finite_key.asymptotic import gllp_rate
from qkd.geometry import circular_pass
from qkd.presets.micius import PROTOCOL
from qkd.segment import select_segment
from qkd.tracks import sample_seconds

THREE = np.ones(3)
COUNTS = qkd.Counts(
    key_clicks=THREE, key_errors=THREE / 10, check_clicks=THREE, check_errors=THREE / 10
)
DETECTOR = qkd.Detector(efficiency=0.5, count=4, gate_ns=1.0)
SPAN = qkd.FibreSpan(length_km=10.0, attenuation_db_per_km=0.2)


def protocol(**changes: object) -> qkd.DecoyProtocol:
    return replace(PROTOCOL, **changes)


def expect(**changes: object) -> qkd.Counts:
    options: dict[str, object] = {"background_per_gate": 1e-6, "misalignment": 0.01}
    eta = changes.pop("transmittance", 1e-3)
    return qkd.expected_counts(eta, PROTOCOL, **{**options, **changes})  # type: ignore[arg-type]


def track(**changes: object) -> SimpleNamespace:
    seen = circular_pass(altitude_km=500.0, max_elevation_deg=50.0)
    fields = {
        "offset_s": seen.offset_s,
        "elevation_deg": seen.elevation_deg,
        "range_km": seen.range_km,
    }
    return SimpleNamespace(**{**fields, **changes})


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: protocol(probabilities=(0.5, 0.3, 0.3)), "probabilities.*sum 1"),
    (lambda: protocol(probabilities=(0.75, 0.25, 0.0)), "probabilities.*above 0"),
    (lambda: protocol(intensities=(0.5, 0.4, 0.1)), r"mu1 > mu2 \+ mu3"),
    (lambda: protocol(intensities=(0.5, 0.1, 0.2)), "mu2 > mu3"),
    (lambda: protocol(intensities=(0.5, 0.1, -0.1)), "intensities holds.*-0.1.*0..20"),
    (lambda: protocol(intensities=(0.5,), probabilities=(1.0,)), "two or three"),
    (lambda: protocol(pulse_rate_hz=0.0), "pulse_rate_hz is 0.0"),
    (lambda: protocol(key_basis_bob=1.5), "key_basis_bob is 1.5.*0..1"),
    (lambda: protocol(key_intensities="some"), "key_intensities.*'some'"),
    (lambda: expect(transmittance=-0.1), "transmittance holds.*-0.1"),
    (lambda: expect(transmittance=np.nan), "transmittance holds.*nan"),
    (lambda: expect(background_per_gate=1.1), "background_per_gate holds.*1.1"),
    (lambda: expect(misalignment=0.6), "misalignment is 0.6.*0..0.5"),
    (lambda: expect(sample_s=-1.0), "sample_s holds.*-1"),
    (lambda: expect(gate_ns=20.0), "gate_ns is 20.0.*0..10"),
    (lambda: expect(uptime=2.0), "uptime is 2.0"),
    (lambda: expect(dead_time_ns=-1.0), "dead_time_ns is -1.0"),
    (lambda: expect(after_pulse=0.9), "after_pulse is 0.9"),
    (lambda: replace(COUNTS, key_errors=2 * THREE), "key_errors exceed key_clicks"),
    (lambda: replace(COUNTS, key_clicks=-THREE), "key_clicks holds.*-1"),
    (lambda: replace(COUNTS, check_clicks=np.ones(2)), "shapes"),
    (lambda: qkd.secret_key(COUNTS, PROTOCOL, qkd.Security(), bound="best"), "bound is 'best'"),
    (lambda: qkd.secret_key(COUNTS, PROTOCOL, qkd.Security(), phase="best"), "phase is 'best'"),
    (lambda: qkd.secret_key(COUNTS, PROTOCOL, qkd.Security(), decoys=1), "decoys is 1.*allowed 2"),
    (lambda: qkd.secret_key(COUNTS, PROTOCOL, qkd.Security(), leak=0.9), "efficiency is 0.9"),
    (lambda: qkd.Security(secrecy=0.0), "secrecy is 0.0"),
    (lambda: qkd.Security(secrecy=1.0), "secrecy is 1.0"),
    (lambda: qkd.Security(correctness=-1e-9), "correctness is -1e-09"),
    (lambda: qkd.Security().split(0), "blocks is 0"),
    (lambda: qkd.FibreSpan(length_km=-1.0, attenuation_db_per_km=0.2), "length_km is -1.0"),
    (lambda: qkd.FibreSpan(length_km=1.0, attenuation_db_per_km=-0.2), "attenuation_db_per_km"),
    (
        lambda: qkd.fibre_rate(
            -3.0, qkd.FibreReceiver(detector=DETECTOR), PROTOCOL, qkd.Security()
        ),
        "loss_db holds.*-3",
    ),
    (
        lambda: qkd.fibre_rate(
            SPAN,
            qkd.FibreReceiver(detector=replace(DETECTOR, gate_ns=11.0)),
            PROTOCOL,
            qkd.Security(),
        ),
        "gate_ns is 11.0",
    ),
    (lambda: replace(DETECTOR, efficiency=1.2), "efficiency is 1.2.*0..1"),
    (lambda: replace(DETECTOR, gate_ns=0.0), "gate_ns is 0.0.*not 0"),
    (lambda: qkd.Receiver(diameter_m=1.0, obscuration_m=1.0, detector=DETECTOR), "obscuration_m"),
    (lambda: qkd.FarFieldBeam(half_angle_urad=0.0), "half_angle_urad is 0.0"),
    (lambda: qkd.AnchoredBeam(loss_db=-1.0, range_km=1.0, receiver_diameter_m=1.0), "loss_db"),
    (
        lambda: qkd.TelescopeBeam(
            waist_radius_m=0.1, aperture_radius_m=0.1, obscuration_radius_m=0.1
        ),
        "obscuration_radius_m is 0.1",
    ),
    (lambda: qkd.Pointing(jitter_urad=-1.0), "jitter_urad is -1.0"),
    (lambda: qkd.Atmosphere(continuum_depth=-0.1), "continuum_depth is -0.1"),
    (
        lambda: qkd.TabulatedAtmosphere(elevations_deg=(30.0, 10.0), transmittances=(0.5, 0.4)),
        "elevations_deg, least step is -20",
    ),
    (
        lambda: qkd.TabulatedAtmosphere(elevations_deg=(10.0, 30.0), transmittances=(0.5,)),
        "transmittances, rows is 1",
    ),
    (lambda: qkd.standard_atmosphere(850.0, height_m=20e3), "height_m is 20000.0.*m"),
    (lambda: qkd.Terminal(wavelength_nm=0.85, beam=qkd.FarFieldBeam(half_angle_urad=5)), "nm"),
    (lambda: qkd.SearchBox(decoy_ratio=(0.9, 0.1)), "decoy_ratio, high is 0.1"),
    (lambda: sample_seconds([0.0, 2.0, 1.0]), "offset_s has a step of -1"),
    (
        lambda: select_segment(COUNTS, [1.0], PROTOCOL, qkd.Security()),
        "quality has shape",
    ),
    (
        lambda: qkd.cumulative_keys(COUNTS, PROTOCOL, qkd.Security()),
        r"allowed \(passes, intensities\)",
    ),
    (
        lambda: qkd.yield_of_counts(
            qkd.Counts(**{name: np.ones((2, 3)) for name in COUNTS.__slots__}),
            qkd.satellite_preset("micius-2016"),
            qkd.link_budget(
                track(),
                qkd.satellite_preset("micius-2016").terminal,
                *qkd.satellite_preset("micius-2016").station("xinglong"),
            ),
        ),
        "allowed those of one pass",
    ),
    (lambda: qkd.mixed_block_key([], qkd.Security()), "parts have"),
    (lambda: qkd.chain_rate_bps([1.0, -1.0]), "hop_rates_bps holds.*-1"),
    (
        lambda: gllp_rate(
            0.1,
            signal_photons=0.1,
            decoy_photons=0.5,
            background_per_gate=1e-6,
            misalignment=0.01,
        ),
        "decoy_photons is 0.5",
    ),
    (
        lambda: qkd.pass_yield(
            track(range_km=np.array([500.0])), qkd.satellite_preset("micius-2016"), "xinglong"
        ),
        "range_km has shape",
    ),
    (
        lambda: qkd.pass_yield(
            track(range_km=np.full(1, -5.0), elevation_deg=np.ones(1), offset_s=np.zeros(1)),
            qkd.satellite_preset("micius-2016"),
            "xinglong",
        ),
        "range_km holds.*-5",
    ),
    (
        lambda: qkd.campaign_yield(
            track(), [0, 0], qkd.satellite_preset("micius-2016"), "xinglong"
        ),
        "starts are",
    ),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_names_the_value_and_the_range(call: Callable[[], object], message: str) -> None:
    with pytest.raises(qkd.QkdInputError, match=message) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, qkd.QkdError)


def test_unknown_presets_and_stations_are_named() -> None:
    with pytest.raises(qkd.UnknownPresetError, match="'micius' is none of micius-2016"):
        qkd.preset("micius")
    with pytest.raises(qkd.UnknownPresetError, match=r"'graz' is not in preset.*xinglong"):
        qkd.satellite_preset("micius-2016").station("graz")
    with pytest.raises(qkd.UnknownPresetError, match="fibre link"):
        qkd.satellite_preset("trunk-span")
    with pytest.raises(qkd.UnknownPresetError, match="satellite"):
        qkd.fibre_preset("graz")
