"""A link's loss, learned from its settled sessions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkd
from qkd.geometry import circular_pass
from qkd.learning import NEPER_PER_DB

SPREAD = qkd.LinkSpread(loss_sigma_db=2.0, spread_db=1.0, sessions=4.0)
RATIOS = st.lists(st.floats(0.05, 20.0), min_size=1, max_size=12)


def test_the_prior_is_the_presets_loss_and_spread() -> None:
    prior = qkd.LinkBelief.prior(SPREAD)
    assert prior.loss_bias_db == 0.0
    assert prior.loss_sigma_db == pytest.approx(2.0)
    assert prior.spread_db == pytest.approx(1.0)
    low, middle, high = prior.ratio_quantiles()
    assert middle == pytest.approx(1.0)
    assert low * high == pytest.approx(1.0)
    # Mean and pass together vary by sqrt(5) dB; Student's 10 % lies a little within 1.28 sigma.
    assert 10.0 * np.log10(high) == pytest.approx(1.282 * np.sqrt(5.0), rel=0.1)


def test_one_session_by_hand() -> None:
    prior = qkd.LinkBelief(mean=0.1, weight=2.0, shape=3.0, scale=0.5)
    after = prior.updated([np.exp(0.4)])
    assert after.weight == 3.0
    assert after.mean == pytest.approx((2.0 * 0.1 + 0.4) / 3.0)
    assert after.shape == 3.5
    assert after.scale == pytest.approx(0.5 + 2.0 * 1.0 / 3.0 * 0.3**2 / 2.0)
    assert prior.updated([]) == prior


@given(ratios=RATIOS, cut=st.integers(0, 12))
def test_sessions_may_come_in_any_order_and_in_parts(ratios: list[float], cut: int) -> None:
    prior = qkd.LinkBelief.prior(SPREAD)
    whole = prior.updated(ratios)
    parts = prior.updated(ratios[:cut]).updated(ratios[cut:])
    turned = prior.updated(ratios[::-1])
    for name in ("mean", "weight", "shape", "scale"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-9)
        assert getattr(turned, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-9)
    assert whole.loss_sigma_db > 0.0
    low, middle, high = whole.ratio_quantiles()
    assert 0.0 < low < middle < high
    assert whole.probability_below([low, middle, high]) == pytest.approx([0.1, 0.5, 0.9])


def test_many_sessions_are_believed() -> None:
    # 3 dB worse than the preset, 0.5 dB from pass to pass.
    rng = np.random.default_rng(31)
    x = rng.normal(-3.0, 0.5, 400) * NEPER_PER_DB
    belief = qkd.LinkBelief.prior(SPREAD).updated(np.exp(x))
    assert belief.loss_bias_db == pytest.approx(3.0, abs=0.1)
    assert belief.spread_db == pytest.approx(0.5, abs=0.06)
    assert belief.loss_sigma_db < 0.05


def test_the_posterior_covers_the_truth_as_often_as_it_says() -> None:
    # Links drawn from the prior itself: the next session lies within the 10 % quantile 10 % of
    # the time, before and after learning.
    rng = np.random.default_rng(32)
    prior = qkd.LinkBelief.prior(SPREAD)
    below = []
    for _ in range(4000):
        variance = prior.scale / rng.gamma(prior.shape)
        mean = rng.normal(prior.mean, np.sqrt(variance / prior.weight))
        x = rng.normal(mean, np.sqrt(variance), 4)
        below.append(prior.updated(np.exp(x[:3])).probability_below(np.exp(x[3])))
    levels = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
    # Three sigma of 4,000 trials are 0.024.
    np.testing.assert_allclose(qkd.reliability(below, levels), levels, rtol=0.0, atol=0.024)
    assert np.all(np.isnan(qkd.reliability([], levels)))


def test_a_draw_is_from_what_is_believed() -> None:
    belief = qkd.LinkBelief.prior(SPREAD).updated([0.5, 0.6, 0.45])
    rng = np.random.default_rng(33)
    drawn = np.array([belief.draw_ratio(rng) for _ in range(4000)])
    found = qkd.reliability(belief.probability_below(drawn), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(found, [0.1, 0.5, 0.9], rtol=0.0, atol=0.024)


def test_a_session_without_a_bit_is_an_outage() -> None:
    with pytest.raises(qkd.QkdInputError, match="allowed above 0"):
        qkd.LinkBelief.prior(SPREAD).updated([0.9, 0.0])


def test_a_forecast_carries_its_quantiles() -> None:
    preset = qkd.satellite_preset("micius-2016-fitted")
    track = circular_pass(altitude_km=500.0, max_elevation_deg=60.0)
    belief = qkd.LinkBelief.prior(preset.spread)
    low, middle, high = qkd.yield_quantiles(track, preset, "xinglong", belief)
    assert low.secret_bits < middle.secret_bits < high.secret_bits
    plain = qkd.pass_yield(track, preset, "xinglong")
    assert middle.secret_bits == pytest.approx(plain.secret_bits, rel=1e-9)
    # The budget is the preset's own: what was learned is no loss of any one part.
    assert np.array_equal(low.budget.transmittance, plain.budget.transmittance)
    learned = belief.updated([0.5] * 30)
    assert qkd.yield_quantiles(track, preset, "xinglong", learned)[1].detections == pytest.approx(
        0.5 * plain.detections, rel=0.03
    )


def test_the_binomial_bars_are_those_of_clopper_and_pearson() -> None:
    # Newcombe, Statist. Med. 17, 857 (1998), table I: exact 95 % intervals of 81/263 and 0/20.
    low, high = qkd.binomial_bars([81.0], 263, within=0.95)
    np.testing.assert_allclose([low[0], high[0]], [0.2527, 0.3676], atol=5e-5)
    low, high = qkd.binomial_bars([0.0, 20.0], 20, within=0.95)
    np.testing.assert_allclose([low[0], high[0]], [0.0, 0.1684], atol=5e-5)
    np.testing.assert_allclose([low[1], high[1]], [0.8316, 1.0], atol=5e-5)


def test_a_pass_is_drawn_log_normally_about_the_presets_loss() -> None:
    spread = qkd.LinkSpread(loss_sigma_db=3.0, spread_db=1.5)
    rng = np.random.default_rng(3)
    drawn = np.log([spread.draw_ratio(rng) for _ in range(20_000)]) / qkd.learning.NEPER_PER_DB
    assert abs(drawn.mean()) < 4.0 * 1.5 / np.sqrt(20_000)
    assert abs(drawn.std() / 1.5 - 1.0) < 4.0 / np.sqrt(40_000)
