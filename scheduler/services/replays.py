"""What a replay came to, read back from the ledger and from nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from qkd import binomial_bars, reliability
from scheduler.domain import (
    KeyGain,
    PairTally,
    Pool,
    Reliability,
    ReplaySummary,
    SettledPass,
    StationTally,
    UnplannedSpan,
    station_ids,
)
from scheduler.ledger.books.runs import bind_facts, get_run_facts
from scheduler.ledger.keys.blocks import get_waiting_blocks
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.reader import get_commands, latest_instant
from scheduler.services.audit import verify_ledger
from scheduler.services.keys.announce import waiting_views

if TYPE_CHECKING:
    from scheduler.domain import Demand
    from scheduler.ledger import Reader
    from scheduler.network import Scenario
    from scheduler.services.context import Context

DAY = timedelta(days=1)
LEVELS = tuple(tenth / 10 for tenth in range(1, 10))
"""Quantiles of the forecasts that a replay is held to."""


def summarise(
    context: Context, *, start: datetime, end: datetime, seed: int, continued: bool
) -> ReplaySummary:
    """Add up the answers of every plan, settlement and merge, and verify the ledger."""
    with context.view.read() as reader:
        plans, settled, closed, merges = (
            _answers(reader, kind) for kind in ("plan", "settle", "close-block", "merge")
        )
        balances = get_balances(reader)
        waiting = waiting_views(get_waiting_blocks(reader))
    passes = tuple(_settled_pass(answer) for answer in settled)
    return ReplaySummary(
        scenario=context.scenario.name,
        seed=seed,
        start=start,
        end=end,
        planner=context.settings.planner,
        objective=context.settings.objective,
        stations=_stations(context, plans, settled, closed),
        pairs=_pairs(merges),
        refusals={name: found.refusal for name, found in context.routes.items() if found.refusal},
        settled=passes,
        closed=tuple(_closed_block(answer) for answer in closed),
        reliability=_reliability(passes),
        unplanned=_unplanned(plans),
        balances=balances,
        asked_bits=_demanded_bits(context.scenario.demands, end - start),
        left_bits=_left(context.scenario, balances),
        waiting=tuple(waiting),
        elements_used=tuple(
            sorted({datetime.fromisoformat(text) for plan in plans for text in plan["epochs"]})
        ),
        ledger_problems=verify_ledger(context).problems,
        continued=continued,
    )


def bind_run(context: Context, facts: dict[str, Any]) -> bool:
    """Tie the database to one run; True if it already was tied to this very run."""
    with context.ledger.begin() as tx:
        bound = bool(get_run_facts(tx))
        bind_facts(tx, facts)
    return bound


def done_until(context: Context) -> datetime | None:
    """The instant before which a replay has done all that was due; None if that is not known.

    Work is done in order of time, and the trunk's deposits end where a replay does: a session may
    be settled later, and a merge be asked for by hand.
    """
    with context.view.read() as reader:
        return latest_instant(reader, ("trunk",))


def _answers(reader: Reader, kind: str) -> list[dict[str, Any]]:
    """The answers to every command of one kind, in the order they were given."""
    found: list[dict[str, Any]] = []
    after = 0
    while page := get_commands(reader, kind=kind, after=after):
        found += [command.answer for command in page]
        after = page[-1].command_id
    return found


def _stations(
    context: Context,
    plans: list[dict[str, Any]],
    settled: list[dict[str, Any]],
    closed: list[dict[str, Any]],
) -> tuple[StationTally, ...]:
    counted = {name: Counter[str]() for name in ("passes", "dark", "booked")}
    for plan in plans:
        for name, counter in counted.items():
            counter.update(plan[name])
    sums = {name: Counter[str]() for name in ("settled", "sifted_bits", "secret_bits")}
    for answer in settled:
        for station in station_ids(answer["station"]):
            sums["settled"][station] += 1
            for name in ("sifted_bits", "secret_bits"):
                sums[name][station] += answer[name]
    for answer in closed:
        for station in station_ids(answer["station"]):
            sums["secret_bits"][station] += answer["secret_bits"]
    return tuple(
        StationTally(
            station=station.station_id,
            **{name: counter[station.station_id] for name, counter in {**counted, **sums}.items()},
        )
        for station in context.scenario.stations
    )


def _pairs(merges: list[dict[str, Any]]) -> tuple[PairTally, ...]:
    count, bits = Counter[str](), Counter[str]()
    for merge in merges:
        for step in merge["steps"]:
            count[step["pool"]] += 1
            bits[step["pool"]] += step["bits"]
    pools = [Pool.parse(pool_id) for pool_id in sorted(bits)]
    return tuple(
        PairTally(
            node_a=pool.node_a,
            node_b=pool.node_b,
            merges=count[pool.pool_id],
            merged_bits=bits[pool.pool_id],
        )
        for pool in pools
    )


def _demanded_bits(demands: Iterable[Demand], time: timedelta) -> dict[str, int]:
    """Bits that each pair asks for in so long a time."""
    asked = Counter[str]()
    for demand in demands:
        pool = demand.pool
        asked[f"{pool.node_a}--{pool.node_b}"] += round(demand.bits_per_day * (time / DAY))
    return dict(sorted(asked.items()))


def _left(scenario: Scenario, balances: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Bits on each station's links through the sky, those that wait for an announcement too."""
    sky = [link.pool for link in scenario.links if not link.is_fibre]
    return {
        station.station_id: sum(
            balances.get(pool.pool_id, {}).get(account, 0)
            for pool in sky
            if station.node in (pool.node_a, pool.node_b)
            for account in ("pool", "received")
        )
        for station in scenario.stations
    }


