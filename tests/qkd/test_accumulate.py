"""Blocks of several passes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import qkd
from qkd.geometry import circular_pass

PROTOCOL = qkd.DecoyProtocol(
    intensities=(0.6, 0.2, 0.0),
    probabilities=(0.6, 0.25, 0.15),
    pulse_rate_hz=1e8,
    key_basis_alice=0.7,
    key_basis_bob=0.7,
)


def passes(losses_db: list[float], noise: float = 1e-6) -> qkd.Counts:
    return qkd.expected_counts(
        10.0 ** (-np.array(losses_db) / 10.0),
        PROTOCOL,
        background_per_gate=noise,
        misalignment=0.01,
        sample_s=250.0,
    )


def test_passes_without_key_make_one_together() -> None:
    counts = passes([46.0] * 30)
    keys = qkd.cumulative_keys(counts, PROTOCOL, qkd.Security())[0]
    assert keys.length_bits[0] == 0
    assert keys.length_bits[-1] > 0
    # Once positive, every further pass brings more than the one before.
    positive = np.diff(keys.signed_length[keys.length_bits > 0])
    assert np.all(np.diff(positive) >= -1e-6)
    whole = qkd.secret_key(counts.total(), PROTOCOL, qkd.Security())
    assert keys.signed_length[-1] == pytest.approx(whole.signed_length)


def test_a_hopeless_pass_is_left_out_of_the_best_block() -> None:
    losses = [38.0, 39.0, 58.0, 40.0]
    block = qkd.best_subset(passes(losses), PROTOCOL, qkd.Security())
    assert block.passes == (0, 1, 3)
    everything = qkd.secret_key(passes(losses).total(), PROTOCOL, qkd.Security())
    assert block.secret_bits > everything.length_bits


def test_quality_by_clicks_ranks_noise_last() -> None:
    order = qkd.click_quality(passes([40.0, 60.0, 45.0]), PROTOCOL)
    assert order[0] > order[2] > order[1]
    none = qkd.best_subset(passes([]), PROTOCOL, qkd.Security())
    assert none.passes == ()
    assert none.secret_bits == 0


def test_blocks_close_within_their_limit() -> None:
    rng = np.random.default_rng(4)
    counts = passes(list(rng.uniform(36.0, 50.0, 24)))
    totals = []
    for limit in (1, 2, 4, 8, 24):
        blocks = qkd.close_blocks(counts, PROTOCOL, qkd.Security(), passes_max=limit)
        used = [index for block in blocks for index in block.passes]
        assert used == sorted(set(used))
        assert all(len(block.passes) <= limit for block in blocks)
        assert all(block.secret_bits > 0 for block in blocks)
        totals.append(sum(block.secret_bits for block in blocks))
    assert all(later >= earlier for earlier, later in pairwise(totals))
    singles = qkd.secret_key(counts, PROTOCOL, qkd.Security())
    assert totals[0] == singles.length_bits.sum()


def test_no_division_into_blocks_is_better() -> None:
    counts = passes([43.0, 47.0, 44.0, 49.0, 42.0])

    def bits(first: int, end: int) -> int:
        part = qkd.Counts(
            key_clicks=counts.key_clicks[first:end].sum(axis=0),
            key_errors=counts.key_errors[first:end].sum(axis=0),
            check_clicks=counts.check_clicks[first:end].sum(axis=0),
            check_errors=counts.check_errors[first:end].sum(axis=0),
        )
        return int(qkd.secret_key(part, PROTOCOL, qkd.Security()).length_bits)

    def best(first: int) -> int:
        if first == 5:
            return 0
        return max(
            best(first + 1),
            max(bits(first, end) + best(end) for end in range(first + 1, min(first + 3, 5) + 1)),
        )

    blocks = qkd.close_blocks(counts, PROTOCOL, qkd.Security(), passes_max=3)
    assert sum(block.secret_bits for block in blocks) == best(0)


def test_parts_of_different_settings_make_one_block() -> None:
    other = replace(PROTOCOL, intensities=(0.7, 0.15, 0.0))
    first = passes([38.0]).total()
    second = qkd.expected_counts(
        1.5e-4, other, background_per_gate=1e-6, misalignment=0.01, sample_s=250.0
    )
    mixed = qkd.mixed_block_key([(first, PROTOCOL), (second, other)], qkd.Security())
    alone = qkd.secret_key(first, PROTOCOL, qkd.Security())
    assert mixed.length_bits > alone.length_bits
    # Alike settings summed before bounding do better: deviations are paid once.
    halves = [(passes([38.0]).total(), PROTOCOL)] * 2
    split = qkd.mixed_block_key(halves, qkd.Security())
    summed = qkd.secret_key(first + first, PROTOCOL, qkd.Security())
    assert alone.length_bits < split.length_bits < summed.length_bits
    # A single part is an ordinary block.
    one = qkd.mixed_block_key([(first, PROTOCOL)], qkd.Security())
    assert one.signed_length == pytest.approx(alone.signed_length)
    signal = replace(PROTOCOL, key_intensities="signal")
    one = qkd.mixed_block_key([(first, signal)], qkd.Security())
    assert one.signed_length == pytest.approx(
        qkd.secret_key(first, signal, qkd.Security()).signed_length
    )


def test_a_segment_drops_the_noisy_end() -> None:
    eta = np.concatenate([np.full(50, 2e-4), np.full(200, 2e-6)])
    counts = qkd.expected_counts(eta, PROTOCOL, background_per_gate=2e-6, misalignment=0.01)
    cut = qkd.select_segment(counts, eta, PROTOCOL, qkd.Security())
    assert cut.kept.sum() == 50
    assert (
        cut.signed_length > qkd.secret_key(counts.total(), PROTOCOL, qkd.Security()).signed_length
    )


def test_epsilons_add_up_over_blocks_and_bases() -> None:
    track = circular_pass(altitude_km=500.0, max_elevation_deg=60.0)
    found = qkd.pass_yield(track, qkd.satellite_preset("micius-2016"), "xinglong")
    assert len(found.keys) == 2
    assert found.epsilon == pytest.approx(1e-9 + 1e-15)
    assert qkd.add_epsilons([key.epsilons for key in found.keys]) == pytest.approx(found.epsilon)
    assert found.keys[0].epsilons.each == pytest.approx(0.5e-9 / 23)
    assert found.secret_bits == sum(key.length_bits for key in found.keys)


def test_a_campaign_is_its_passes() -> None:
    preset = qkd.satellite_preset("micius-2016")
    tracks = [circular_pass(altitude_km=500.0, max_elevation_deg=e) for e in (30.0, 85.0, 55.0)]

    class Flat:
        offset_s = np.concatenate([t.offset_s for t in tracks])
        elevation_deg = np.concatenate([t.elevation_deg for t in tracks])
        range_km = np.concatenate([t.range_km for t in tracks])

    sizes = np.array([t.offset_s.size for t in tracks])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    for at_once in (10, 1000, 65_536):
        found = qkd.campaign_yield(Flat(), starts, preset, "xinglong", samples_at_once=at_once)
        for index, track in enumerate(tracks):
            alone = qkd.pass_yield(track, preset, "xinglong")
            assert found.secret_bits[index] == alone.secret_bits
            assert found.detections[index] == pytest.approx(alone.detections)
            assert found.qber[index] == pytest.approx(alone.qber)
    empty = qkd.campaign_yield(Flat(), [], preset, "xinglong")
    assert empty.secret_bits.shape == (0,)


def test_drawn_passes_scatter_about_the_expected_one() -> None:
    track = circular_pass(altitude_km=500.0, max_elevation_deg=60.0)
    preset = qkd.satellite_preset("micius-2016")
    expected = qkd.pass_yield(track, preset, "xinglong")
    rng = np.random.default_rng(9)
    drawn = [qkd.pass_yield(track, preset, "xinglong", rng=rng) for _ in range(40)]
    mean = np.mean([d.secret_bits for d in drawn])
    assert mean == pytest.approx(expected.secret_bits, rel=0.01)
    assert len({d.secret_bits for d in drawn}) > 30
    assert all(d.sifted_bits == int(d.sifted_bits) for d in drawn)
