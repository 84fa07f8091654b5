"""Looking ahead: the passes of a window, the sky over them, and what could be booked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from orbits import NoElementsError
from scheduler.domain import Candidate, instant_key
from scheduler.dual import (
    DualForecast,
    DualLink,
    dual_candidate,
    dual_forecasts,
    shared_row,
    shared_spans,
)
from scheduler.forecast import (
    Downlink,
    Flight,
    PassForecast,
    forecast_flights,
    key_quantiles,
    link_forecasts,
)
from scheduler.learned import NOTHING_LEARNED
from scheduler.network import SessionKind, pairs_of
from scheduler.plan import Part, PlanRules, part_of, with_parts
from scheduler.services.learning import learned_by
from scheduler.services.weather import clear_over, weather_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orbits import Elements
    from scheduler.domain import PassRow
    from scheduler.forecast import LinkForecast
    from scheduler.learned import Learned
    from scheduler.network import Satellite
    from scheduler.services.context import Context
    from scheduler.weather import Weather


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The element set that planning may use, or why it may use none."""

    elements: Elements | None
    usable_until: datetime | None
    reason: str


@dataclass(slots=True, kw_only=True)
class PlanOutlook:
    """What is known of a window when it is planned."""

    forecasts: list[PassForecast] = field(default_factory=list)
    unplanned: list[dict[str, Any]] = field(default_factory=list)
    epochs: list[str] = field(default_factory=list)
    elements: dict[str, Elements] = field(default_factory=dict)  #: by satellite
    until: dict[str, datetime] = field(default_factory=dict)  #: end of what could be planned
    notes: list[str] = field(default_factory=list)
    learned: Learned = NOTHING_LEARNED  #: of sessions settled by then


def known_elements(context: Context, satellite: Satellite, *, at: datetime) -> Known:
    """The newest set that had arrived by `at`, unless it is older than the limit."""
    lag = timedelta(seconds=context.scenario.planning.element_lag_s)
    limit = context.max_element_age
    try:
        archive = context.archive_of(satellite.norad_id, known_at=at)
        elements = archive.known_at(at, norad_id=satellite.norad_id, lag=lag)
    except NoElementsError as error:
        return Known(elements=None, usable_until=None, reason=str(error))
    until = elements.epoch + limit
    if until <= at:
        reason = (
            f"the newest element set of {satellite.satellite_id} known at {instant_key(at)} is of "
            f"{instant_key(elements.epoch)}, older than {limit / timedelta(days=1):g} days"
        )
        decay = archive.decay(satellite.norad_id)
        if decay is not None:
            reason += f"; {decay.sentence}"
        return Known(elements=None, usable_until=until, reason=reason)
    return Known(elements=elements, usable_until=until, reason="")


def plan_outlook(context: Context, start: datetime, end: datetime, *, at: datetime) -> PlanOutlook:
    """Forecast every pass that rises in [start, end), with the one set known at `at`."""
    ahead = PlanOutlook(learned=learned_by(context, at))
    flights: list[Flight] = []
    context.refresh_elements()
    for satellite in context.scenario.satellites:
        name = satellite.satellite_id
        known = known_elements(context, satellite, at=at)
        usable = known.usable_until if known.usable_until and known.elements else start
        until = max(start, min(end, usable))
        ahead.until[name] = until
        if until < end:
            ahead.unplanned.append(
                {
                    "satellite": name,
                    "start": instant_key(until),
                    "end": instant_key(end),
                    "newest_epoch": _newest_epoch(known, context),
                    "reason": known.reason or f"the element set of {name} ages out",
                }
            )
        if known.elements is None:
            continue
        ahead.epochs.append(instant_key(known.elements.epoch))
        ahead.elements[name] = known.elements
        if until > start:
            flights.append(
                Flight(
                    satellite=satellite,
                    elements=known.elements,
                    start=start,
                    end=until,
                    history=context.archive_of(satellite.norad_id, known_at=at),
                )
            )
    ahead.forecasts = forecast_flights(
        flights,
        stations=context.scenario.stations,
        planning=context.scenario.planning,
        step_s=context.settings.track_step_s,
        bound=context.settings.bound,
        learned=ahead.learned,
        earth=context.earth,
    )
    ahead.forecasts = with_pairs(context, ahead.forecasts, ahead.elements, ahead.learned)
    return ahead


