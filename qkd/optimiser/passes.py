"""The settings and the part of a pass, or of a campaign's passes, that give the longest key."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkd import checks
from qkd.checks import BoolArray, FloatArray
from qkd.decoy import Counts, DecoyProtocol, expected_counts, starts_of
from qkd.errors import QkdInputError
from qkd.finite_key.key import KeyLength, block_keys
from qkd.freespace.budget import link_budget
from qkd.noise import background
from qkd.optimiser.best import Optimum, optimise
from qkd.optimiser.search import SearchBox
from qkd.ports import TRACK, Track
from qkd.presets.facts import Preset
from qkd.segment import select_segment
from qkd.tracks import track_seconds

#: Share of the key that dropping samples must bring.
_WORTH = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassOptimum:
    """The best protocol and the best part of one pass."""

    optimum: Optimum
    kept: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CampaignOptimum:
    """Settings agreed once for a campaign, and what each pass loses by not having its own.

    signed_shared is the signed key of every pass at the settings of the mean pass,
    signed_own that at its own optimum.
    """

    protocol: DecoyProtocol
    mean_pass: Optimum
    counts: Counts
    keys: tuple[KeyLength, ...]
    signed_shared: FloatArray
    signed_own: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Samples:
    """A track's link, ready to be optimised."""

    preset: Preset
    station_id: str
    bound: str
    box: SearchBox
    fixed_bases: bool
    transmittance: FloatArray
    noise: FloatArray
    dark: FloatArray
    seconds: FloatArray

    def optimise(
        self, chosen: BoolArray | slice, *, passes: float, start: DecoyProtocol | None = None
    ) -> Optimum:
        """Return the best settings for the chosen samples, `passes` times in one block."""
        receiver, _ = self.preset.station(self.station_id)
        detector = receiver.detector
        return optimise(
            self.transmittance[chosen],
            self.preset.pulses(),
            self.preset.security,
            background_per_gate=self.noise[chosen],
            dark_per_gate=self.dark[chosen],
            misalignment=receiver.misalignment,
            sample_s=self.seconds[chosen],
            after_pulse=detector.after_pulse,
            dead_time_ns=detector.dead_time_ns,
            dead_time_share=detector.dead_time_share,
            passes=passes,
            bound=self.bound,
            leak=self.preset.leak,
            box=self.box,
            fixed_bases=self.fixed_bases,
            start=start,
        )

    def counts(self, protocol: DecoyProtocol) -> Counts:
        """Return the expected counts of every sample under a protocol."""
        receiver, _ = self.preset.station(self.station_id)
        detector = receiver.detector
        return expected_counts(
            self.transmittance,
            protocol,
            background_per_gate=self.noise,
            dark_per_gate=self.dark,
            misalignment=receiver.misalignment,
            sample_s=self.seconds,
            after_pulse=detector.after_pulse,
            dead_time_ns=detector.dead_time_ns,
            dead_time_share=detector.dead_time_share,
        )


def _samples(
    track: Track,
    preset: Preset,
    station_id: str,
    *,
    seconds: FloatArray,
    bound: str | None,
    box: SearchBox,
    fixed_bases: bool,
) -> _Samples:
    checks.flag("fixed_bases", fixed_bases)
    receiver, site = preset.station(station_id)
    eta = link_budget(track, preset.terminal, receiver, site).transmittance
    if eta.ndim != 1:
        raise QkdInputError(f"track has shape {eta.shape}, allowed (samples,)")
    noise = background(track, preset.terminal, receiver, site)
    return _Samples(
        preset=preset,
        station_id=station_id,
        bound=preset.bound if bound is None else bound,
        box=box,
        fixed_bases=fixed_bases,
        transmittance=eta,
        noise=noise.per_gate,
        dark=noise.dark_per_gate if receiver.passive else np.zeros_like(noise.per_gate),
        seconds=np.broadcast_to(seconds, eta.shape),
    )


