"""The settings and the part of one pass that give the longest key."""

from dataclasses import dataclass

import numpy as np

from qkd.checks import BoolArray
from qkd.decoy import expected_counts
from qkd.freespace.budget import link_budget
from qkd.noise import background
from qkd.optimiser.best import Optimum, optimise
from qkd.optimiser.box import SearchBox
from qkd.ports import Track
from qkd.presets.facts import Preset
from qkd.segment import select_segment
from qkd.yields import sample_seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassOptimum:
    """The best protocol and the best part of one pass."""

    optimum: Optimum
    kept: BoolArray


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
    receiver, site = preset.station(station_id)
    detector = receiver.detector
    budget = link_budget(track, preset.terminal, receiver, site)
    noise = background(track, preset.terminal, receiver, site).per_gate
    seconds = sample_seconds(track.offset_s)
    family = preset.bound if bound is None else bound

    def best(kept: BoolArray) -> Optimum:
        return optimise(
            budget.transmittance[kept],
            preset.protocol,
            preset.security,
            background_per_gate=noise[kept],
            misalignment=receiver.misalignment,
            sample_s=seconds[kept],
            after_pulse=detector.after_pulse,
            dead_time_ns=detector.dead_time_ns,
            passes=passes,
            bound=family,
            leak=preset.leak,
            box=box,
            fixed_bases=fixed_bases,
        )

    kept = np.ones(budget.transmittance.shape, dtype=np.bool_)
    whole = best(kept)
    if not segments or kept.size < 2:
        return PassOptimum(optimum=whole, kept=kept)
    counts = expected_counts(
        budget.transmittance,
        whole.protocol,
        background_per_gate=noise,
        misalignment=receiver.misalignment,
        sample_s=seconds,
        after_pulse=detector.after_pulse,
        dead_time_ns=detector.dead_time_ns,
    ).scaled(np.full(kept.shape, passes))
    chosen = select_segment(
        counts,
        budget.transmittance,
        whole.protocol,
        preset.security,
        bound=family,
        leak=preset.leak,
    )
    if chosen.kept.all():
        return PassOptimum(optimum=whole, kept=kept)
    part = best(chosen.kept)
    if part.signed_length > whole.signed_length:
        return PassOptimum(optimum=part, kept=chosen.kept)
    return PassOptimum(optimum=whole, kept=kept)