def with_pairs(
    context: Context,
    forecasts: Sequence[PassForecast],
    elements: Mapping[str, Elements],
    learned: Learned,
) -> list[PassForecast]:
    """The forecasts, those of dual downlinks made into what two stations have in common.

    `elements` are the sets by satellite that the forecasts were made with.
    """
    kept: list[PassForecast] = []
    alone: defaultdict[tuple[str, str], list[PassRow]] = defaultdict(list)
    kinds = {one.satellite_id: one for one in context.scenario.satellites}
    for item in forecasts:
        row = item.row
        if kinds[row.satellite].session_over(row.station) is SessionKind.DUAL_DOWNLINK:
            alone[row.satellite, row.station].append(row)
        else:
            kept.append(item)
    rows, links = [], []
    for satellite in context.scenario.satellites if alone else ():
        for pair in pairs_of(satellite, context.scenario.stations):
            one, other = (alone[satellite.satellite_id, place.station_id] for place in pair)
            for i, j in shared_spans(one, other):
                both = shared_row(one[i], other[j])
                if both is None or both.acquires_at is None or both.loses_at is None:
                    continue
                used = elements[satellite.satellite_id]
                rows.append(both)
                links.append(DualLink(satellite, used, pair, both.acquires_at, both.loses_at))
    for row, gained in zip(rows, dual_forecasts(links, **_how(context, learned)), strict=True):
        candidate = dual_candidate(row, gained)
        shown = replace(
            row,
            max_elevation_deg=gained.joint_elevation_deg,
            range_km_min=gained.range_km_min,
            sifted_bits=gained.sifted_bits,
            secret_bits=gained.secret_bits,
            qber=gained.qber,
        )
        kept.append(PassForecast(row=shown, candidate=candidate))
    return kept


def _how(context: Context, learned: Learned) -> dict[str, Any]:
    """How finely links are looked at, and what is known of them."""
    settings = context.settings
    return {
        "step_s": settings.track_step_s,
        "bound": settings.bound,
        "learned": learned,
        "earth": context.earth,
    }


def _newest_epoch(known: Known, context: Context) -> str | None:
    if known.usable_until is None:
        return None
    return instant_key(known.usable_until - context.max_element_age)


def options_of(
    context: Context, ahead: PlanOutlook, rules: PlanRules, *, at: datetime
) -> tuple[Candidate, ...]:
    """Everything that could be booked: passes, and parts of those that clash, under their sky."""
    whole = [item.candidate for item in ahead.forecasts if item.candidate is not None]

    def forecasts(asked: Sequence[Part]) -> Iterator[Candidate]:
        return map(_part, asked, _keys_of(context, ahead, asked))

    # Parts start with the sky of their pass, and mostly keep it.
    weather = _weather(context, ahead, whole, at=at)
    options = with_parts(_under(weather, whole, at=at), rules, forecasts)
    parts = _under(weather, options[len(whole) :], at=at)
    return _spread(context, ahead, (*options[: len(whole)], *parts), rules)


def as_of_today(
    context: Context,
    ahead: PlanOutlook,
    booked: Iterable[Candidate],
    options: Iterable[Candidate],
    rules: PlanRules,
    *,
    at: datetime,
) -> dict[str, Candidate]:
    """What booked sessions are worth as known at `at`, by candidate; their times are as booked."""
    fresh = {option.candidate_id: option for option in options}
    found: dict[str, Candidate] = {}
    others: list[Candidate] = []
    for candidate in booked:
        option = fresh.get(candidate.candidate_id)
        if option is not None and option.loses_at == candidate.loses_at:
            found[candidate.candidate_id] = _worth(candidate, option)
        else:
            others.append(candidate)
    ours = [candidate for candidate in others if candidate.satellite_id in ahead.elements]
    asked = [(candidate, candidate.acquires_at, candidate.loses_at) for candidate in ours]
    for candidate, gained in zip(ours, _keys_of(context, ahead, asked), strict=True):
        found[candidate.candidate_id] = _worth(candidate, gained)
    worth = tuple(found.get(candidate.candidate_id, candidate) for candidate in others)
    sky = _under(_weather(context, ahead, worth, at=at), worth, at=at)
    mine = [one for one in sky if one.satellite_id in ahead.elements]
    spread = _spread(context, ahead, mine, rules)
    return found | {candidate.candidate_id: candidate for candidate in (*sky, *spread)}


def _worth(candidate: Candidate, fresh: Candidate | LinkForecast | DualForecast) -> Candidate:
    """A candidate with the key that is expected today."""
    return replace(
        candidate,
        sifted_bits=fresh.sifted_bits,
        secret_bits=float(fresh.secret_bits),
        qber=fresh.qber,
        clear_probability=getattr(fresh, "clear_probability", candidate.clear_probability),
        secret_bits_spread=getattr(fresh, "secret_bits_spread", candidate.secret_bits_spread),
    )


