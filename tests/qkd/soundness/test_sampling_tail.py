"""The bound of the phase error against the exact hypergeometric tail, to 45 digits."""

import random
from collections.abc import Callable
from decimal import Decimal, getcontext
from fractions import Fraction
from functools import lru_cache
from math import comb

import numpy as np
import pytest

from qkd.finite_key.hypergeometric import errors_about, errors_most
from qkd.finite_key.sampling import gamma_lim, phase_error_rate

getcontext().prec = 45
EPSILONS = (1e-2, 1e-4, 1e-9 / 21, 1e-20)
TWO_PI = Decimal("6.28318530717958647692528676655900576839433879875")
# Bernoulli numbers B_2, B_4, ...
BERNOULLI = [
    Decimal(p) / q
    for p, q in ((1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510))
]


def exact_by_counting(v: int, c: int, d: int, epsilon: float) -> int:
    """Return the largest E by bisection on binomial coefficients."""
    limit = Fraction(epsilon) * comb(c + d, c)

    def possible(e: int) -> bool:
        tail = sum(comb(v + e, j) * comb(c + d - v - e, c - j) for j in range(v + 1))
        return tail > limit

    low, high = 0, d + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if possible(middle) else (low, middle)
    return low


@lru_cache(maxsize=100_000)
def log_factorial(n: int) -> Decimal:
    """Return ln n! to 40 digits, by Stirling's series from 80 on."""
    x, product = Decimal(n + 1), Decimal(1)
    while x < 80:
        product *= x
        x += 1
    value = (x - Decimal("0.5")) * x.ln() - x + TWO_PI.ln() / 2
    for k, b in enumerate(BERNOULLI, start=1):
        value += b / (2 * k * (2 * k - 1) * x ** (2 * k - 1))
    return value - product.ln()


def log_tail(v: int, c: int, d: int, e: int) -> Decimal:
    """Return ln P[X <= v] to some 30 digits."""
    plain = c + d - v - e
    first = (
        log_factorial(v + e) - log_factorial(v) - log_factorial(e)
        + log_factorial(plain) - log_factorial(c - v) - log_factorial(d - e)
        - log_factorial(c + d) + log_factorial(c) + log_factorial(d)
    )  # fmt: skip
    term = total = Decimal(1)
    i = 0
    while v > i and d - e > i and term > total * Decimal("1e-35"):
        term *= Decimal((v - i) * (d - e - i)) / ((e + 1 + i) * (c - v + 1 + i))
        total += term
        i += 1
    return first + total.ln()


def triples(rng: random.Random, count: int, top: float) -> list[tuple[int, int, int]]:
    found = []
    for _ in range(count):
        c, d = (max(1, int(10 ** rng.uniform(0.0, top))) for _ in range(2))
        share = rng.choice([rng.random() ** 4, 0.3 * rng.random(), 10 ** -rng.uniform(0.0, top)])
        found.append((min(c - 1, int(c * share)), c, d))
    return found


def bound(cases: list[tuple[int, int, int]], epsilon: float) -> list[int]:
    v, c, d = np.array(cases, dtype=np.float64).T
    return [int(e) for e in errors_most(v, c, d, epsilon=epsilon)]


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_bound_is_the_exact_whole_number(
    epsilon: float, size: Callable[[int, int], int]
) -> None:
    rng = random.Random(1)
    cases = triples(rng, size(150, 3000), 2.8)
    for (v, c, d), found in zip(cases, bound(cases, epsilon), strict=True):
        exact = exact_by_counting(v, c, d, epsilon)
        # A tail of just epsilon (C(3, 2) / C(25, 2) is 1/100) counts against the key.
        tied = found == exact + 1 and abs(log_tail(v, c, d, found) - Decimal(epsilon).ln()) < 2e-10
        assert found == exact or tied, (v, c, d)


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_bound_is_the_exact_one_up_to_a_hundred_thousand(
    epsilon: float, size: Callable[[int, int], int]
) -> None:
    limit = Decimal(epsilon).ln()
    cases = triples(random.Random(2), size(25, 400), 5.0)
    for (v, c, d), found in zip(cases, bound(cases, epsilon), strict=True):
        assert found == 0 or log_tail(v, c, d, found) > limit, (v, c, d)
        assert found == d or log_tail(v, c, d, found + 1) <= limit, (v, c, d)


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("top", [9.0, 12.0])
def test_beyond_it_is_never_below_and_hardly_above(
    epsilon: float, top: float, size: Callable[[int, int], int]
) -> None:
    limit = Decimal(epsilon).ln()
    cases = [
        # Few enough errors for the 45-digit sum to end.
        (v, c, d)
        for v, c, d in triples(random.Random(3), size(40, 400), top)
        if v < 3_000_000
    ]
    for (v, c, d), found in zip(cases, bound(cases, epsilon), strict=True):
        assert found == d or log_tail(v, c, d, found + 1) <= limit, (v, c, d)
        # At most 1e-4 above the exact one.
        lower = int(found * (1.0 - 1e-4)) - 1
        assert lower <= 0 or log_tail(v, c, d, lower) > limit, (v, c, d)


