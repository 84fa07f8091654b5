"""Gains, errors, counts and draws."""

from dataclasses import replace

import numpy as np
import pytest

import qkd
from qkd.decoy import click_and_error_probability, live_fraction
from qkd.geometry import circular_pass

MICIUS = qkd.DecoyProtocol(
    intensities=(0.8, 0.1, 0.0), probabilities=(0.5, 0.25, 0.25), pulse_rate_hz=1e8
)


def test_gain_and_errors_follow_the_model() -> None:
    eta, mu, y0, e_d = 0.01, 0.5, 1e-5, 0.02
    signal = 1.0 - np.exp(-eta * mu)

    clicks, errors = click_and_error_probability(
        eta, mean_photons=mu, background_per_gate=y0, misalignment=e_d
    )

    assert clicks == pytest.approx(signal + y0 * (1.0 - signal))
    assert errors == pytest.approx(e_d * signal * (1.0 - y0) + y0 / 2.0)


def test_vacuum_errs_half_of_the_time() -> None:
    clicks, errors = click_and_error_probability(
        0.1, mean_photons=0.0, background_per_gate=1e-6, misalignment=0.01, after_pulse=0.02
    )
    assert errors / clicks == pytest.approx(0.5)


def test_digits_are_kept_at_a_hundred_decibels() -> None:
    clicks, _ = click_and_error_probability(
        1e-10, mean_photons=1e-8, background_per_gate=0.0, misalignment=0.0
    )
    assert clicks == pytest.approx(1e-18, rel=1e-12)


def test_counts_split_by_basis_and_add_up() -> None:
    protocol = replace(MICIUS, key_basis_alice=0.9, key_basis_bob=0.8)
    counts = qkd.expected_counts(
        np.array([1e-3, 2e-3]), protocol, background_per_gate=1e-6, misalignment=0.01
    )
    clicks, _ = click_and_error_probability(
        np.array([[1e-3], [2e-3]]),
        mean_photons=np.array(protocol.intensities),
        background_per_gate=1e-6,
        misalignment=0.01,
    )
    sent = 1e8 * np.array(protocol.probabilities)
    np.testing.assert_allclose(counts.key_clicks, sent * clicks * 0.72)
    np.testing.assert_allclose(counts.check_clicks, sent * clicks * 0.02)
    np.testing.assert_allclose(counts.total().key_clicks, counts.key_clicks.sum(axis=0))
    both = counts.total() + counts.total()
    np.testing.assert_allclose(both.key_errors, counts.total().scaled(2.0).key_errors)


def test_dead_time_vetoes_every_detector() -> None:
    bare = qkd.expected_counts(0.1, MICIUS, background_per_gate=1e-6, misalignment=0.01)
    dead = qkd.expected_counts(
        0.1, MICIUS, background_per_gate=1e-6, misalignment=0.01, dead_time_ns=50.0
    )
    rate = float((bare.key_clicks + bare.check_clicks).sum()) / MICIUS.matching_bases
    ratio = dead.key_clicks / bare.key_clicks
    np.testing.assert_allclose(ratio, 1.0 / (1.0 + rate * 50e-9))
    # Each detector on its own is less often dead.
    assert live_fraction(0.04, pulse_rate_hz=1e8, dead_time_ns=50.0, share=0.25) > live_fraction(
        0.04, pulse_rate_hz=1e8, dead_time_ns=50.0
    )


def test_a_budget_counts_as_its_transmittance() -> None:
    track = circular_pass(altitude_km=500.0, max_elevation_deg=60.0)
    preset = qkd.satellite_preset("micius-2016")
    budget = qkd.link_budget(track, preset.terminal, *preset.station("xinglong"))
    options = {"background_per_gate": 2e-7, "misalignment": 0.01}
    np.testing.assert_array_equal(
        qkd.expected_counts(budget, MICIUS, **options).key_clicks,
        qkd.expected_counts(budget.transmittance, MICIUS, **options).key_clicks,
    )


def test_detectors_without_a_joint_veto_are_dead_less_often() -> None:
    joint = qkd.Detector(efficiency=0.5, count=4, gate_ns=1.0, dead_time_ns=50.0)
    alone = replace(joint, joint_veto=False)
    counts = [
        qkd.expected_counts(
            0.1,
            MICIUS,
            background_per_gate=1e-6,
            misalignment=0.01,
            dead_time_ns=detector.dead_time_ns,
            dead_time_share=detector.dead_time_share,
        ).key_clicks.sum()
        for detector in (joint, alone)
    ]
    assert counts[0] < counts[1]


def test_draws_are_whole_numbers_with_the_right_mean() -> None:
    counts = qkd.expected_counts(1e-4, MICIUS, background_per_gate=1e-6, misalignment=0.02)
    many = counts.scaled(np.ones(4000))

    drawn = qkd.draw_counts(many, np.random.default_rng(11))

    for name in ("key_clicks", "key_errors", "check_clicks", "check_errors"):
        values, mean = getattr(drawn, name), getattr(counts, name)
        np.testing.assert_array_equal(values, np.rint(values))
        # Six standard deviations of the mean of 4000 Poisson draws.
        slack = 6.0 * np.sqrt(mean / 4000.0) + 1e-12
        assert np.all(np.abs(values.mean(axis=0) - mean) <= slack), name
    assert np.all(drawn.key_errors <= drawn.key_clicks)


def test_draws_repeat_with_their_generator() -> None:
    counts = qkd.expected_counts(1e-4, MICIUS, background_per_gate=1e-6, misalignment=0.02)
    first = qkd.draw_counts(counts, np.random.default_rng(5))
    second = qkd.draw_counts(counts, np.random.default_rng(5))
    np.testing.assert_array_equal(first.key_clicks, second.key_clicks)
    np.testing.assert_array_equal(first.check_errors, second.check_errors)


def test_sifted_share_printed_for_micius() -> None:
    # 3,551,136 (p1 mu1)/(p1 mu1 + p2 mu2)/2 = 1,671,123 against 1,671,072 printed.
    share = 0.5 * 0.8 / (0.5 * 0.8 + 0.25 * 0.1) / 2.0
    assert 3_551_136 * share == pytest.approx(1_671_123, abs=1.0)
    assert 3_551_136 * share == pytest.approx(1_671_072, rel=1e-4)
