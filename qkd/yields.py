"""The key that one pass gives, from its track and a preset."""

from dataclasses import dataclass
from types import NoneType

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import BoolArray, FloatArray, IntArray
from qkd.decoy import Counts, draw_counts, expected_counts, starts_of
from qkd.errors import QkdInputError
from qkd.finite_key.key import KeyLength, block_keys
from qkd.freespace.budget import LinkBudget, link_budget
from qkd.learning import QUANTILES, LinkBelief
from qkd.noise import background
from qkd.ports import TRACK, Track
from qkd.presets.facts import Preset
from qkd.tracks import track_seconds


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
    authentication_bits: int
    budget: LinkBudget


@checks.takes(track=TRACK, preset=Preset, station_id=str)
def pass_counts(
    track: Track,
    preset: Preset,
    station_id: str,
    *,
    sample_s: ArrayLike | None = None,
    ratio: ArrayLike = 1.0,
) -> tuple[Counts, LinkBudget]:
    """Return the expected counts of every sample of a track, and its link budget.

    Parameters
    ----------
    track : the samples to count; leave out those that are too bright, too far or too low
    station_id : one of the preset's
    sample_s : seconds each sample stands for; None takes the track's own, or those between
        its samples, and refuses a gap
    ratio : times the preset's transmittance, as a `LinkBelief` has it; the budget is without.
        Several are a leading axis of the counts
    """
    times = checks.array("ratio", ratio, 0.0, 1e6)[..., None]
    receiver, site = preset.station(station_id)
    budget = link_budget(track, preset.terminal, receiver, site)
    noise = background(track, preset.terminal, receiver, site)
    seconds = track_seconds(track) if sample_s is None else sample_s
    detector = receiver.detector
    counts = expected_counts(
        np.minimum(budget.transmittance * times, 1.0),
        preset.pulses(),
        background_per_gate=noise.per_gate,
        dark_per_gate=noise.dark_per_gate if receiver.passive else 0.0,
        misalignment=receiver.misalignment,
        sample_s=seconds,
        after_pulse=detector.after_pulse,
        dead_time_ns=detector.dead_time_ns,
        dead_time_share=detector.dead_time_share,
        gate_ns=detector.gate_ns,
    )
    return counts, budget


@checks.takes(counts=Counts, preset=Preset, budget=LinkBudget)
def yield_of_counts(counts: Counts, preset: Preset, budget: LinkBudget) -> PassYield:
    """Return the yield of one pass whose counts, summed over samples, are given.

    Raises QkdInputError for the counts of several passes; see `campaign_yield`.
    """
    if counts.key_clicks.ndim != 1:
        raise QkdInputError(
            f"counts have shape {counts.key_clicks.shape}, allowed those of one pass"
        )
    protocol = preset.protocol
    keys = block_keys(counts, protocol, preset.security, bound=preset.bound, leak=preset.leak)
    clicks = counts.key_clicks + counts.check_clicks
    errors = counts.key_errors + counts.check_errors
    sifted, signal = float(clicks.sum()), float(clicks[..., 0].sum())
    matching = protocol.matching_bases
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
        authentication_bits=preset.authentication.bits,
        budget=budget,
    )


@checks.takes(track=TRACK, preset=Preset, station_id=str, rng=(Generator, NoneType))
def pass_yield(
    track: Track,
    preset: Preset,
    station_id: str,
    *,
    rng: Generator | None = None,
    sample_s: ArrayLike | None = None,
    ratio: float = 1.0,
) -> PassYield:
    """Return the expected yield of one pass, or with `rng` one drawn outcome of it.

    The pass is one block (per basis used), (secrecy + correctness)-secure as the preset
    promises. Which samples count is the caller's choice: dark, near and high enough.

    Parameters
    ----------
    track : one pass; with light attributes (Sun, Moon, sunlit) also for the background
    station_id : one of the preset's
    rng : a generator draws Poisson counts; None keeps expectations
    sample_s, ratio : as of `pass_counts`
    """
    counts, budget = pass_counts(track, preset, station_id, sample_s=sample_s, ratio=ratio)
    block = counts.total(axis=-2)
    return yield_of_counts(block if rng is None else draw_counts(block, rng), preset, budget)


