"""What must hold for every link: monotone, bounded, whole bits, never a surprise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkd

TWO = qkd.DecoyProtocol(
    intensities=(0.7, 0.12, 0.0),
    probabilities=(0.7, 0.2, 0.1),
    pulse_rate_hz=1e8,
    key_basis_alice=0.8,
    key_basis_bob=0.8,
)
WEAK = replace(TWO, intensities=(0.7, 0.12, 0.01))
ONE = replace(TWO, intensities=(0.6, 0.15), probabilities=(0.75, 0.25))
PROTOCOLS = st.sampled_from([TWO, WEAK, ONE, replace(TWO, key_intensities="signal")])
BOUNDS = st.sampled_from(["chernoff", "yin", "hoeffding"])
LOSS_DB = st.floats(0.0, 60.0)
NOISE = st.floats(1e-9, 1e-2)
SECONDS = st.floats(0.1, 1e5)


def bits(
    loss_db: float,
    noise: float,
    seconds: float,
    protocol: qkd.DecoyProtocol,
    bound: str,
    security: qkd.Security = qkd.Security(),  # noqa: B008 - frozen, no state
    phase: str = "exact",
) -> qkd.KeyLength:
    counts = qkd.expected_counts(
        10.0 ** (-loss_db / 10.0),
        protocol,
        background_per_gate=noise,
        misalignment=0.01,
        sample_s=seconds,
    )
    key = qkd.secret_key(
        counts,
        protocol,
        security,
        bound=bound,
        decoys=len(protocol.intensities) - 1,
        phase=phase,
    )
    assert isinstance(key.length_bits, int)
    assert np.isfinite(key.signed_length)
    assert key.length_bits == max(int(np.floor(key.signed_length)), 0)
    return key


def grain(key: qkd.KeyLength) -> float:
    """Return the bits that one error more or less in the check sample is worth.

    Photons and errors are whole: the bound rounds them against the key, so that a link that
    is worse by less than one error may round to the better side.
    """
    if key.phase_error >= 0.5 or key.check_single_photons < 1.0:
        return 0.0
    per_error = 2.0 + key.single_photon_bits / key.check_single_photons
    return float(per_error * np.log2((1.0 - key.phase_error) / key.phase_error))


def no_less(more: qkd.KeyLength, less: qkd.KeyLength, *, times: int = 1) -> bool:
    """Compare keys up to whole errors and the rounding of a sum of a billion counts."""
    bits = times * less.length_bits
    rounding = grain(more) + times * grain(less)
    return more.length_bits >= bits - 1 - 1e-9 * bits - rounding


@given(loss=LOSS_DB, extra=LOSS_DB, noise=NOISE, time=SECONDS, protocol=PROTOCOLS, bound=BOUNDS)
def test_more_loss_never_helps(
    loss: float, extra: float, noise: float, time: float, protocol: qkd.DecoyProtocol, bound: str
) -> None:
    assert no_less(
        bits(loss, noise, time, protocol, bound), bits(loss + extra, noise, time, protocol, bound)
    )


@given(
    loss=LOSS_DB,
    noise=NOISE,
    factor=st.floats(1.0, 100.0),
    time=SECONDS,
    protocol=PROTOCOLS,
    bound=BOUNDS,
)
def test_more_noise_never_helps(
    loss: float, noise: float, factor: float, time: float, protocol: qkd.DecoyProtocol, bound: str
) -> None:
    worse = min(noise * factor, 1.0)
    assert no_less(
        bits(loss, noise, time, protocol, bound), bits(loss, worse, time, protocol, bound)
    )


@given(
    loss=LOSS_DB,
    noise=NOISE,
    time=SECONDS,
    protocol=PROTOCOLS,
    bound=BOUNDS,
    exponents=st.tuples(st.floats(-20.0, -3.0), st.floats(-20.0, -3.0)),
    phase=st.sampled_from(["exact", "lim-parity", "yin-parity"]),
)
def test_a_stricter_promise_never_gives_more(
    loss: float,
    noise: float,
    time: float,
    protocol: qkd.DecoyProtocol,
    bound: str,
    exponents: tuple[float, float],
    phase: str,
) -> None:
    strict, lax = (qkd.Security(secrecy=10.0**e) for e in sorted(exponents))
    assert no_less(
        bits(loss, noise, time, protocol, bound, lax, phase),
        bits(loss, noise, time, protocol, bound, strict, phase),
    )


@given(
    loss=LOSS_DB,
    noise=NOISE,
    time=st.floats(0.1, 1e3),
    passes=st.integers(2, 20),
    protocol=PROTOCOLS,
    bound=BOUNDS,
)
def test_accumulating_identical_passes_never_hurts(
    loss: float, noise: float, time: float, passes: int, protocol: qkd.DecoyProtocol, bound: str
) -> None:
    single = bits(loss, noise, time, protocol, bound)
    together = bits(loss, noise, time * passes, protocol, bound)
    assert no_less(together, single, times=passes)


@given(
    losses=st.lists(st.floats(10.0, 55.0), min_size=1, max_size=8),
    noises=st.lists(st.floats(1e-8, 1e-4), min_size=8, max_size=8),
    bound=BOUNDS,
)
def test_the_best_subset_is_never_below_the_best_pass(
    losses: list[float], noises: list[float], bound: str
) -> None:
    counts = qkd.expected_counts(
        10.0 ** (-np.array(losses) / 10.0),
        TWO,
        background_per_gate=np.array(noises[: len(losses)]),
        misalignment=0.01,
        sample_s=200.0,
    )
    singles = qkd.secret_key(counts, TWO, qkd.Security(), bound=bound)

    block = qkd.best_subset(counts, TWO, qkd.Security(), bound=bound)

    assert block.secret_bits >= singles.length_bits.max()
    assert block.signed_length >= singles.signed_length.max() - 1e-6
    assert 1 <= len(block.passes) <= len(losses)


@given(
    losses=st.lists(LOSS_DB, min_size=1, max_size=6),
    noise=NOISE,
    protocol=PROTOCOLS,
    bound=st.sampled_from(["chernoff", "yin", "hoeffding", "asymptotic"]),
    phase=st.sampled_from(["exact", "lim-parity", "yin-parity"]),
)
def test_many_blocks_at_once_equal_one_by_one(
    losses: list[float], noise: float, protocol: qkd.DecoyProtocol, bound: str, phase: str
) -> None:
    decoys = len(protocol.intensities) - 1

    def key(eta: np.ndarray) -> qkd.KeyLength:
        counts = qkd.expected_counts(
            eta, protocol, background_per_gate=noise, misalignment=0.01, sample_s=100.0
        )
        return qkd.secret_key(
            counts, protocol, qkd.Security(), bound=bound, decoys=decoys, phase=phase
        )

    eta = 10.0 ** (-np.array(losses) / 10.0)
    together = key(eta)
    folded = key(eta.reshape(1, -1, 1))
    assert folded.length_bits.shape == (1, len(losses), 1)
    for i, one in enumerate(eta):
        alone = key(np.array(one))
        assert together.signed_length[i] == pytest.approx(alone.signed_length, rel=1e-9, abs=1e-6)
        assert together.length_bits[i] == pytest.approx(alone.length_bits, abs=1)
        assert folded.signed_length[0, i, 0] == together.signed_length[i]


@given(
    clicks=st.lists(st.floats(0.0, 1e12), min_size=6, max_size=6),
    shares=st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6),
    bound=st.sampled_from(["chernoff", "yin", "hoeffding", "asymptotic"]),
    phase=st.sampled_from(["exact", "lim-parity", "yin-parity"]),
    leak=st.sampled_from([qkd.BlockLeak(), qkd.FiniteLeak(), qkd.FiniteLeak(smooth=True)]),
)
def test_any_counts_give_whole_bits_and_no_surprise(
    clicks: list[float], shares: list[float], bound: str, phase: str, leak: qkd.LeakModel
) -> None:
    n = np.array(clicks).reshape(2, 3)
    m = n * np.array(shares).reshape(2, 3)
    counts = qkd.Counts(key_clicks=n[0], key_errors=m[0], check_clicks=n[1], check_errors=m[1])
    for protocol in (TWO, WEAK):
        key = qkd.secret_key(counts, protocol, qkd.Security(), bound=bound, phase=phase, leak=leak)
        assert isinstance(key.length_bits, int)
        assert key.length_bits >= 0
        assert np.isfinite(key.signed_length)
        assert 0.0 <= key.phase_error <= 0.5
        assert key.length_bits <= n[0].sum()


@pytest.mark.parametrize("bound", ["chernoff", "yin", "hoeffding", "asymptotic"])
@pytest.mark.parametrize("protocol", [TWO, WEAK, ONE])
def test_zero_counts_give_zero_key(bound: str, protocol: qkd.DecoyProtocol) -> None:
    zero = np.zeros(len(protocol.intensities))
    counts = qkd.Counts(key_clicks=zero, key_errors=zero, check_clicks=zero, check_errors=zero)
    key = qkd.secret_key(
        counts, protocol, qkd.Security(), bound=bound, decoys=len(protocol.intensities) - 1
    )
    assert key.length_bits == 0
    assert key.phase_error == 0.5
    assert np.isfinite(key.signed_length)


@pytest.mark.parametrize(
    ("transmittance", "noise"), [(0.0, 0.0), (0.0, 1e-6), (1e-3, 1.0), (2.5, 1e-6), (1.0, 0.99)]
)
def test_no_light_daylight_and_near_field_give_zero_key(transmittance: float, noise: float) -> None:
    counts = qkd.expected_counts(
        np.full(100, transmittance), TWO, background_per_gate=noise, misalignment=0.01
    )
    key = qkd.secret_key(counts.total(), TWO, qkd.Security())
    assert key.length_bits == 0
    assert np.isfinite(key.signed_length)


def test_a_pass_without_samples_gives_zero_key() -> None:
    class Nothing:
        offset_s = np.zeros(0)
        elevation_deg = np.zeros(0)
        range_km = np.zeros(0)

    found = qkd.pass_yield(Nothing(), qkd.satellite_preset("micius-2016"), "xinglong")
    assert (found.secret_bits, found.detections) == (0, 0.0)
    assert np.isnan(found.qber)


def test_no_samples_give_zero_key() -> None:
    counts = qkd.expected_counts(
        np.zeros(0), TWO, background_per_gate=np.zeros(0), misalignment=0.01
    )
    assert qkd.secret_key(counts.total(), TWO, qkd.Security()).length_bits == 0


def test_an_errorless_check_proves_no_zero_phase_error() -> None:
    n = np.array([1e6, 1e5, 0.0])
    counts = qkd.Counts(
        key_clicks=n, key_errors=np.zeros(3), check_clicks=n / 10, check_errors=np.zeros(3)
    )
    for bound in ("chernoff", "yin", "hoeffding"):
        for phase in ("exact", "lim-parity", "yin-parity"):
            key = qkd.secret_key(counts, TWO, qkd.Security(), bound=bound, phase=phase)
            # At least one error is supposed, and a deviation on top of it.
            assert key.phase_error > 1.0 / key.check_single_photons
            assert key.length_bits <= n.sum()
