"""Gains, errors and sifted counts of decoy-state BB84."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import BoolArray, FloatArray, IntArray
from qkd.errors import QkdInputError
from qkd.freespace.budget import LinkBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyProtocol:
    """What the sender does: intensities, how often each is sent, bases, pulse rate.

    Three intensities (two decoys) mu1 > mu2 + mu3, mu2 > mu3 >= 0, or two (one decoy)
    mu1 > mu2 > 0; every probability above 0, their sum 1. key_basis_* are the
    probabilities of the KEY basis X at sender and receiver (0.5 for a passive splitter).
    key_intensities: "all" distils key from every intensity, "signal" from the first only.
    both_bases: each basis serves as key of one block and as check of the other's.
    intensity_uncertainty: every mu_k may be wrong by this share, for the whole block; the key
    is that of the worst corner of the box. It covers no drift from pulse to pulse.
    """

    intensities: tuple[float, ...]
    probabilities: tuple[float, ...]
    pulse_rate_hz: float
    key_basis_alice: float = 0.5
    key_basis_bob: float = 0.5
    key_intensities: str = "all"
    both_bases: bool = False
    intensity_uncertainty: float = 0.0

    def __post_init__(self) -> None:
        mu, p = (
            tuple(float(x) for x in checks.as_floats(name, getattr(self, name)).ravel())
            for name in ("intensities", "probabilities")
        )
        object.__setattr__(self, "intensities", mu)
        object.__setattr__(self, "probabilities", p)
        if len(mu) not in (2, 3) or len(p) != len(mu):
            raise QkdInputError(
                f"intensities, probabilities are {mu}, {p}; allowed two or three of each"
            )
        check_intensities(np.array(mu))
        check_probabilities(np.array(p))
        checks.number("pulse_rate_hz", self.pulse_rate_hz, 0.0, 1e15, unit="Hz", above=True)
        checks.number("key_basis_alice", self.key_basis_alice, 0.0, 1.0)
        checks.number("key_basis_bob", self.key_basis_bob, 0.0, 1.0)
        checks.choice("key_intensities", self.key_intensities, ("all", "signal"))
        checks.flag("both_bases", self.both_bases)
        wrong = checks.number("intensity_uncertainty", self.intensity_uncertainty, 0.0, 0.5)
        # The corner where the method is nearest to its limits: the first low, the others high.
        check_intensities(np.array(mu) * np.array([1.0 - wrong, *([1.0 + wrong] * (len(mu) - 1))]))

    @property
    def matching_bases(self) -> float:
        """Probability that sender and receiver chose the same basis."""
        a, b = self.key_basis_alice, self.key_basis_bob
        return a * b + (1.0 - a) * (1.0 - b)


def check_intensities(mu: FloatArray) -> None:
    """Raise unless the intensities, last axis, are ordered as the decoy method needs them."""
    checks.array("intensities", mu, 0.0, 20.0, unit="photons per pulse")
    low = mu[..., 1] if mu.shape[-1] == 2 else mu[..., 1] + mu[..., 2]
    if not np.all(mu[..., 0] > low):
        raise QkdInputError(
            f"intensities are {mu.tolist()}, allowed mu1 > mu2 + mu3 (two decoys), "
            "mu1 > mu2 (one decoy)"
        )
    last = mu[..., 2] if mu.shape[-1] == 3 else np.zeros_like(low)
    if not np.all(mu[..., 1] > last):
        raise QkdInputError(f"intensities are {mu.tolist()}, allowed mu2 > mu3 >= 0")


def check_probabilities(p: FloatArray) -> None:
    """Raise unless the probabilities, last axis, are positive and sum to one."""
    checks.array("probabilities", p, 0.0, 1.0)
    if not np.all(p > 0.0) or not np.allclose(p.sum(axis=-1), 1.0, rtol=0.0, atol=1e-9):
        raise QkdInputError(f"probabilities are {p.tolist()}, allowed each above 0 and their sum 1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """Sifted clicks and errors by intensity (last axis), in the key and in the check basis.

    Coincidences of an entangled source have no intensities: their last axis is 1. Expected
    counts are floats, observed ones whole numbers. Counts add: a block is any set of samples of
    any passes that share intensities and probabilities exactly.
    """

    key_clicks: FloatArray
    key_errors: FloatArray
    check_clicks: FloatArray
    check_errors: FloatArray

    def __post_init__(self) -> None:
        shapes = set()
        for name in ("key_clicks", "key_errors", "check_clicks", "check_errors"):
            seen = checks.array(name, getattr(self, name), 0.0, 1e18)
            object.__setattr__(self, name, seen)
            shapes.add(seen.shape)
        if len(shapes) != 1 or not next(iter(shapes)) or next(iter(shapes))[-1] not in (1, 2, 3):
            raise QkdInputError(
                f"counts have shapes {sorted(shapes)}, allowed one shape ending in 1, 2 or 3"
            )
        for basis in ("key", "check"):
            clicks, errors = getattr(self, f"{basis}_clicks"), getattr(self, f"{basis}_errors")
            # Sums of expected counts round; more than that is an error beyond the clicks.
            if np.any(errors > clicks * (1.0 + 1e-9) + 1e-9):
                worst = float((errors - clicks).max())
                raise QkdInputError(
                    f"{basis}_errors exceed {basis}_clicks by {worst:g}, allowed 0 or less"
                )

    def _each(self, function: Callable[[FloatArray], FloatArray]) -> "Counts":
        return Counts(
            key_clicks=function(self.key_clicks),
            key_errors=function(self.key_errors),
            check_clicks=function(self.check_clicks),
            check_errors=function(self.check_errors),
        )

    def _rows(self) -> int:
        """Return the axis before the intensities; raise if there is none."""
        if self.key_clicks.ndim < 2:
            raise QkdInputError(
                f"counts have shape {self.key_clicks.shape}, allowed (..., rows, intensities)"
            )
        return int(self.key_clicks.shape[-2])

    def total(self, axis: int = -2) -> "Counts":
        """Return the counts summed over one axis (samples, passes), never the intensities."""
        self._rows()
        most = self.key_clicks.ndim - 2
        along = checks.whole("axis", axis, -most - 2, most)
        if along in (-1, most + 1):
            raise QkdInputError("axis is -1, the intensities; allowed any other")
        return self._each(lambda values: np.asarray(values.sum(axis=along)))

    def summed_from(self, starts: ArrayLike) -> "Counts":
        """Return the sums over samples of passes that begin at `starts`, (passes, intensities)."""
        rows = len(self.key_clicks) if self._rows() else 0
        first = starts_of("starts", starts, rows)
        if first.size == 0:
            return self._each(lambda values: np.asarray(values[:0]))
        return self._each(lambda values: np.add.reduceat(values, first))

    def part(self, chosen: BoolArray | IntArray | slice | int) -> "Counts":
        """Return some of the rows (samples, passes), by mask, index or slice; or one of them."""
        self._rows()
        return self._each(lambda values: values[..., chosen, :])

    def cumulative(self, order: ArrayLike | None = None) -> "Counts":
        """Return running sums over the rows, in an order of them."""
        index = np.arange(self._rows())
        if order is not None:
            index = checks.indices("order", order, self._rows())
        return self.part(index)._each(lambda values: np.cumsum(values, axis=-2))

    def swapped(self) -> "Counts":
        """Return the same counts with the two bases' roles exchanged."""
        return Counts(
            key_clicks=self.check_clicks,
            key_errors=self.check_errors,
            check_clicks=self.key_clicks,
            check_errors=self.key_errors,
        )

    def __add__(self, other: "Counts") -> "Counts":
        """Return the counts of both blocks together; raise if their intensities differ."""
        if not isinstance(other, Counts):
            return NotImplemented
        size, more = self.key_clicks.shape[-1], other.key_clicks.shape[-1]
        if size != more:
            raise QkdInputError(
                f"counts of {size} and of {more} intensities, allowed to add those of one number"
            )
        checks.broadcast(counts=self.key_clicks, others=other.key_clicks)
        return Counts(
            key_clicks=self.key_clicks + other.key_clicks,
            key_errors=self.key_errors + other.key_errors,
            check_clicks=self.check_clicks + other.check_clicks,
            check_errors=self.check_errors + other.check_errors,
        )

    def scaled(self, factor: ArrayLike) -> "Counts":
        """Return the counts times a factor >= 0, which may add leading axes."""
        times = checks.array("factor", factor, 0.0, 1e18)[..., None]
        checks.broadcast(factor=times, counts=self.key_clicks)
        return self._each(lambda values: values * times)


