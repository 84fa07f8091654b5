"""Key lengths against the photon numbers that made the counts, which only a test knows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import gammaln

import qkd
from qkd.finite_key.leak import binary_entropy

Array = NDArray[np.float64]
PHOTONS = np.arange(0, 40)


@dataclass(frozen=True)
class Truth:
    """Counts as the sender's photon numbers made them, and what the key then really holds."""

    counts: qkd.Counts
    vacuum: float  #: clicks of empty pulses among the bits that become key
    single: float  #: clicks of single photons among them
    phase_error: float  #: the single photons' errors, had they been measured in the check basis
    check_single: float
    check_errors: float

    def secret(self) -> float:
        """Return s_0 + s_1 (1 - h(e_1)) of the truth."""
        phi = min(self.phase_error, 0.5)
        return self.vacuum + self.single * float(1.0 - binary_entropy(phi))


def arrivals(mu: Array) -> Array:
    """Return P(n | mu), shape (intensities, photons)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.where(mu[:, None] > 0.0, PHOTONS * np.log(mu[:, None]), 0.0)
    value = np.exp(exponent - mu[:, None] - gammaln(PHOTONS + 1.0))
    return np.where((mu[:, None] == 0.0) & (PHOTONS > 0), 0.0, value)


def attack(rng: Generator) -> tuple[Array, Array]:
    """Return yields and error rates by photon number, from a fair channel to a hostile one."""
    loss = 10.0 ** -rng.uniform(0.3, 5.0)
    noise = 10.0 ** -rng.uniform(3.0, 8.0)
    yields = 1.0 - (1.0 - noise) * (1.0 - loss) ** PHOTONS
    errors = (noise / 2.0 + rng.uniform(0.0, 0.05) * (yields - noise)) / yields
    if rng.random() < 0.5:
        # Multi-photon pulses pass better than a channel would let them, or are blocked.
        yields = yields * np.where(PHOTONS > 1, rng.uniform(0.0, 3.0), rng.uniform(0.2, 1.0))
        yields[0] = noise
        errors = np.where(PHOTONS > 0, rng.uniform(0.0, 0.12, PHOTONS.size), 0.5)
    return np.minimum(yields, 1.0), errors


def settings(rng: Generator, *, decoys: int = 2) -> qkd.DecoyProtocol:
    first = rng.uniform(0.3, 0.9)
    second = rng.uniform(0.05, 0.45) * first
    third = second * rng.choice([0.0, 0.0, rng.uniform(0.0, 0.3)])
    p = rng.dirichlet([4.0, 2.0, 2.0][: decoys + 1]) * 0.97 + 0.03 / (decoys + 1)
    return qkd.DecoyProtocol(
        intensities=(first, second, third)[: decoys + 1],
        probabilities=tuple(p / p.sum()),
        pulse_rate_hz=1e8,
        key_basis_alice=rng.uniform(0.1, 0.95),
        key_basis_bob=rng.uniform(0.1, 0.95),
        key_intensities=rng.choice(["all", "signal"]),
    )


def expected(
    protocol: qkd.DecoyProtocol,
    channel: tuple[Array, Array],
    pulses: float,
    *,
    intensities: tuple[float, ...] | None = None,
) -> Truth:
    """Return the mean counts; `intensities` are the true ones, if not the protocol's."""
    yields, errors = channel
    mu = np.array(protocol.intensities if intensities is None else intensities)
    sent = arrivals(mu) * np.array(protocol.probabilities)[:, None] * pulses
    key = protocol.key_basis_alice * protocol.key_basis_bob
    check = (1.0 - protocol.key_basis_alice) * (1.0 - protocol.key_basis_bob)
    clicks = sent * yields
    wrong = clicks * errors
    used = 1 if protocol.key_intensities == "signal" else len(mu)
    return Truth(
        counts=qkd.Counts(
            key_clicks=key * clicks.sum(axis=-1),
            key_errors=key * wrong.sum(axis=-1),
            check_clicks=check * clicks.sum(axis=-1),
            check_errors=check * wrong.sum(axis=-1),
        ),
        vacuum=key * clicks[:used, 0].sum(),
        single=key * clicks[:used, 1].sum(),
        phase_error=errors[1],
        check_single=check * clicks[:, 1].sum(),
        check_errors=check * wrong[:, 1].sum(),
    )


