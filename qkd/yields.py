"""The key that one pass gives, from its track and a preset."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import FloatArray
from qkd.decoy import Counts, draw_counts, expected_counts
from qkd.errors import ParameterRangeError
from qkd.finite_key.key import KeyLength, block_keys
from qkd.freespace.budget import LinkBudget, link_budget
from qkd.noise import background
from qkd.ports import Track
from qkd.presets.facts import Preset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassYield:
    """What one pass gives: counts, sifted bits, QBER, and the key of each basis used.

    detections are clicks of all intensities and bases; sifted_bits those in matching bases;
    signal_* of the signal intensity alone, which is what Micius papers call sifted. qber is
    that of the signal intensity, NaN without clicks. keys holds one block, or one a basis;
    secret_bits is their sum and epsilon what the whole pass has used up.
    """

    counts: Counts
    detections: float
    sifted_bits: float
    signal_sifted_bits: float
    qber: float
    keys: tuple[KeyLength, ...]
    secret_bits: int
    signed_length: float
    epsilon: float
    budget: LinkBudget


def sample_seconds(offset_s: ArrayLike) -> FloatArray:
    """Return the seconds that each sample stands for: half of the gap to either side.

    The first and the last stand for a whole step, so that N samples a second apart make N
    seconds. A lone sample stands for one second.
    """
    offsets = checks.array("offset_s", offset_s, -1e9, 1e9, unit="s")
    if offsets.shape[-1:] in ((0,), (1,)):
        return np.ones_like(offsets)
    if np.any(np.diff(offsets, axis=-1) <= 0.0):
        least = float(np.diff(offsets, axis=-1).min())
        raise ParameterRangeError(f"offset_s has a step of {least:g} s, allowed above 0")
    return np.asarray(np.gradient(offsets, axis=-1))


def pass_counts(
    track: Track, preset: Preset, station_id: str, *, sample_s: ArrayLike | None = None
) -> tuple[Counts, LinkBudget]:
    """Return the expected counts of every sample of a track, and its link budget.

    Parameters
    ----------
    track : the samples to count; leave out those that are too bright, too far or too low
    station_id : one of the preset's
    sample_s : seconds each sample stands for; None takes `sample_seconds` of offset_s
    """
    receiver, site = preset.station(station_id)
    budget = link_budget(track, preset.terminal, receiver, site)
    noise = background(track, preset.terminal, receiver, site)
    seconds = sample_seconds(track.offset_s) if sample_s is None else sample_s
    detector = receiver.detector
    counts = expected_counts(
        budget.transmittance,
        preset.protocol,
        background_per_gate=noise.per_gate,
        misalignment=receiver.misalignment,
        sample_s=seconds,
        after_pulse=detector.after_pulse,
        dead_time_ns=detector.dead_time_ns,
        gate_ns=detector.gate_ns,
    )
    return counts, budget


def yield_of_counts(counts: Counts, preset: Preset, budget: LinkBudget) -> PassYield:
    """Return the yield of one pass whose counts, summed over samples, are given."""
    protocol = preset.protocol
    keys = block_keys(counts, protocol, preset.security, bound=preset.bound, leak=preset.leak)
    clicks = counts.key_clicks + counts.check_clicks
    errors = counts.key_errors + counts.check_errors
    sifted, signal = float(clicks.sum()), float(clicks[..., 0].sum())
    key, check = protocol.key_basis_alice, protocol.key_basis_bob
    matching = key * check + (1.0 - key) * (1.0 - check)
    return PassYield(
        counts=counts,
        detections=sifted / matching if matching > 0.0 else 0.0,
        sifted_bits=sifted,
        signal_sifted_bits=signal,
        qber=float(errors[..., 0].sum()) / signal if signal > 0.0 else float("nan"),
        keys=keys,
        secret_bits=sum(int(k.length_bits) for k in keys),
        signed_length=sum(float(k.signed_length) for k in keys),
        epsilon=sum(k.epsilons.total for k in keys),
        budget=budget,
    )


def pass_yield(
    track: Track,
    preset: Preset,
    station_id: str,
    *,
    rng: Generator | None = None,
    sample_s: ArrayLike | None = None,
) -> PassYield:
    """Return the expected yield of one pass, or with `rng` one drawn outcome of it.

    The pass is one block (per basis used), (secrecy + correctness)-secure as the preset
    promises. Which samples count is the caller's choice: dark, near and high enough.

    Parameters
    ----------
    track : one pass; with light attributes (Sun, Moon, sunlit) also for the background
    station_id : one of the preset's
    rng : a generator draws Poisson counts; None keeps expectations
    sample_s : seconds each sample stands for; None takes them from offset_s
    """
    counts, budget = pass_counts(track, preset, station_id, sample_s=sample_s)
    block = counts.total(axis=-2)
    return yield_of_counts(block if rng is None else draw_counts(block, rng), preset, budget)
