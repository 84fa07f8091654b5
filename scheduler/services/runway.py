"""Use case: how long each pair's key lasts by what is booked, and what losing a pass would cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from scheduler.domain import (
    TERMINAL_STATES,
    Booking,
    Candidate,
    Outage,
    Pool,
    RunwayAnswer,
    RunwayChange,
    RunwayPassRow,
    RunwayRow,
    instant_key,
)
from scheduler.dual import DualLink, dual_forecasts
from scheduler.entropy import KeyedEntropy
from scheduler.errors import InputError
from scheduler.forecast import Downlink, key_quantiles
from scheduler.ledger.books import outages
from scheduler.ledger.books.bookings import get_bookings
from scheduler.ledger.keys.blocks import get_waiting_blocks
from scheduler.ledger.keys.stock import get_expiring_stock, get_stock
from scheduler.ledger.reader import last_command
from scheduler.network import pool_of, stations_of
from scheduler.plan import PlanProblem, demand_served
from scheduler.runway import (
    Band,
    Change,
    Runway,
    RunwayLink,
    RunwayPair,
    RunwayPass,
    RunwayProblem,
    RunwayWay,
    quantiles_of,
    shares_of,
)
from scheduler.services.learning import learned_by
from scheduler.services.outages import meets, out_of_service
from scheduler.services.plans.directives import parse_pass
from scheduler.services.plans.inputs import coming_key, demand_facts, rules_of
from scheduler.services.viewing import shown_bookings

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.plan import PlannedFlow
    from scheduler.services.context import Context

DAYS = 7.0
DAYS_MIN = 0.01  # a quarter of an hour: less is no look ahead
DAYS_MAX = 60.0
DRAWS = 100
LEVELS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
"""Quantiles between which a session's key is drawn; what lies outside counts as the nearest."""
DAY_S = 86_400.0
HOUR_S = 3600.0
DEG_PER_HOUR = 15.0


@dataclass(frozen=True, slots=True)
class _Standing:
    """One look at the ledger, and the runway that follows from it."""

    at: datetime
    end: datetime
    bookings: tuple[Booking, ...]
    runway: Runway
    demands: dict[str, tuple[str, ...]]  #: pool -> its demands, or those that it carries
    notes: tuple[str, ...]


