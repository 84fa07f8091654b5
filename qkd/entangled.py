"""Coincidences of photon pairs that a source in orbit sends down to two stations at once."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray
from qkd.decoy import Counts, DecoyProtocol, live_fraction
from qkd.hardware import Detector


@dataclass(frozen=True, slots=True, kw_only=True)
class PairProtocol:
    """BBM92: a continuously pumped source of entangled pairs, of which each station gets one half.

    pair_rate_hz are the pairs a second at the two sending apertures; key_basis_* the
    probabilities of the KEY basis at the two stations (0.5 for a passive splitter).
    misalignment is the QBER of the source's true pairs alone, before the receivers' own.
    both_bases: each basis serves as key of one block and as check of the other's.
    """

    pair_rate_hz: float
    key_basis_alice: float = 0.5
    key_basis_bob: float = 0.5
    misalignment: float = 0.0
    both_bases: bool = True

    def __post_init__(self) -> None:
        checks.number("pair_rate_hz", self.pair_rate_hz, 0.0, 1e15, unit="Hz", above=True)
        checks.number("key_basis_alice", self.key_basis_alice, 0.0, 1.0)
        checks.number("key_basis_bob", self.key_basis_bob, 0.0, 1.0)
        checks.number("misalignment", self.misalignment, 0.0, 0.5)
        checks.flag("both_bases", self.both_bases)

    @property
    def matching_bases(self) -> float:
        """Probability that both stations chose the same basis."""
        a, b = self.key_basis_alice, self.key_basis_bob
        return a * b + (1.0 - a) * (1.0 - b)


LinkProtocol = DecoyProtocol | PairProtocol
"""How key is made: of one sender's weak pulses, or of an entangled source's pairs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """One of the two ways down: what arrives, what disturbs it, and what it is detected with.

    transmittance is that from the sending aperture to a click, without the window;
    noise_hz are the clicks of all detectors that no photon of the source made.
    """

    transmittance: FloatArray
    noise_hz: FloatArray
    misalignment: float
    detector: Detector

    def clicks_hz(self, pair_rate_hz: float) -> FloatArray:
        """Return the clicks a second of detectors without dead time, after-pulses included."""
        clicks = pair_rate_hz * self.transmittance + self.noise_hz
        return np.asarray(clicks * (1.0 + self.detector.after_pulse))

    def live(self, clicks_hz: FloatArray) -> FloatArray:
        """Return the share of time in which the detectors are ready."""
        return live_fraction(
            clicks_hz,
            pulse_rate_hz=1.0,
            dead_time_ns=self.detector.dead_time_ns,
            share=self.detector.dead_time_share,
        )


def coincidence_rates(
    arms: tuple[Arm, Arm], protocol: PairProtocol
) -> tuple[FloatArray, FloatArray]:
    """Return the coincidences a second of both stations, and the wrong ones among them.

        S = B eta + noise;  true = B eta_A eta_B w;  accidental = S_A S_B t
        C = true + accidental;  wrong = e true + accidental / 2

    with the window t, the narrower of the two gates, and w the share of true pairs inside it.
    True pairs are those of one emission: what several emissions in one window make is among
    the accidental ones, which are wrong half the time.

    Source: Neumann et al., Phys. Rev. A 104, 022406 (2021), equations 3 and 13 to 16, by two
    public programs that give their numbers (the paper itself was not at hand). Derived here:
    the share of time in which detectors are ready, and 1 - 2 e as the product of the three
    contrasts, of independent turns of the polarisation.
    """
    one, other = arms
    pairs = protocol.pair_rate_hz
    window_ns = min(one.detector.gate_ns, other.detector.gate_ns)
    inside = _share_inside(window_ns, math.hypot(one.detector.timing_ps, other.detector.timing_ps))
    clicks = [arm.clicks_hz(pairs) for arm in arms]
    # Both stations must be ready at once: one factor for true and accidental coincidences.
    live = one.live(clicks[0]) * other.live(clicks[1])
    true = pairs * one.transmittance * other.transmittance * inside * live
    accidental = clicks[0] * clicks[1] * window_ns * 1e-9 * live
    contrast = math.prod(1.0 - 2.0 * e for e in (
        protocol.misalignment, one.misalignment, other.misalignment
    ))  # fmt: skip
    wrong = 0.5 * (1.0 - contrast) * true + 0.5 * accidental
    return np.asarray(true + accidental), np.asarray(wrong)


def _share_inside(window_ns: float, timing_ps: float) -> float:
    """The share of true pairs whose clicks lie within the window: erf(t / (2 sqrt(2) sigma)).

    Equation 13 of Neumann et al., erf(sqrt(ln 2) t / FWHM), of the standard deviation.
    """
    if timing_ps == 0.0:
        return 1.0
    return math.erf(window_ns / (2.0 * math.sqrt(2.0) * timing_ps * 1e-3))


def pair_counts(
    arms: tuple[Arm, Arm], protocol: PairProtocol, *, sample_s: ArrayLike = 1.0
) -> Counts:
    """Return the expected sifted coincidences of every sample, shape (..., 1).

    Noise is split between the bases as the light is. `sample_s` are the seconds that each
    sample stands for.
    """
    rate, wrong = coincidence_rates(arms, protocol)
    rate, wrong, seconds = checks.broadcast(
        rate=rate, wrong=wrong, sample_s=checks.array("sample_s", sample_s, 0.0, 1e12, unit="s")
    )
    a, b = protocol.key_basis_alice, protocol.key_basis_bob
    counts = {}
    for basis, share in (("key", a * b), ("check", (1.0 - a) * (1.0 - b))):
        counts[f"{basis}_clicks"] = (share * rate * seconds)[..., None]
        counts[f"{basis}_errors"] = (share * wrong * seconds)[..., None]
    return Counts(**counts)
