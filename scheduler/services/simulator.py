"""The simulator: draws what a session counts around the model of its pass, as it was booked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from orbits import OrbitsError
from qkd import QkdError
from scheduler.domain import BookingState, Candidate, SessionResult
from scheduler.dual import DualLink, sample_dual
from scheduler.errors import SchedulerError
from scheduler.forecast import Downlink, expected_counts, sample_hardware
from scheduler.hardware import session_preset
from scheduler.learned import belief_of
from scheduler.ledger.books.bookings import get_bookings
from scheduler.network import KeyBlocks, stations_of
from scheduler.services.executors import executor_of
from scheduler.services.learning import learned_by
from scheduler.sources.keys import SIMULATOR, distilled, simulated_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qkd import Counts, Preset
    from scheduler.services.context import Context
    from scheduler.sources.keys import Distilled

AHEAD = timedelta(days=1)
"""How far ahead of a session others are drawn with it."""
DRAWN_AT_ONCE = 64
_NOTHING = SessionResult(sifted_bits=0, secret_bits=0, qber=0.5, source=SIMULATOR, simulated=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """What a session counts, its key not distilled yet, and with what it does."""

    candidate: Candidate
    preset: Preset
    expected: Counts  #: by the preset alone
    measured: Counts | None  #: None of a session under clouds


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


def simulate(context: Context, candidate: Candidate) -> SimulatedSession:
    """What a session measures: drawn around the model of its pass as it was booked.

    It rests on the booking and the seed alone. So those of the day behind are drawn with it, ten
    keys being distilled as fast as one; nobody is told of them before they are settled, and one
    that was booked otherwise since is drawn anew.
    """

    def draw() -> Iterator[tuple[Candidate, SimulatedSession]]:
        every = [candidate, *_booked_next(context, candidate)]
        try:
            drawn = simulate_all(context, every)
        except (SchedulerError, OrbitsError, QkdError):
            # What is wrong with a later one is told when its own turn comes.
            every, drawn = [candidate], simulate_all(context, [candidate])
        return zip(every, drawn, strict=True)

    session: SimulatedSession = context.drawn_ahead.take(candidate, draw)
    return session


def _booked_next(context: Context, candidate: Candidate) -> list[Candidate]:
    """What the simulator is to carry out after a session, within a day."""
    begins = candidate.acquires_at
    with context.ledger.view.read() as reader:
        booked = get_bookings(
            reader,
            state=BookingState.BOOKED,
            since=begins,
            until=begins + AHEAD,
            limit=DRAWN_AT_ONCE,
        )
    return [one.candidate for one in booked if executor_of(context, one.candidate) is None]


def simulate_all(context: Context, candidates: Sequence[Candidate]) -> list[SimulatedSession]:
    """What sessions measure, a pooled link's key not distilled yet."""
    drawn = [_draw(context, candidate) for candidate in candidates]
    keys = iter(distilled([(one.measured, one.preset) for one in drawn if one.measured]))
    return [_session(context, one, next(keys) if one.measured else None) for one in drawn]


def _session(context: Context, drawn: _Drawn, key: Distilled | None) -> SimulatedSession:
    """What a session measured and distilled; clouds give nothing."""
    satellite_id, station_id = drawn.candidate.satellite_id, drawn.candidate.station_id
    pooled = context.scenario.block_policy(satellite_id, station_id).blocks is KeyBlocks.POOLED
    result = _NOTHING
    if drawn.measured is not None and key is not None:
        result = simulated_session(drawn.measured, key, drawn.preset)
        if pooled:
            result = replace(result, secret_bits=0, tag_bits=0, eps_total=0.0)
    usual = drawn.expected
    expected_bits = float(usual.key_clicks.sum() + usual.check_clicks.sum())
    return SimulatedSession(
        result=replace(result, expected_sifted_bits=expected_bits),
        preset=drawn.preset,
        expected=usual,
        measured=drawn.measured,
        pooled=pooled,
    )


def _draw(context: Context, candidate: Candidate) -> _Drawn:
    """Draw what a session counts.

    First how the pass differs from others of its link, then the counts themselves. The sky is
    that of the run's own weather, of which the forecast knew only the chance.
    """
    from qkd import draw_counts

    middle = candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
    chance = candidate.clear_probability
    stations = stations_of(context.scenario, candidate.station_id)
    # The chance is that of all its skies together.
    each = chance ** (1.0 / len(stations))
    is_clear = chance >= 1.0 or all(
        context.true_sky.is_clear(one.lat_deg, one.lon_deg, middle, p_clear=each)
        for one in stations
    )
    satellite = context.satellite(candidate.satellite_id)
    preset = session_preset(satellite, stations, context.settings.bound)
    if not is_clear:
        (usual,) = _expected(context, candidate, preset, [1.0])
        return _Drawn(candidate=candidate, preset=preset, expected=usual, measured=None)
    ratio = preset.spread.draw_ratio(context.entropy.generator("loss", candidate.candidate_id))
    usual, mean = _expected(context, candidate, preset, [1.0, ratio])
    measured = draw_counts(mean, context.entropy.generator("counts", candidate.candidate_id))
    return _Drawn(candidate=candidate, preset=preset, expected=usual, measured=measured)


def _expected(
    context: Context, candidate: Candidate, preset: Preset, ratios: Sequence[float]
) -> list[Counts]:
    """What a session is expected to count at each ratio of its transmittance to the preset's."""
    satellite = context.satellite(candidate.satellite_id)
    elements = context.elements_of_epoch(satellite.norad_id, candidate.elements_epoch)
    span = candidate.acquires_at, candidate.loses_at
    first, *second = stations_of(context.scenario, candidate.station_id)
    step_s = context.settings.track_step_s
    if second:
        dual = DualLink(satellite, elements, (first, second[0]), *span)
        seen = sample_dual(dual, step_s=step_s, earth=context.earth)
        return [seen.counts(dual, preset, ratio=ratio) for ratio in ratios]
    link = Downlink(satellite, elements, first, *span)
    sampled, _ = sample_hardware(
        [link], step_s=step_s, bound=context.settings.bound, earth=context.earth
    )
    many = expected_counts(sampled, preset, station=first, ratios=ratios)
    given = 0.0 if candidate.commissioning else 1.0
    return [many.part(place).scaled(given) for place in range(len(ratios))]