def key_runway(
    context: Context,
    *,
    days: float = DAYS,
    at: datetime | None = None,
    without: Sequence[str] = (),
) -> RunwayAnswer:
    """The runway of every pair and link from now on, over that many days.

    `without` takes sessions away: SATELLITE/STATION/INSTANT for a pass, or a station's name for
    all of its sessions. What a pair loses by that is in `changes`.

    Sessions' outcomes are drawn from the forecast of each: the sky of a station is clear or not
    for a whole night, the key spreads as its link's passes do. The same question gives the same
    draws. Flows are held at the shares of the best flows over what is booked.

    Raises InputError for days out of range or a pass that is not booked, UnknownName.
    """
    if not DAYS_MIN <= days <= DAYS_MAX:
        raise InputError(f"days {days:g}; allowed: {DAYS_MIN:g} to {DAYS_MAX:g}")
    at = at or context.clock.now()
    end = at + timedelta(days=days)
    with context.view.read() as reader:
        context.check_scenario(reader)
        # A minute's key is no part of a runway's answer; a new command may be.
        key = (last_command(reader), int(at.timestamp() // 60), days)
        with context.runways.of(key, lambda: _look(context, reader, at, end)) as standing:
            return _answer(context, standing, _taken(context, standing, without))


def _look(context: Context, reader: Reader, at: datetime, end: datetime) -> _Standing:
    """Read what stands, and let the flows over it say who lives on which link."""
    found = shown_bookings(context, get_bookings(reader, since=at, until=end))
    closed = outages.standing(reader.connection, since=at, until=end)
    ahead = tuple(
        booking
        for booking in found
        if booking.state not in TERMINAL_STATES and at <= booking.candidate.loses_at < end
    )
    usable = tuple(b for b in ahead if not any(meets(one, b.candidate) for one in closed))
    stock = get_stock(reader, at=at)
    coming = coming_key(
        context,
        get_waiting_blocks(reader),
        [booking.candidate for booking in usable],
        present=at,
    )
    facts = demand_facts(context, stock, get_expiring_stock(reader, at=at), coming)
    problem = PlanProblem(
        candidates=(),
        rules=rules_of(context),
        bookings=tuple(replace(booking, locked=True) for booking in usable),
        now=at,
        starts_at=at,
        ends_at=end,
        **facts,
    )
    flows = demand_served(problem, ()).flows if problem.demands else ()
    return _Standing(
        at=at,
        end=end,
        bookings=usable,
        runway=Runway(_runway_problem(context, problem, usable, flows, (end - at).total_seconds())),
        demands=_demands_by_pool(problem, flows),
        notes=(
            *(() if flows else ("nothing in stock, booked or refilled serves any demand",)),
            *_closed(ahead, closed),
        ),
    )


def _closed(ahead: Sequence[Booking], closed: Sequence[Outage]) -> Iterator[str]:
    """Yield a sentence for each outage that takes sessions away."""
    for outage in closed:
        hit = [one.candidate for one in ahead if meets(outage, one.candidate)]
        if hit:
            first = f"{hit[0].satellite_id}/{hit[0].station_id} {hit[0].acquires_at:%m-%d %H:%M}"
            more = f" and {len(hit) - 1} more" if len(hit) > 1 else ""
            yield f"not counted: {first}{more}, for {out_of_service(outage)}"


def _runway_problem(
    context: Context,
    problem: PlanProblem,
    bookings: Iterable[Booking],
    flows: Iterable[PlannedFlow],
    horizon_s: float,
) -> RunwayProblem:
    """A pair draws what its demands want; a link what the flows take of it."""
    assert problem.now is not None
    pools = {demand.demand_id: demand.pool.pool_id for demand in problem.demands}
    parts = [(pools[one.demand_id], one.path_set.uses, one.bits) for one in flows]
    taken: dict[str, float] = defaultdict(float)
    for _, uses, bits in parts:
        for pool_id, times in uses:
            taken[pool_id] += bits * times
    wanted: dict[str, float] = defaultdict(float)
    held = {pools[name]: bits for name, bits in problem.pair_stock.items()}
    for demand in problem.demands:
        wanted[demand.pool.pool_id] += demand.bits_per_day / DAY_S
    links = {
        one.pool_id: RunwayLink(
            pool_id=one.pool_id,
            stock_bits=one.stock_bits,
            refill_bps=one.refill_bits_per_day / DAY_S,
        )
        for one in problem.supplies
    }
    candidates = [booking.candidate for booking in bookings]
    passes = [
        _drawn(context, candidate, bits, problem.now)
        for candidate, bits in zip(candidates, _spread(context, candidates), strict=True)
    ]
    for supply in problem.supplies:
        for number, (when, bits) in enumerate(supply.coming):
            passes.append(
                RunwayPass(
                    name=f"announcement {number} of {supply.pool_id}",
                    pool_id=supply.pool_id,
                    usable_s=max(0.0, (when - problem.now).total_seconds()),
                    draws_bits=np.full(DRAWS, float(bits)),
                )
            )
    for one in passes:
        links.setdefault(one.pool_id, RunwayLink(pool_id=one.pool_id))
    return RunwayProblem(
        horizon_s=horizon_s,
        links=tuple(links.values()),
        passes=tuple(passes),
        ways=(
            *shares_of(parts),
            *(RunwayWay(pair_id=pool_id, shares={pool_id: 1.0}) for pool_id in links),
        ),
        pairs=(
            *(
                RunwayPair(pair_id=pool_id, stock_bits=held.get(pool_id, 0), draw_bps=draw_bps)
                for pool_id, draw_bps in wanted.items()
            ),
            *(
                RunwayPair(pair_id=pool_id, stock_bits=0.0, draw_bps=taken[pool_id] / horizon_s)
                for pool_id in links
            ),
        ),
    )


def _spread(context: Context, candidates: Sequence[Candidate]) -> Iterator[tuple[int, ...]]:
    """The key of each session at LEVELS, by its preset and what its link's sessions taught."""
    links: list[Downlink] = []
    duals: list[DualLink] = []
    for candidate in candidates:
        satellite = context.satellite(candidate.satellite_id)
        elements = context.elements_of_epoch(satellite.norad_id, candidate.elements_epoch)
        first, *second = stations_of(context.scenario, candidate.station_id)
        span = candidate.acquires_at, candidate.loses_at
        if second:
            duals.append(DualLink(satellite, elements, (first, second[0]), *span))
        else:
            links.append(Downlink(satellite, elements, first, *span))
    how: dict[str, Any] = {
        "step_s": context.settings.track_step_s,
        "bound": context.settings.bound,
        "learned": learned_by(context, context.clock.now()),
        "earth": context.earth,
    }
    alone = key_quantiles(links, LEVELS, **how)
    shared = zip(
        *([one.secret_bits for one in dual_forecasts(duals, level=p, **how)] for p in LEVELS),
        strict=True,
    )
    for candidate in candidates:
        yield next(shared) if len(candidate.station_ids) > 1 else next(alone)


def _drawn(
    context: Context, candidate: Candidate, bits: Sequence[int], now: datetime
) -> RunwayPass:
    """A session with its outcomes: between the quantiles of its key, nothing under clouds.

    Assumed: a station's sky is the same for all sessions of one of its nights, and stations'
    skies know nothing of each other.
    """
    station = context.scenario.station(candidate.station_ids[0])
    night = candidate.acquires_at + timedelta(hours=station.lon_deg / DEG_PER_HOUR - 12.0)
    draws = KeyedEntropy(0)
    # Of a dual downlink the sky over both, as one that is clear as often.
    sky = draws.generator("runway-sky", candidate.station_id, str(night.date())).random(DRAWS)
    level = draws.generator("runway-key", candidate.pass_id).random(DRAWS)
    return RunwayPass(
        name=candidate.candidate_id,
        pool_id=pool_of(context.scenario, candidate.satellite_id, candidate.station_id).pool_id,
        usable_s=max(0.0, (candidate.loses_at - now).total_seconds()),
        draws_bits=np.interp(level, LEVELS, bits) * (sky < candidate.clear_probability),
    )


def _demands_by_pool(
    problem: PlanProblem, flows: Iterable[PlannedFlow]
) -> dict[str, tuple[str, ...]]:
    """The demands of each pair, and those whose flows each link carries."""
    found: dict[str, set[str]] = defaultdict(set)
    for demand in problem.demands:
        found[demand.pool.pool_id].add(demand.demand_id)
    for flow in flows:
        for pool_id, _ in flow.path_set.uses:
            found[pool_id].add(flow.demand_id)
    return {pool_id: tuple(sorted(names)) for pool_id, names in found.items()}


def _taken(context: Context, standing: _Standing, without: Sequence[str]) -> list[Booking]:
    """The bookings that a question takes away. Raises InputError for what takes none away."""
    gone: dict[str, Booking] = {}
    for text in without:
        if "/" in text:
            subject = parse_pass(context, text)
            mine = [b for b in standing.bookings if subject.means(b.candidate)]
        else:
            (station,) = context.stations([text])
            mine = [b for b in standing.bookings if station.station_id in b.candidate.station_ids]
        if not mine:
            raise InputError(
                f"{text[:80]} has none of the {len(standing.bookings)} sessions booked until"
                f" {instant_key(standing.end)}"
            )
        gone |= {booking.candidate.candidate_id: booking for booking in mine}
    return list(gone.values())


def _answer(context: Context, standing: _Standing, gone: Sequence[Booking]) -> RunwayAnswer:
    runway = standing.runway
    names = frozenset(booking.candidate.candidate_id for booking in gone)
    bands = runway.without(names)
    changes = runway.changes(names) if names else ()
    rows = {
        pair.pair_id: _row(standing, pair, bands[pair.pair_id], names)
        for pair in runway.problem.pairs
    }
    pairs = {demand.pool.pool_id for demand in context.scenario.demands}
    return RunwayAnswer(
        at=standing.at,
        end=standing.end,
        draws=DRAWS,
        pairs=tuple(row for name, row in rows.items() if name in pairs),
        links=tuple(row for name, row in rows.items() if name not in pairs),
        passes=tuple(_pass_row(standing, booking, names) for booking in standing.bookings),
        changes=tuple(
            RunwayChange(
                pool_id=change.pair_id,
                earlier_s=change.earlier_s,
                short_bits=change.short_bits,
                why=f"without {_label(gone)}, {_words(standing, change)}",
            )
            for change in changes
            if change.pair_id in pairs
        ),
        notes=standing.notes,
    )


def _row(standing: _Standing, pair: RunwayPair, band: Band, gone: frozenset[str]) -> RunwayRow:
    problem = standing.runway.problem
    mine = {pool for way in problem.ways if way.pair_id == pair.pair_id for pool in way.shares}
    helps = [one for one in problem.passes if one.pool_id in mine and one.name not in gone]
    first = min(helps, key=lambda one: one.usable_s, default=None)
    refilled = any(link.refill_bps for link in problem.links if link.pool_id == pair.pair_id)
    booked = {b.candidate.candidate_id: b.candidate.pass_id for b in standing.bookings}
    named = [one for one in helps if one.name in booked]
    next_pass = min(named, key=lambda one: one.usable_s, default=None)
    # A link's stock is its own; a pair's is what merges already gave it.
    return RunwayRow(
        pool_id=pair.pair_id,
        demands=standing.demands.get(pair.pair_id, ()),
        stock_bits=int(band.bits[0][0]),
        draw_bps=pair.draw_bps,
        dry_at=_instants(standing.at, band.dry_s),
        short_bits=band.short_bits,
        times=tuple(standing.at + timedelta(seconds=float(s)) for s in band.times_s),
        bits=tuple(tuple(map(float, line)) for line in band.bits),
        next_pass=None if next_pass is None else booked[next_pass.name],
        next_deposit_at=standing.at
        if refilled
        else None
        if first is None
        else standing.at + timedelta(seconds=first.usable_s),
    )


def _pass_row(standing: _Standing, booking: Booking, gone: frozenset[str]) -> RunwayPassRow:
    candidate = booking.candidate
    (drawn,) = (one for one in standing.runway.problem.passes if one.name == candidate.candidate_id)
    return RunwayPassRow(
        pass_id=candidate.pass_id,
        satellite=candidate.satellite_id,
        station=candidate.station_id,
        acquires_at=candidate.acquires_at,
        usable_at=standing.at + timedelta(seconds=drawn.usable_s),
        pool_id=drawn.pool_id,
        bits=quantiles_of(drawn.draws_bits),
        counted=candidate.candidate_id not in gone,
    )


def _instants(
    at: datetime, seconds: tuple[float, float, float]
) -> tuple[datetime | None, datetime | None, datetime | None]:
    low, middle, high = (None if s == np.inf else at + timedelta(seconds=s) for s in seconds)
    return low, middle, high


def _label(gone: Sequence[Booking]) -> str:
    """What was taken away: micius/nanshan 12-19 16:53, or how many sessions."""
    if len(gone) > 1:
        return f"{len(gone)} sessions"
    candidate = gone[0].candidate
    return f"{candidate.satellite_id}/{candidate.station_id} {candidate.acquires_at:%m-%d %H:%M}"


def _words(standing: _Standing, change: Change) -> str:
    """What a pair loses, in words: by the median first, by the mean of the draws else."""
    name = Pool.parse(change.pair_id)
    pair = f"{name.node_a}--{name.node_b}"
    sooner_s = change.before_s - change.after_s
    if sooner_s == np.inf:
        when = standing.at + timedelta(seconds=change.after_s)
        return f"{pair} runs dry on {when:%m-%d %H:%M} instead of after {standing.end:%m-%d %H:%M}"
    if abs(sooner_s) >= HOUR_S:
        return f"{pair} runs dry {sooner_s / HOUR_S:,.0f} h earlier"
    if change.short_bits >= 1.0:
        return f"{pair} lacks {change.short_bits:,.0f} bits more by {standing.end:%m-%d %H:%M}"
    return f"{pair} runs dry {change.earlier_s / HOUR_S:,.1f} h earlier in the mean of the draws"