@checks.takes(track=TRACK, preset=Preset, station_id=str, box=SearchBox)
def optimise_pass(
    track: Track,
    preset: Preset,
    station_id: str,
    *,
    passes: float = 1.0,
    bound: str | None = None,
    box: SearchBox = SearchBox(),  # noqa: B008 - frozen, no state
    fixed_bases: bool = False,
    segments: bool = True,
) -> PassOptimum:
    """Return the best protocol for a pass and, with `segments`, the samples to keep.

    Parameters
    ----------
    track, station_id : as for `pass_yield`; the preset's protocol is the template
    passes : equal passes that are summed into one block
    bound : None takes the preset's
    box, fixed_bases : as for `optimise`
    segments : drop the lossiest samples where that lengthens the key, and optimise again;
        the cut follows the forecast transmittance, never errors
    """
    checks.flag("segments", segments)
    samples = _samples(
        track,
        preset,
        station_id,
        seconds=track_seconds(track),
        bound=bound,
        box=box,
        fixed_bases=fixed_bases,
    )
    everything = np.ones(samples.transmittance.shape, dtype=np.bool_)
    whole = samples.optimise(everything, passes=passes)
    if not segments or everything.size < 2:
        return PassOptimum(optimum=whole, kept=everything)
    counts = samples.counts(whole.protocol)
    chosen = select_segment(
        counts.scaled(np.full(everything.shape, passes)),
        samples.transmittance,
        whole.protocol,
        preset.security,
        bound=samples.bound,
        leak=preset.leak,
    )
    # Less than this is the grain of whole errors, not worth a second search.
    worth = whole.signed_length + _WORTH * abs(whole.signed_length)
    if not chosen.kept.all() and chosen.signed_length > worth:
        part = samples.optimise(chosen.kept, passes=passes, start=whole.protocol)
        if part.signed_length > whole.signed_length:
            return PassOptimum(optimum=part, kept=chosen.kept)
    return PassOptimum(optimum=whole, kept=everything)


@checks.takes(track=TRACK, preset=Preset, station_id=str, box=SearchBox)
def optimise_campaign(
    track: Track,
    starts: ArrayLike,
    preset: Preset,
    station_id: str,
    *,
    sample_s: float = 1.0,
    bound: str | None = None,
    box: SearchBox = SearchBox(),  # noqa: B008 - frozen, no state
    fixed_bases: bool = False,
) -> CampaignOptimum:
    """Return the settings to agree for a whole campaign: those of its mean pass.

    The mean pass holds every sample of every pass for a P-th of its time. Each pass is its
    own block, evaluated at the shared settings and at its own optimum.

    Parameters
    ----------
    track : the samples of all passes of one station, one after the other, shape (samples,)
    starts : ascending indices at which the passes begin, the first 0; at least one
    sample_s : seconds each sample stands for
    bound, box, fixed_bases : as for `optimise_pass`
    """
    size = int(np.size(track.elevation_deg))
    first = starts_of("starts", starts, size)
    if first.size == 0:
        raise QkdInputError("starts are [], allowed one pass or more")
    checks.number("sample_s", sample_s, 0.0, 1e6, unit="s")
    samples = _samples(
        track,
        preset,
        station_id,
        seconds=np.asarray(sample_s, dtype=np.float64),
        bound=bound,
        box=box,
        fixed_bases=fixed_bases,
    )
    mean = samples.optimise(slice(None), passes=1.0 / first.size)
    counts = samples.counts(mean.protocol).summed_from(first)
    keys = block_keys(counts, mean.protocol, preset.security, bound=samples.bound, leak=preset.leak)
    ends = [*first[1:].tolist(), size]
    own = [
        samples.optimise(slice(begin, end), passes=1.0).signed_length
        for begin, end in zip(first.tolist(), ends, strict=True)
    ]
    return CampaignOptimum(
        protocol=mean.protocol,
        mean_pass=mean,
        counts=counts,
        keys=keys,
        signed_shared=np.sum([key.signed_length for key in keys], axis=0),
        signed_own=np.array(own),
    )
