"""Fibre spans."""

from dataclasses import replace

import numpy as np
import pytest

import qkd

PRESET = qkd.fibre_preset("trunk-span")

# Weak plus vacuum decoy, 0.2 dB/km, receiver x detector 0.08, Y0 1e-6, e_d 1.5 %, f 1.16.
GLLP = [
    (50.0, 7.671312e-4),
    (80.0, 1.909749e-4),
    (100.0, 7.477664e-5),
    (120.0, 2.855027e-5),
    (150.0, 5.751322e-6),
]


@pytest.mark.parametrize(("length_km", "expected"), GLLP)
def test_asymptotic_rate_check_values(length_km: float, expected: float) -> None:
    rate = qkd.gllp_rate(
        10.0 ** (-0.02 * length_km) * 0.08,
        signal_photons=0.5,
        decoy_photons=0.1,
        background_per_gate=1e-6,
        misalignment=0.015,
    )
    assert rate == pytest.approx(expected, rel=1e-6)


def test_no_asymptotic_rate_without_light() -> None:
    for eta, noise in ((0.0, 1e-6), (0.0, 0.0), (1e-4, 1.0)):
        rate = qkd.gllp_rate(
            eta,
            signal_photons=0.5,
            decoy_photons=0.1,
            background_per_gate=noise,
            misalignment=0.01,
        )
        assert rate == 0.0


def rates(span: object, **changes: object) -> qkd.FibreRate:
    return qkd.fibre_rate(
        span,
        PRESET.receiver,
        PRESET.protocol,
        PRESET.security,
        **changes,  # type: ignore[arg-type]
    )


def test_a_block_closes_when_it_is_full() -> None:
    found = rates(PRESET.span)
    assert found.loss_db == pytest.approx(0.2 * 65.5 + 4 * 0.3)
    assert found.block_s * found.sifted_bps == pytest.approx(1e7)
    bits = sum(key.length_bits for key in found.keys)
    assert found.secret_bps == pytest.approx(bits / found.block_s)
    assert 0.0 < found.qber < 0.05


def test_parallel_links_multiply_and_blocks_take_as_long() -> None:
    one, four = rates(PRESET.span), rates(PRESET.span, parallel_links=4)
    assert four.secret_bps == pytest.approx(4.0 * one.secret_bps)
    assert four.block_s == one.block_s


def test_longer_spans_give_less_and_spans_vectorise() -> None:
    losses = np.linspace(0.0, 60.0, 61)
    found = rates(losses)
    assert np.all(np.diff(found.secret_bps) <= 1e-9)
    assert found.secret_bps[-1] == 0.0
    alone = rates(float(losses[20]))
    assert found.secret_bps[20] == pytest.approx(alone.secret_bps)


def test_larger_blocks_cost_less() -> None:
    small, large = rates(18.0, block_bits=1e5), rates(18.0, block_bits=1e9)
    assert small.secret_bps < large.secret_bps


def test_a_dark_fibre_is_no_error() -> None:
    silent = replace(PRESET.receiver, detector=replace(PRESET.receiver.detector, efficiency=0.0))
    still = replace(silent, detector=replace(silent.detector, dark_rate_hz=0.0))
    for receiver in (silent, still):
        found = qkd.fibre_rate(10.0, receiver, PRESET.protocol, PRESET.security)
        assert found.secret_bps == 0.0
    assert np.isinf(found.block_s)
    assert np.isnan(found.qber)


def test_a_chain_is_as_fast_as_its_slowest_hop() -> None:
    assert qkd.chain_rate_bps([3e4, 1e4, 8e4]) == 1e4


def test_a_key_basis_alone_is_one_block() -> None:
    preset = qkd.fibre_preset("toshiba-like")
    found = qkd.fibre_rate(
        preset.span, preset.receiver, preset.protocol, preset.security, block_bits=1e8
    )
    assert len(found.keys) == 1
    assert found.loss_db == pytest.approx(14.5)
    assert found.secret_bps > 1e5