def _spread(
    context: Context, ahead: PlanOutlook, options: Sequence[Candidate], rules: PlanRules
) -> tuple[Candidate, ...]:
    """The options with how far passes differ from the median, where a plan asks for it."""
    if not rules.risk_aversion:
        return tuple(options)
    links, duals = _links(context, ahead, [(one, one.acquires_at, one.loses_at) for one in options])
    how, levels = _how(context, ahead.learned), (NormalDist().cdf(-1.0), NormalDist().cdf(1.0))
    alone = key_quantiles(links, levels, **how)
    shared = zip(
        *([one.secret_bits for one in dual_forecasts(duals, level=p, **how)] for p in levels),
        strict=True,
    )
    return tuple(
        replace(one, secret_bits_spread=0.0 if one.commissioning else 0.5 * (high - low))
        for one in options
        for low, high in [next(shared if len(one.station_ids) > 1 else alone)]
    )


def _keys_of(
    context: Context, ahead: PlanOutlook, asked: Sequence[Part]
) -> Iterator[LinkForecast | DualForecast]:
    """Links as today's element sets have them, each with the key expected of it."""
    links, duals = _links(context, ahead, asked)
    how = _how(context, ahead.learned)
    alone, shared = link_forecasts(links, **how), dual_forecasts(duals, **how)
    for one, _, _ in asked:
        yield next(shared) if len(one.station_ids) > 1 else next(alone)


def _links(
    context: Context, ahead: PlanOutlook, asked: Sequence[Part]
) -> tuple[list[Downlink], list[DualLink]]:
    """Links as today's element sets have them: those of one station, and of two at once."""
    scenario = context.scenario
    satellites = {one.satellite_id: one for one in scenario.satellites}
    stations = {one.station_id: one for one in scenario.stations}
    links: list[Downlink] = []
    duals: list[DualLink] = []
    for one, acquires_at, loses_at in asked:
        above = satellites[one.satellite_id], ahead.elements[one.satellite_id]
        first, *second = (stations[name] for name in one.station_ids)
        if second:
            duals.append(DualLink(*above, (first, second[0]), acquires_at, loses_at))
        else:
            links.append(Downlink(*above, first, acquires_at, loses_at))
    return links, duals


def _part(asked: Part, gained: LinkForecast | DualForecast) -> Candidate:
    """Part of a pass with its own key: a shorter block, weaker statistics."""
    whole, acquires_at, loses_at = asked
    if isinstance(gained, DualForecast):
        return part_of(
            whole,
            acquires_at,
            loses_at,
            sifted_bits=gained.sifted_bits,
            secret_bits=float(gained.secret_bits),
            qber=gained.qber,
            max_elevation_deg=gained.joint_elevation_deg,
            range_km_min=gained.range_km_min,
        )
    ends_deg = gained.acquires_elevation_deg, gained.loses_elevation_deg
    ends_km = gained.acquires_range_km, gained.loses_range_km
    return part_of(
        whole,
        acquires_at,
        loses_at,
        sifted_bits=gained.sifted_bits,
        secret_bits=float(gained.secret_bits),
        qber=gained.qber if gained.secret_bits else 0.5,
        # The pass's own extremes if they lie in this part, which samples only come near to.
        max_elevation_deg=whole.max_elevation_deg if gained.highest_between else max(ends_deg),
        range_km_min=whole.range_km_min if gained.nearest_between else min(ends_km),
    )


def _under(
    weather: Weather | None, candidates: Sequence[Candidate], *, at: datetime
) -> tuple[Candidate, ...]:
    """The candidates with the chance of a clear sky as it was known at `at`."""
    if weather is None:
        return tuple(candidates)
    found = []
    for one in candidates:
        p_clear = clear_over(weather, one, at=at)
        same = p_clear == one.clear_probability
        found.append(one if same else replace(one, clear_probability=p_clear))
    return tuple(found)


def _weather(
    context: Context, ahead: PlanOutlook, candidates: Sequence[Candidate], *, at: datetime
) -> Weather | None:
    looks = [(name, _middle(one)) for one in candidates for name in one.station_ids]
    weather, notes = weather_over(context, context.scenario.stations, looks, at=at)
    ahead.notes += notes
    return weather


def _middle(candidate: Candidate) -> datetime:
    return candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