def test_the_bound_grows_with_errors_and_falls_with_the_check() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        c, d = np.floor(10.0 ** rng.uniform(1.0, 6.0, 2))
        v = np.unique(np.floor(np.linspace(0.0, 0.4 * c, 60)))
        found = errors_most(v, np.full_like(v, c), np.full_like(v, d), epsilon=1e-10)
        assert np.all(np.diff(found) >= 0.0)
        more = errors_most(v, np.full_like(v, 1.5 * c // 1), np.full_like(v, d), epsilon=1e-10)
        assert np.all(more <= found)


def test_the_ends_of_the_range() -> None:
    v = np.array([0.0, 5.0, 7.0, 0.0, 0.0, 3.0])
    c = np.array([0.0, 5.0, 5.0, 5.0, 1e6, 1e6])
    d = np.array([9.0, 9.0, 9.0, 0.0, 1.0, 1e300])
    found = errors_most(v, c, d, epsilon=1e-9)
    assert found[:5].tolist() == [9.0, 9.0, 9.0, 0.0, 1.0]
    assert 0.0 < found[5] <= 1e300
    assert errors_most(np.zeros(0), np.zeros(0), np.zeros(0), epsilon=1e-9).shape == (0,)
    grid = errors_most(np.ones((2, 3)), np.full((2, 3), 1e4), np.full((2, 3), 1e4), epsilon=1e-9)
    assert grid.shape == (2, 3)


def test_the_smooth_form_is_near_the_bound() -> None:
    rng = np.random.default_rng(5)
    c, d = 10.0 ** rng.uniform(3.0, 8.0, (2, 500))
    v = c * 10.0 ** rng.uniform(-2.5, -1.0, 500)
    found = errors_about(v, c, d, epsilon=1e-10, steps=2)
    exact = errors_most(np.ceil(v), np.floor(c), np.ceil(d), epsilon=1e-10)
    told = exact < 0.45 * d
    # Of whole numbers one is rounded to: a few errors of many.
    np.testing.assert_allclose(found[told], exact[told], rtol=0.03, atol=1.0 + 2.0 * (d / c).max())


# Errors seen, sizes of check and key sample, epsilon of one bound 1e-9/21; how many times its
# share the printed approximation fails, by the exact tail.
TOO_OFTEN = [
    (1, 10_000, 100_000, 3e6),
    (3, 10_000, 100_000, 5e4),
    (10, 10_000, 100_000, 160.0),
    (10, 100_000, 100_000, 160.0),
]


@pytest.mark.parametrize(("v", "c", "d", "times"), TOO_OFTEN)
def test_the_approximation_fails_far_more_often_than_it_says(
    v: int, c: int, d: int, times: float
) -> None:
    epsilon = 1e-9 / 21
    samples = (np.array(float(v)), np.array(float(c)), np.array(float(d)))
    excess = gamma_lim(samples[0] / c, check=samples[1], key=samples[2], epsilon=epsilon)
    claimed = int((v / c + float(excess)) * d)
    assert float(log_tail(v, c, d, claimed + 1).exp()) > times * epsilon
    sound = float(phase_error_rate("exact", *samples, epsilon=epsilon))
    assert sound > v / c + float(excess)
    assert log_tail(v, c, d, round(sound * d) + 1) <= Decimal(epsilon).ln()


def test_at_a_million_photons_the_exact_deviation_is_three_quarters_of_the_printed_one() -> None:
    # 0.73 to 0.81 of it by an independent program.
    for size_, rate in ((1e6, 0.01), (1e7, 0.01), (1e8, 0.02), (1e6, 0.03)):
        v, n = np.array(size_ * rate), np.array(size_)
        excess = gamma_lim(np.array(rate), check=n, key=n, epsilon=1e-9 / 21)
        exact = phase_error_rate("exact", v, n, n, epsilon=1e-9 / 21) - rate
        assert 0.73 <= float(exact) / float(excess) <= 0.81
