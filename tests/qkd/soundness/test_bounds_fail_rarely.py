"""Every single bound fails no more often than the epsilon it was given."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from qkd.finite_key import bounds
from qkd.finite_key.hypergeometric import errors_most

EPSILONS = (1e-2, 1e-3, 1e-4)


def rare_enough(failures: int, trials: int, epsilon: float) -> bool:
    """Whether so many failures are no evidence, at one in a million, of more than epsilon."""
    return failures <= binom.ppf(1.0 - 1e-6, trials, epsilon)


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("family", ["chernoff", "yin", "hoeffding"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("clicks", [30, 3_000, 1_000_000])
def test_a_count_is_within_its_bounds(
    family: str, epsilon: float, share: float, clicks: int, size: Callable[[int, int], int]
) -> None:
    # Clicks of given photon number, each of an intensity with its own probability.
    trials = size(20_000, 1_000_000)
    n = np.random.default_rng(21).binomial(clicks, share, trials).astype(np.float64)
    total, beta = np.full_like(n, clicks), np.array(np.log(1.0 / epsilon))
    low = bounds.lower(family, n, total, beta)
    high = bounds.upper(family, n, total, beta)
    mean = clicks * share
    assert rare_enough(int((low > mean * (1.0 + 1e-12)).sum()), trials, epsilon)
    assert rare_enough(int((high < mean * (1.0 - 1e-12)).sum()), trials, epsilon)


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.85])
@pytest.mark.parametrize("photons", [100, 10_000, 10_000_000])
def test_the_signals_share_of_photons_is_no_less(
    epsilon: float, share: float, photons: int, size: Callable[[int, int], int]
) -> None:
    trials = size(20_000, 1_000_000)
    held = np.random.default_rng(22).binomial(photons, share, trials)
    claimed = float(
        bounds.binomial_lower(np.array(float(photons)), np.array(share), -np.log(epsilon))
    )
    assert rare_enough(int((held < claimed).sum()), trials, epsilon)
    # Taken in proportion, without a deviation, it is wrong about every other time.
    assert (held < photons * share).mean() > 0.35


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("errors", [3, 30, 400, 9_000])
@pytest.mark.parametrize(("check", "key"), [(500, 500), (2_000, 20_000), (20_000, 2_000)])
def test_the_key_sample_has_no_more_errors(
    epsilon: float, errors: int, check: int, key: int, size: Callable[[int, int], int]
) -> None:
    whole = check + key
    errors = min(errors, whole)
    trials = size(20_000, 1_000_000)
    rng = np.random.default_rng(23)
    seen = rng.hypergeometric(errors, whole - errors, check, trials)
    values, counts = np.unique(seen, return_counts=True)
    most = errors_most(
        values.astype(np.float64),
        np.full(values.size, float(check)),
        np.full(values.size, float(key)),
        epsilon=epsilon,
    )
    failures = int(counts[errors - values > most].sum())
    assert rare_enough(failures, trials, epsilon)


def test_a_binomial_bound_holds_to_the_last_draw() -> None:
    # Exactly, by the distribution function: the whole number below the bound is that rare.
    for epsilon in (1e-3, 1e-9, 1e-12):
        for n in (50, 1_000, 10**6):
            for share in (0.01, 0.3, 0.5, 0.97):
                low = float(
                    bounds.binomial_lower(np.array(float(n)), np.array(share), -np.log(epsilon))
                )
                assert 0.0 <= low <= n * share
                assert binom.cdf(np.ceil(low) - 1.0, n, share) <= epsilon
