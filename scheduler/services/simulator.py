"""The simulator: draws what a session counts around the model of its pass, as it was booked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scheduler.domain import Candidate, SessionResult
from scheduler.dual import DualLink, sample_dual
from scheduler.forecast import Downlink, expected_counts, sample_hardware
from scheduler.hardware import session_preset
from scheduler.learned import belief_of
from scheduler.network import KeyBlocks, stations_of
from scheduler.services.learning import learned_by
from scheduler.sources.keys import SIMULATOR, simulated_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from qkd import Counts, LinkBudget, Preset
    from scheduler.services.context import Context


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedSession:
    """What a session measured, and with what."""

    result: SessionResult
    preset: Preset
    expected: Counts  #: by the preset alone
    measured: Counts | None  #: None of a session under clouds
    pooled: bool


def below_forecast(
    context: Context, candidate: Candidate, session: SimulatedSession
) -> float | None:
    """How probable so few sifted bits were by what was believed when the session began.

    None without a bit: a cloud is no measure of a link.
    """
    result = session.result
    if not result.sifted_bits:
        return None
    learned = learned_by(context, candidate.acquires_at)
    link = candidate.satellite_id, candidate.station_id
    ratio = result.sifted_bits / result.expected_sifted_bits
    return float(belief_of(link, session.preset, learned).probability_below(ratio))


def _expectation(
    context: Context, candidate: Candidate
) -> Callable[[float], tuple[Counts, LinkBudget, Preset]]:
    """What a session is expected to count, by the ratio of its transmittance to the preset's."""
    satellite = context.satellite(candidate.satellite_id)
    elements = context.elements_of_epoch(satellite.norad_id, candidate.elements_epoch)
    span = candidate.acquires_at, candidate.loses_at
    first, *second = stations_of(context.scenario, candidate.station_id)
    step_s, bound = context.settings.track_step_s, context.settings.bound
    if second:
        dual = DualLink(satellite, elements, (first, second[0]), *span)
        joint = session_preset(satellite, dual.stations, bound)
        seen = sample_dual(dual, step_s=step_s, earth=context.earth)
        return lambda ratio: (*seen.counts(dual, joint, ratio=ratio), joint)
    link = Downlink(satellite, elements, first, *span)
    sampled, (preset,) = sample_hardware([link], step_s=step_s, bound=bound, earth=context.earth)
    given = 0.0 if candidate.commissioning else 1.0

    def expected(ratio: float) -> tuple[Counts, LinkBudget, Preset]:
        counts, budget = expected_counts(sampled, preset, station=first, ratio=ratio)
        return counts.scaled(given), budget, preset

    return expected


def simulate(context: Context, candidate: Candidate) -> SimulatedSession:
    """Draw the counts of the session around the model of the pass as it was booked.

    First how the pass differs from others of its link, then the counts themselves. The sky is
    that of the run's own weather, of which the forecast knew only the chance: clouds give
    nothing. A pooled link's key is not distilled yet.
    """
    from qkd import draw_counts

    expected = _expectation(context, candidate)
    usual, budget, preset = expected(1.0)
    expected_bits = float(usual.key_clicks.sum() + usual.check_clicks.sum())
    policy = context.scenario.block_policy(candidate.satellite_id, candidate.station_id)
    pooled = policy.blocks is KeyBlocks.POOLED
    nothing = SessionResult(
        sifted_bits=0, secret_bits=0, qber=0.5, source=SIMULATOR, simulated=True,
        expected_sifted_bits=expected_bits,
    )  # fmt: skip
    middle = candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
    chance = candidate.clear_probability
    stations = stations_of(context.scenario, candidate.station_id)
    # The chance is that of all its skies together.
    each = chance ** (1.0 / len(stations))
    if chance < 1.0 and not all(
        context.true_sky.is_clear(one.lat_deg, one.lon_deg, middle, p_clear=each)
        for one in stations
    ):
        return SimulatedSession(
            result=nothing, preset=preset, expected=usual, measured=None, pooled=pooled
        )
    ratio = preset.spread.draw_ratio(context.entropy.generator("loss", candidate.candidate_id))
    drawn, _, _ = expected(ratio)
    measured = draw_counts(drawn, context.entropy.generator("counts", candidate.candidate_id))
    result = simulated_session(measured, budget, preset)
    if pooled:
        result = replace(result, secret_bits=0, tag_bits=0, eps_total=0.0)
    return SimulatedSession(
        result=replace(result, expected_sifted_bits=expected_bits),
        preset=preset,
        expected=usual,
        measured=measured,
        pooled=pooled,
    )