def starts_of(name: str, starts: ArrayLike, size: int) -> IntArray:
    """Return the indices at which passes begin; raise unless they ascend from 0 within size."""
    first = checks.indices(name, starts, size)
    if first.size and (first[0] != 0 or np.any(np.diff(first) <= 0)):
        raise QkdInputError(f"{name} are {first[:4].tolist()}..., allowed ascending from 0")
    return first


def click_and_error_probability(
    transmittance: ArrayLike,
    *,
    mean_photons: ArrayLike,
    background_per_gate: ArrayLike,
    misalignment: float,
    after_pulse: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Return the probabilities per pulse of a click and of a wrong click.

        S = -expm1(-eta mu);  Q = S + y0 (1 - S);  E Q = e_d S (1 - y0) + y0/2
        D = (1 + p_ap) Q;     e = E Q + p_ap Q/2

    Threshold detectors; a noise click and an after-pulse are wrong half the time, so vacuum
    clicks err at 50 %. A transmittance above one (far-field formula in the near field)
    counts as none.

    Parameters
    ----------
    transmittance : array, 0 or more, from source to click; broadcasts with the next two
    mean_photons : array, photons per pulse at the sender's aperture
    background_per_gate : array, 0 to 1, y0 of all active detectors together
    misalignment : float, 0 to 0.5, QBER of the signal clicks alone
    after_pulse : float, 0 to 0.5, after-pulse clicks per click

    Returns
    -------
    clicks, errors : arrays of the broadcast shape, 0 to 1

    Source: Ma, Qi, Zhao and Lo, Phys. Rev. A 72, 012326 (2005), equations of gain and QBER;
    after-pulses as in Lim et al., Phys. Rev. A 89, 022307 (2014), section V.
    """
    eta = checks.array("transmittance", transmittance, 0.0)
    mu = checks.array("mean_photons", mean_photons, 0.0, 1e6, unit="photons per pulse")
    y0 = checks.array("background_per_gate", background_per_gate, 0.0, 1.0)
    checks.number("misalignment", misalignment, 0.0, 0.5)
    checks.number("after_pulse", after_pulse, 0.0, 0.5)
    # expm1 keeps its digits at 40 to 60 dB of loss, where 1 - exp(-x) does not.
    signal = -np.expm1(np.where(eta > 1.0, 0.0, -eta) * mu)
    # S + y0 (1 - S) and e_d S (1 - y0) + y0/2, with the small arrays multiplied first.
    gain = np.minimum(signal * (1.0 - y0) + y0, 1.0)
    wrong = signal * (misalignment * (1.0 - y0)) + 0.5 * y0
    if after_pulse == 0.0:
        return gain, np.minimum(wrong, gain)
    # Never more than one click a gate, however many after-pulses.
    clicks = np.minimum((1.0 + after_pulse) * gain, 1.0)
    return clicks, np.minimum(wrong + 0.5 * after_pulse * gain, clicks)


def live_fraction(
    click_probability: ArrayLike, *, pulse_rate_hz: float, dead_time_ns: float, share: float = 1.0
) -> FloatArray:
    """Return 1/(1 + r tau), the share of time in which non-paralysable detectors are ready.

    The default, share 1, vetoes every detector after any click, which keeps the click
    statistics of both bases alike. share = 1/(number of detectors) is each detector's own
    dead time; no proof here covers it.
    """
    rate = np.asarray(click_probability, dtype=np.float64) * pulse_rate_hz * share
    return np.asarray(1.0 / (1.0 + rate * dead_time_ns * 1e-9))


@checks.takes(protocol=DecoyProtocol)
def expected_counts(
    transmittance: ArrayLike | LinkBudget,
    protocol: DecoyProtocol,
    *,
    background_per_gate: ArrayLike,
    misalignment: float,
    dark_per_gate: ArrayLike = 0.0,
    sample_s: ArrayLike = 1.0,
    after_pulse: float = 0.0,
    dead_time_ns: float = 0.0,
    dead_time_share: float = 1.0,
    uptime: float = 1.0,
    gate_ns: float | None = None,
) -> Counts:
    """Return the expected sifted counts of every sample, by basis and intensity.

        n_Xk = f dt uptime p_k P_XA P_XB D_k c,   n_Zk with (1 - P_XA)(1 - P_XB)

    and the same with e_k for errors; c is the live fraction after dead time. Sum samples
    with `Counts.total`; one key call follows.

    Parameters
    ----------
    transmittance : a link budget, or an array (...) from source to click
    background_per_gate : array, broadcasts with the above, noise of ALL detectors together
    misalignment : float, 0 to 0.5
    dark_per_gate : array, broadcasts too, the part of that noise which falls half into either
        basis, because each has detectors of its own behind a passive splitter; the rest of
        the noise, and all of it by default, is split as the light is
    sample_s : array, >= 0, seconds that each sample stands for; broadcasts too
    after_pulse, dead_time_ns : of the detectors
    dead_time_share : share of the clicks that make a detector dead; 1 vetoes them all
    uptime : float, 0 to 1, share of pulses really sent and gated
    gate_ns : float, checked to fit in the pulse period if given

    Returns
    -------
    Counts of shape (..., number of intensities)

    Raises QkdInputError if a parameter is impossible.
    """
    if gate_ns is not None:
        period_ns = 1e9 / protocol.pulse_rate_hz
        checks.number("gate_ns", gate_ns, 0.0, period_ns * (1.0 + 1e-12), unit="ns", above=True)
    checks.number("uptime", uptime, 0.0, 1.0)
    checks.number("dead_time_ns", dead_time_ns, 0.0, 1e15, unit="ns")
    checks.number("dead_time_share", dead_time_share, 0.0, 1.0)
    mu, p = np.array(protocol.intensities), np.array(protocol.probabilities)
    given = transmittance.transmittance if isinstance(transmittance, LinkBudget) else transmittance
    # Made one shape here, so that a mismatch is told by its names.
    eta, y0, dark, seconds = checks.broadcast(
        transmittance=checks.array("transmittance", given, 0.0),
        background_per_gate=checks.array("background_per_gate", background_per_gate, 0.0, 1.0),
        dark_per_gate=checks.array("dark_per_gate", dark_per_gate, 0.0, 1.0),
        sample_s=checks.array("sample_s", sample_s, 0.0, 1e12, unit="s"),
    )

    def clicks_and_errors(noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        return click_and_error_probability(
            eta[..., None],
            mean_photons=mu,
            background_per_gate=noise[..., None],
            misalignment=misalignment,
            after_pulse=after_pulse,
        )

    clicks, errors = clicks_and_errors(y0)
    live = live_fraction(
        clicks @ p,
        pulse_rate_hz=protocol.pulse_rate_hz,
        dead_time_ns=dead_time_ns,
        share=dead_time_share,
    )
    sent = (protocol.pulse_rate_hz * uptime * seconds * live)[..., None] * p
    counts = {}
    for basis, alice, bob in (
        ("key", protocol.key_basis_alice, protocol.key_basis_bob),
        ("check", 1.0 - protocol.key_basis_alice, 1.0 - protocol.key_basis_bob),
    ):
        if np.any(dark > 0.0) and bob not in (0.0, 0.5):
            clicks, errors = clicks_and_errors(basis_noise(y0, dark, bob))
        counts[f"{basis}_clicks"] = alice * bob * sent * clicks
        counts[f"{basis}_errors"] = alice * bob * sent * errors
    return Counts(**counts)


def basis_noise(y0: FloatArray, dark: FloatArray, share: float) -> FloatArray:
    """Return the noise yield of one basis, given that the splitter sends it `share` of the light.

    light + dark / (2 share), at most 1: times the share it is half of the dark counts.
    """
    return np.asarray(np.minimum(np.maximum(y0 - dark, 0.0) + 0.5 * dark / share, 1.0))


@checks.takes(counts=Counts, rng=Generator)
def draw_counts(counts: Counts, rng: Generator) -> Counts:
    """Return one Monte-Carlo outcome: Poisson clicks, and binomial errors among them.

    Whole numbers as floats, of the shape given; the generator is the only randomness.
    """

    def outcome(clicks: FloatArray, errors: FloatArray) -> tuple[FloatArray, FloatArray]:
        drawn = rng.poisson(clicks)
        share = np.divide(errors, clicks, out=np.zeros_like(errors), where=clicks > 0.0)
        return drawn.astype(np.float64), rng.binomial(drawn, np.minimum(share, 1.0)).astype(
            np.float64
        )

    key_clicks, key_errors = outcome(counts.key_clicks, counts.key_errors)
    check_clicks, check_errors = outcome(counts.check_clicks, counts.check_errors)
    return Counts(
        key_clicks=key_clicks,
        key_errors=key_errors,
        check_clicks=check_clicks,
        check_errors=check_errors,
    )