def _settled_pass(answer: dict[str, Any]) -> SettledPass:
    return SettledPass(
        satellite=answer["satellite"],
        station=answer["station"],
        acquires_at=datetime.fromisoformat(answer["acquires_at"]),
        max_elevation_deg=answer["max_elevation_udeg"] / 1e6,
        expected_secret_bits=float(answer["expected_secret_bits"]),
        sifted_bits=answer["sifted_bits"],
        secret_bits=answer["secret_bits"],
        qber=answer["qber_ppm"] / 1e6,
        below=None if answer["below_ppm"] is None else answer["below_ppm"] / 1e6,
    )


def _closed_block(answer: dict[str, Any]) -> KeyGain:
    return KeyGain(
        station=answer["station"],
        at=datetime.fromisoformat(answer["closed_at"]),
        secret_bits=answer["secret_bits"],
    )


def _reliability(settled: Iterable[SettledPass]) -> tuple[Reliability, ...]:
    """How often sessions stayed below each decile that was forecast of them."""
    below = [one.below for one in settled if one.below is not None]
    if not below:
        return ()
    found = reliability(below, LEVELS)
    low, high = binomial_bars(found * len(below), len(below))
    return tuple(
        Reliability(
            level=level,
            sessions=len(below),
            frequency=float(frequency),
            low=float(least),
            high=float(most),
        )
        for level, frequency, least, most in zip(LEVELS, found, low, high, strict=True)
    )


def _unplanned(plans: list[dict[str, Any]]) -> tuple[UnplannedSpan, ...]:
    """Join the unplanned parts of successive windows that share a newest element set."""
    spans: list[UnplannedSpan] = []
    for part in (item for plan in plans for item in plan["unplanned"]):
        epoch = part["newest_epoch"]
        start, end = (datetime.fromisoformat(part[name]) for name in ("start", "end"))
        newest = datetime.fromisoformat(epoch) if epoch else None
        if spans and spans[-1].end == start and spans[-1].newest_epoch == newest:
            start = spans.pop().start
        spans.append(
            UnplannedSpan(start=start, end=end, newest_epoch=newest, reason=part["reason"])
        )
    return tuple(spans)
