"""Key blocks that grow over passes."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import qkd
from qkd.geometry import circular_pass

PORTABLE = qkd.satellite_preset("portable-280mm")
PROTOCOL, SECURITY = PORTABLE.protocol, PORTABLE.security


def one_pass(max_elevation_deg: float) -> qkd.Counts:
    seen = circular_pass(altitude_km=500.0, max_elevation_deg=max_elevation_deg)
    track = SimpleNamespace(
        offset_s=seen.offset_s, elevation_deg=seen.elevation_deg, range_km=seen.range_km
    )
    return qkd.pass_counts(track, PORTABLE, "jinan")[0].total()


def bits(counts: qkd.Counts) -> int:
    return sum(int(key.length_bits) for key in qkd.block_keys(counts, PROTOCOL, SECURITY))


@pytest.mark.parametrize("elevation", [40.0, 25.0])
def test_ten_pooled_passes_give_more_than_ten_alone(elevation: float) -> None:
    one = one_pass(elevation)
    ten = qkd.pooled([(one, PROTOCOL)] * 10)
    assert bits(ten) / 10 > 1.4 * bits(one)
    assert bits(ten) > 0
    # Each is worth a tenth of the block, to a planner that means to fill it.
    empty = one.scaled(0.0)
    assert qkd.added_bits(empty, one, PROTOCOL, SECURITY, passes=10) == bits(ten) / 10
    assert qkd.added_bits(empty, one, PROTOCOL, SECURITY) == bits(one)
    # And more to a block that others have begun.
    begun = one.scaled(9.0)
    assert qkd.added_bits(begun, one, PROTOCOL, SECURITY) > bits(one)


def test_only_equal_settings_are_pooled() -> None:
    one = one_pass(40.0)
    faster = replace(PROTOCOL, pulse_rate_hz=2e8)
    assert np.array_equal(
        qkd.pooled([(one, PROTOCOL), (one, faster)]).key_clicks, (one + one).key_clicks
    )
    for change in (
        {"intensities": (0.7, 0.1, 0.0)},
        {"probabilities": (0.6, 0.2, 0.2)},
        {"key_basis_alice": 0.6},
        {"key_basis_bob": 0.6},
        {"key_intensities": "all"},
        {"both_bases": False},
        {"intensity_uncertainty": 0.05},
    ):
        with pytest.raises(qkd.QkdInputError, match=f"{next(iter(change))} is"):
            qkd.pooled([(one, PROTOCOL), (one, replace(PROTOCOL, **change))])
    with pytest.raises(qkd.QkdInputError, match="parts are 0"):
        qkd.pooled([])


@pytest.mark.parametrize(
    ("passes", "age_s", "spent", "reason"),
    [
        (1.0, 0.0, 0.0, None),
        (10.0, 0.0, 0.0, qkd.CloseReason.TARGET),
        (1.0, 86_400.0, 0.0, qkd.CloseReason.AGE),
        (10.0, 86_400.0, 0.0, qkd.CloseReason.TARGET),
        (10.0, 86_400.0, 9.5e-9, None),  # the link's epsilon is used up
    ],
)
def test_a_block_closes_by_size_or_age_within_its_epsilon(
    passes: float, age_s: float, spent: float, reason: qkd.CloseReason | None
) -> None:
    one = one_pass(40.0)
    policy = qkd.PoolPolicy(
        target_sifted_bits=5.0 * qkd.sifted_key_bits(one, PROTOCOL),
        age_s_max=86_400.0,
        epsilon_max=1e-8,
    )
    found = qkd.why_close(
        policy, one.scaled(passes), PROTOCOL, SECURITY, age_s=age_s, epsilon_spent=spent
    )
    assert found is reason


def test_sifted_bits_of_a_key_are_those_it_is_made_of() -> None:
    one = one_pass(40.0)
    signal = one.key_clicks[0] + one.check_clicks[0]
    assert qkd.sifted_key_bits(one, PROTOCOL) == pytest.approx(signal)
    single = replace(PROTOCOL, both_bases=False, key_intensities="all")
    assert qkd.sifted_key_bits(one, single) == pytest.approx(one.key_clicks.sum())