def drawn(
    protocol: qkd.DecoyProtocol, channel: tuple[Array, Array], pulses: float, rng: Generator
) -> Truth:
    """Return one outcome: every pulse's photon number, intensity, bases and errors drawn.

    Poisson numbers by intensity, photon number and basis are those of independent pulses;
    the phase errors of the key's single photons are drawn as they would have been.
    """
    yields, errors = channel
    mu = np.array(protocol.intensities)
    sent = arrivals(mu) * np.array(protocol.probabilities)[:, None] * pulses * yields
    key, check = (
        rng.poisson(sent * share)
        for share in (
            protocol.key_basis_alice * protocol.key_basis_bob,
            (1.0 - protocol.key_basis_alice) * (1.0 - protocol.key_basis_bob),
        )
    )
    key_wrong, phase_wrong, check_wrong = (rng.binomial(n, errors) for n in (key, key, check))
    used = 1 if protocol.key_intensities == "signal" else len(mu)
    single = int(key[:used, 1].sum())
    return Truth(
        counts=qkd.Counts(
            key_clicks=key.sum(axis=-1),
            key_errors=key_wrong.sum(axis=-1),
            check_clicks=check.sum(axis=-1),
            check_errors=check_wrong.sum(axis=-1),
        ),
        vacuum=float(key[:used, 0].sum()),
        single=float(single),
        phase_error=float(phase_wrong[:used, 1].sum()) / max(single, 1),
        check_single=float(check[:, 1].sum()),
        check_errors=float(check_wrong[:, 1].sum()),
    )


def check_truth(found: qkd.KeyLength, truth: Truth) -> None:
    """Assert that no bound claims more than the truth holds, and the key least of all."""
    slack = 1.0 + 1e-9
    assert found.vacuum_bits <= truth.vacuum * slack + 1e-6
    assert found.single_photon_bits <= truth.single * slack + 1e-6
    assert found.check_single_photons <= truth.check_single * slack + 1e-6
    # The bound is no less than one error, and no more than those there were.
    total = truth.counts.check_errors.sum()
    assert found.check_phase_errors >= min(truth.check_errors, total) * (1.0 - 1e-9) - 1e-6
    if found.single_photon_bits > 0.0 and found.check_single_photons > 0.0:
        assert found.phase_error >= min(truth.phase_error, 0.5) - 1e-9
    assert found.signed_length <= truth.secret() - found.leak_bits + 1e-6


@pytest.mark.parametrize("bound", ["chernoff", "hoeffding", "yin"])
@pytest.mark.parametrize("decoys", [2, 1])
def test_no_block_claims_more_than_its_photons_hold(
    bound: str, decoys: int, size: Callable[[int, int], int]
) -> None:
    rng = np.random.default_rng(11)
    positive = 0
    for _ in range(size(150, 3400)):
        protocol = settings(rng, decoys=decoys)
        channel = attack(rng)
        if decoys == 1:
            # The method takes it that an empty pulse errs half of the time.
            channel[1][0] = 0.5
        truth = expected(protocol, channel, 10.0 ** rng.uniform(6.0, 13.0))
        found = qkd.secret_key(truth.counts, protocol, qkd.Security(), bound=bound, decoys=decoys)
        check_truth(found, truth)
        positive += found.length_bits > 0
    # The sets are no walk-over: a good share of them gives key.
    assert positive > size(150, 3400) // 20


def test_no_pair_of_unequal_parts_claims_more_than_its_photons_hold(
    size: Callable[[int, int], int],
) -> None:
    rng = np.random.default_rng(12)
    positive = 0
    for _ in range(size(150, 1500)):
        parts, true = [], 0.0
        for _ in range(2):
            protocol = replace(settings(rng), key_intensities="all")
            truth = expected(protocol, attack(rng), 10.0 ** rng.uniform(8.0, 12.0))
            parts.append((truth.counts, protocol))
            true += truth.secret()
        found = qkd.mixed_block_key(parts, qkd.Security())
        assert found.signed_length <= true - found.leak_bits + 1e-6
        positive += found.length_bits > 0
    assert positive > size(150, 1500) // 20


def test_a_clean_check_vouches_for_no_other_parts_key() -> None:
    # Key from a part whose phases an eavesdropper read, check from one she left alone: every
    # single photon of the pooled rate came from the second.
    base = qkd.DecoyProtocol(
        intensities=(0.6, 0.15, 0.0),
        probabilities=(0.6, 0.25, 0.15),
        pulse_rate_hz=1e8,
        key_basis_alice=0.97,
        key_basis_bob=0.97,
    )
    other = replace(base, key_basis_alice=0.1, key_basis_bob=0.1)
    yields = 1.0 - (1.0 - 1e-6) * (1.0 - 1e-3) ** PHOTONS
    read, clean = (np.where(PHOTONS > 0, e, 0.5) for e in (0.45, 0.002))
    truths = [expected(base, (yields, read), 2e11), expected(other, (yields, clean), 2e11)]
    # In the key basis she made few errors.
    quiet = replace(truths[0].counts, key_errors=truths[0].counts.key_clicks * 0.005)
    parts = [(quiet, base), (truths[1].counts, other)]
    found = qkd.mixed_block_key(parts, qkd.Security())
    true = sum(truth.secret() for truth in truths) - found.leak_bits
    # Pooled, the two claimed 35,654,182 bits.
    assert true < 0.0
    assert found.signed_length < true
    assert found.length_bits == 0


