"""What error correction reveals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkd
from qkd.finite_key.leak import binary_entropy, finite_leak_bits

# n, leak with natural logarithms as SatQuMA takes them, leak in bits; Q = 1 %, eps 1e-15.
FINITE = [(1e4, 1173.0, 1335.0), (1e5, 9229.0, 9738.0), (1e6, 84423.0, 86030.0)]


@pytest.mark.parametrize(("n", "natural", "binary"), FINITE)
def test_finite_leak(n: float, natural: float, binary: float) -> None:
    assert finite_leak_bits(n, 0.01, correctness=1e-15, natural_logs=True) == pytest.approx(
        natural, abs=0.5
    )
    assert finite_leak_bits(n, 0.01, correctness=1e-15) == pytest.approx(binary, abs=0.5)
    # The smooth quantile is within one step of the binomial one.
    smooth = finite_leak_bits(n, 0.01, correctness=1e-15, smooth=True)
    assert smooth == pytest.approx(binary, abs=1.5 * np.log2(99.0))


def test_the_larger_of_block_and_finite_is_taken() -> None:
    leak = qkd.FiniteLeak()
    n = np.array([1e4, 1e5, 1e6, 1e7])
    block = 1.16 * n * binary_entropy(0.01)
    found = leak.bits(n, 0.01 * n, correctness=1e-15)
    np.testing.assert_array_less(block[:2], found[:2])
    np.testing.assert_allclose(found[2:], block[2:])


def test_no_errors_leak_nothing() -> None:
    for leak in (qkd.BlockLeak(), qkd.FiniteLeak(), qkd.NoLeak(), qkd.ErrorCountLeak()):
        assert np.all(leak.bits(np.array([0.0, 1e5]), np.zeros(2), correctness=1e-15) == 0.0)
    measured = qkd.MeasuredLeak(revealed_bits=42.0)
    assert measured.bits(np.array([1e5]), np.array([1e3]), correctness=1e-15) == 42.0


@given(n=st.floats(0.0, 1e14), share=st.floats(0.0, 1.0), smooth=st.booleans())
def test_the_finite_leak_is_always_a_number(n: float, share: float, smooth: bool) -> None:
    leak = qkd.FiniteLeak(smooth=smooth)
    found = leak.bits(np.array(n), np.array(n * share), correctness=1e-15)
    assert np.isfinite(found)
    assert found >= 0.0


def test_entropy_ends_at_zero() -> None:
    np.testing.assert_allclose(binary_entropy([0.0, 0.5, 1.0]), [0.0, 1.0, 0.0])


@given(x=st.floats(0.0, 1.0))
def test_entropy_is_symmetric_and_bounded(x: float) -> None:
    assert 0.0 <= binary_entropy(x) <= 1.0
    assert binary_entropy(x) == pytest.approx(float(binary_entropy(1.0 - x)), abs=1e-12)