@checks.takes(track=TRACK, preset=Preset, station_id=str, belief=LinkBelief)
def yield_quantiles(
    track: Track,
    preset: Preset,
    station_id: str,
    belief: LinkBelief,
    *,
    probabilities: ArrayLike = QUANTILES,
    sample_s: ArrayLike | None = None,
) -> tuple[PassYield, ...]:
    """Return the expected yields of one pass at quantiles of what is believed of its link.

    The key grows with the transmittance: that at its 10 % quantile is the 10 % quantile of
    the key, but for the scatter of the counts themselves.
    """
    return tuple(
        pass_yield(track, preset, station_id, sample_s=sample_s, ratio=float(ratio))
        for ratio in np.ravel(belief.ratio_quantiles(probabilities))
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CampaignYield:
    """What every pass of a campaign gives, as arrays over passes; names as in `PassYield`."""

    counts: Counts
    detections: FloatArray
    sifted_bits: FloatArray
    signal_sifted_bits: FloatArray
    qber: FloatArray
    keys: tuple[KeyLength, ...]
    secret_bits: IntArray
    signed_length: FloatArray
    epsilon: float  #: used up by each pass
    authentication_bits: int  #: cost of each pass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Samples:
    """A stretch of a longer track, with the light that it knows."""

    offset_s: FloatArray
    elevation_deg: FloatArray
    range_km: FloatArray
    sun_elevation_deg: FloatArray
    moon_elevation_deg: FloatArray
    moon_phase_deg: FloatArray
    moon_separation_deg: FloatArray
    satellite_sunlit: BoolArray


def _stretch(track: Track, start: int, end: int) -> _Samples:
    def part(name: str, missing: float = 0.0) -> FloatArray:
        values = np.asarray(getattr(track, name, missing), dtype=np.float64)
        return values[start:end] if values.ndim else values

    return _Samples(
        offset_s=part("offset_s"),
        elevation_deg=part("elevation_deg"),
        range_km=part("range_km"),
        sun_elevation_deg=part("sun_elevation_deg", -90.0),
        moon_elevation_deg=part("moon_elevation_deg", -90.0),
        moon_phase_deg=part("moon_phase_deg", 180.0),
        moon_separation_deg=part("moon_separation_deg", 90.0),
        satellite_sunlit=part("satellite_sunlit") > 0.0,
    )


@checks.takes(track=TRACK, preset=Preset, station_id=str)
def campaign_yield(
    track: Track,
    starts: ArrayLike,
    preset: Preset,
    station_id: str,
    *,
    sample_s: float = 1.0,
    samples_at_once: int = 65_536,
) -> CampaignYield:
    """Return the expected yield of every pass of a campaign, each pass its own block.

    Parameters
    ----------
    track : the samples of all passes of one station, one after the other, shape (samples,)
    starts : ascending indices at which the passes begin, the first 0
    sample_s : seconds each sample stands for
    samples_at_once : how many samples to hold in memory, about

    Raises QkdInputError if starts do not ascend from 0 inside the track.
    """
    size = int(np.size(track.elevation_deg))
    first = starts_of("starts", starts, size)
    checks.number("sample_s", sample_s, 0.0, 1e6, unit="s")
    checks.whole("samples_at_once", samples_at_once, 1, 1_000_000_000)
    sums: list[Counts] = []
    begin = 0
    while begin < first.size:
        end = max(int(np.searchsorted(first, first[begin] + samples_at_once)), begin + 1)
        stop = int(first[end]) if end < first.size else size
        stretch = _stretch(track, int(first[begin]), stop)
        counts, _ = pass_counts(stretch, preset, station_id, sample_s=sample_s)
        edges = first[begin:end] - first[begin]
        sums.append(counts.summed_from(edges))
        begin = end
    empty = np.zeros((0, len(preset.pulses().intensities)))
    whole = Counts(
        **{
            name: np.concatenate([getattr(part, name) for part in sums] or [empty])
            for name in ("key_clicks", "key_errors", "check_clicks", "check_errors")
        }
    )
    return _campaign(whole, preset)


def _campaign(counts: Counts, preset: Preset) -> CampaignYield:
    protocol = preset.protocol
    keys = block_keys(counts, protocol, preset.security, bound=preset.bound, leak=preset.leak)
    clicks = counts.key_clicks + counts.check_clicks
    errors = (counts.key_errors + counts.check_errors)[:, 0]
    sifted, signal = clicks.sum(axis=-1), clicks[:, 0]
    return CampaignYield(
        counts=counts,
        detections=sifted / protocol.matching_bases if protocol.matching_bases else 0.0 * sifted,
        sifted_bits=sifted,
        signal_sifted_bits=signal,
        qber=np.divide(errors, signal, out=np.full_like(signal, np.nan), where=signal > 0.0),
        keys=keys,
        secret_bits=np.sum([key.length_bits for key in keys], axis=0),
        signed_length=np.sum([key.signed_length for key in keys], axis=0),
        epsilon=sum(key.epsilons.total for key in keys),
        authentication_bits=preset.authentication.bits,
    )