def test_intensities_off_by_their_uncertainty_are_covered(size: Callable[[int, int], int]) -> None:
    rng = np.random.default_rng(13)
    uncovered = 0
    for _ in range(size(120, 1500)):
        wrong = rng.uniform(0.01, 0.05)
        protocol = settings(rng)
        mu = np.array(protocol.intensities)
        if mu[0] * (1.0 - wrong) <= mu[1:].sum() * (1.0 + wrong):
            continue
        true_mu = mu * (1.0 + wrong * rng.choice([-1.0, 1.0, rng.uniform(-1.0, 1.0)], 3))
        truth = expected(
            protocol, attack(rng), 10.0 ** rng.uniform(9.0, 13.0), intensities=tuple(true_mu)
        )
        covered = replace(protocol, intensity_uncertainty=wrong)
        found = qkd.secret_key(truth.counts, covered, qkd.Security())
        assert found.signed_length <= truth.secret() - found.leak_bits + 1e-6
        plain = qkd.secret_key(truth.counts, protocol, qkd.Security())
        assert found.signed_length <= plain.signed_length + 1e-6
        uncovered += plain.signed_length > truth.secret() - plain.leak_bits
    assert uncovered > 0


def test_a_drawn_block_fails_no_more_often_than_its_epsilon(
    size: Callable[[int, int], int],
) -> None:
    # An epsilon large enough to be seen: 21 or 23 bounds of 2e-3 or so each.
    secrecy, trials, failures = 0.05, size(300, 6000), 0
    rng = np.random.default_rng(14)
    security = qkd.Security(secrecy=secrecy, correctness=1e-3)
    for trial in range(trials):
        if trial % 20 == 0:
            protocol, channel = settings(rng), attack(rng)
            pulses = 10.0 ** rng.uniform(5.0, 10.0)
        truth = drawn(protocol, channel, pulses, rng)
        found = qkd.secret_key(truth.counts, protocol, security)
        held = truth.vacuum, truth.single, truth.check_single
        claimed = found.vacuum_bits, found.single_photon_bits, found.check_single_photons
        failed = any(c > h + 1e-9 for c, h in zip(claimed, held, strict=True))
        failed |= found.check_phase_errors < truth.check_errors - 1e-9
        failed |= found.single_photon_bits > 0.0 and found.phase_error < min(
            truth.phase_error, 0.5
        ) - 1.0 / max(truth.single, 1.0)
        failures += failed
    assert failures <= secrecy * trials


@pytest.mark.parametrize("keys", ["all", "signal"])
def test_a_longer_block_is_worth_more(keys: str) -> None:
    rng = np.random.default_rng(15)
    for _ in range(60):
        protocol, channel = replace(settings(rng), key_intensities=keys), attack(rng)
        truth = expected(protocol, channel, 1e6)
        sizes = 10.0 ** np.linspace(0.0, 7.0, 40)
        found = qkd.secret_key(truth.counts.scaled(sizes), protocol, qkd.Security())
        per_pulse = found.signed_length / sizes
        longest = int(np.argmax(found.length_bits > 0)) if np.any(found.length_bits > 0) else 40
        assert np.all(np.diff(found.length_bits[longest:]) > 0)
        assert np.all(np.diff(per_pulse[longest:]) > 0.0)


def test_where_nothing_is_proven_there_is_no_key() -> None:
    rng = np.random.default_rng(16)
    protocol, channel = settings(rng), (1.0 - 0.999**PHOTONS, np.full(PHOTONS.size, 0.01))
    good = expected(replace(protocol, key_intensities="all"), channel, 1e11).counts
    zero = np.zeros(3)
    for counts in (
        replace(good, check_clicks=zero, check_errors=zero),  # nothing checked
        replace(good, check_errors=good.check_clicks / 2.0),  # half of the check is wrong
        replace(good, check_errors=good.check_clicks),  # all of it
        replace(good, key_errors=good.key_clicks * 0.12),  # the leak takes it
        replace(good, key_clicks=zero, key_errors=zero),  # nothing to make key of
        good.scaled(1e-6),  # too short for any bound
    ):
        assert qkd.secret_key(counts, protocol, qkd.Security()).length_bits == 0
    assert qkd.secret_key(good, protocol, qkd.Security()).length_bits > 0
