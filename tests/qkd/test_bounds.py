"""Bounds on expected values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from qkd.finite_key import bounds

# Roots of E - n - n ln(E/n) = 23.77, to ten digits, by bisection in long arithmetic.
EXACT = [
    (0.0, 0.0, 23.77),
    (1.0, 1.747936629e-11, 28.10598245),
    (5.0, 0.01590086267, 39.04658791),
    (50.0, 15.63070174, 115.7332472),
    (1e3, 797.5135652, 1234.163040),
    (1e6, 993120.9119, 1006910.781),
]


@pytest.mark.parametrize(("count", "low", "high"), EXACT)
def test_exact_chernoff_bounds(count: float, low: float, high: float) -> None:
    n = np.array(count)
    assert bounds.chernoff_lower(n, 23.77) == pytest.approx(low, rel=1e-9)
    assert bounds.chernoff_upper(n, 23.77) == pytest.approx(high, rel=1e-9)


@given(
    count=st.floats(1e-3, 1e9),
    beta=st.floats(1.0, 60.0),
)
def test_chernoff_bounds_solve_their_equation(count: float, beta: float) -> None:
    # Written in E/n so that the comparison itself does not cancel.
    def excess(log_ratio: float) -> float:
        return count * (np.expm1(log_ratio) - log_ratio) - beta

    n = np.array(count)
    high = brentq(excess, 0.0, 100.0, xtol=1e-14)
    assert bounds.chernoff_upper(n, beta) == pytest.approx(count * np.exp(high), rel=1e-8)
    span = -(beta / count + 2.0)
    low = brentq(excess, span, 0.0, xtol=1e-14)
    assert bounds.chernoff_lower(n, beta) == pytest.approx(count * np.exp(low), rel=1e-8)


@given(n=st.lists(st.floats(0.0, 1e14), min_size=1, max_size=20), beta=st.floats(1.0, 60.0))
def test_families_nest(n: list[float], beta: float) -> None:
    counts = np.array(n)
    total, b = counts.sum(), np.array(beta)
    exact_low = bounds.lower("chernoff", counts, total, b)
    exact_high = bounds.upper("chernoff", counts, total, b)
    slack = 1e-9 * counts + 1e-9
    assert np.all(exact_low >= np.maximum(bounds.lower("yin", counts, total, b), 0.0) - slack)
    assert np.all(exact_high <= bounds.upper("yin", counts, total, b) + slack)
    assert np.all((exact_low <= counts + slack) & (exact_high >= counts - slack))
    assert np.all(exact_low >= 0.0)
    assert np.all(bounds.upper("asymptotic", counts, total, b) == counts)


def test_yin_is_twice_as_wide_at_zero() -> None:
    assert bounds.upper("yin", np.array(0.0), np.array(0.0), np.array(23.77)) == 47.54


def test_series_and_newton_meet() -> None:
    # Where the solver changes its method the bound must not jump.
    edge = 2.0 / bounds._SERIES_BELOW**2
    n = 23.77 * edge * np.array([1.0 - 1e-9, 1.0 + 1e-9])
    for solve in (bounds.chernoff_lower, bounds.chernoff_upper):
        shift = (solve(n, 23.77) - n) / np.sqrt(n)
        assert shift[0] == pytest.approx(shift[1], rel=1e-8)
