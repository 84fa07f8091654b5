"""What a replay came to, read back from the ledger and from nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
ANSWERS_AT_ONCE = 200
LEVELS = tuple(tenth / 10 for tenth in range(1, 10))
"""Quantiles of the forecasts that a replay is held to."""


def summarise(
    context: Context, *, start: datetime, end: datetime, seed: int, continued: bool
) -> ReplaySummary:
    """Add up the answers of every plan, settlement and merge, and verify the ledger."""
    with context.view.read() as reader:
        planned = _Planned.of(_answers(reader, "plan"))
        passes = tuple(_settled_pass(answer) for answer in _answers(reader, "settle"))
        closed = tuple(_closed_block(answer) for answer in _answers(reader, "close-block"))
        pairs = _pairs(_answers(reader, "merge"))
        balances = get_balances(reader)
        waiting = waiting_views(get_waiting_blocks(reader))
    return ReplaySummary(
        scenario=context.scenario.name,
        seed=seed,
        start=start,
        end=end,
        planner=context.settings.planner,
        objective=context.settings.objective,
        stations=_stations(context, planned.counted, passes, closed),
        pairs=pairs,
        refusals={name: found.refusal for name, found in context.routes.items() if found.refusal},
        settled=passes,
        closed=closed,
        reliability=_reliability(passes),
        unplanned=planned.unplanned,
        balances=balances,
        asked_bits=_demanded_bits(context.scenario.demands, end - start),
        left_bits=_left(context.scenario, balances),
        waiting=tuple(waiting),
        elements_used=planned.epochs,
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


def _answers(reader: Reader, kind: str) -> Iterator[dict[str, Any]]:
    """The answers to every command of one kind, in the order they were given.

    Not held together: those of ten years take more memory than all else.
    """
    after = 0
    while page := get_commands(reader, kind=kind, after=after, limit=ANSWERS_AT_ONCE):
        yield from (command.answer for command in page)
        after = page[-1].command_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """What the plans of a replay come to."""

    counted: dict[str, Counter[str]]  #: passes, dark and booked ones, by station
    unplanned: tuple[UnplannedSpan, ...]
    epochs: tuple[datetime, ...]

    @classmethod
    def of(cls, plans: Iterable[dict[str, Any]]) -> _Planned:
        counted = {name: Counter[str]() for name in ("passes", "dark", "booked")}
        parts: list[dict[str, Any]] = []
        epochs: set[str] = set()
        for plan in plans:
            for name, counter in counted.items():
                counter.update(plan[name])
            parts += plan["unplanned"]
            epochs.update(plan["epochs"])
        return cls(
            counted=counted,
            unplanned=_unplanned(parts),
            epochs=tuple(sorted(map(datetime.fromisoformat, epochs))),
        )


def _stations(
    context: Context,
    counted: Mapping[str, Counter[str]],
    passes: Iterable[SettledPass],
    closed: Iterable[KeyGain],
) -> tuple[StationTally, ...]:
    sums = {name: Counter[str]() for name in ("settled", "sifted_bits", "secret_bits")}
    for one in passes:
        for station in station_ids(one.station):
            sums["settled"][station] += 1
            sums["sifted_bits"][station] += one.sifted_bits
            sums["secret_bits"][station] += one.secret_bits
    for gain in closed:
        for station in station_ids(gain.station):
            sums["secret_bits"][station] += gain.secret_bits
    return tuple(
        StationTally(
            station=station.station_id,
            **{name: counter[station.station_id] for name, counter in {**counted, **sums}.items()},
        )
        for station in context.scenario.stations
    )


def _pairs(merges: Iterable[dict[str, Any]]) -> tuple[PairTally, ...]:
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


def _unplanned(parts: Iterable[dict[str, Any]]) -> tuple[UnplannedSpan, ...]:
    """Join the unplanned parts of successive windows that share a newest element set."""
    spans: list[UnplannedSpan] = []
    for part in parts:
        epoch = part["newest_epoch"]
        start, end = (datetime.fromisoformat(part[name]) for name in ("start", "end"))
        newest = datetime.fromisoformat(epoch) if epoch else None
        if spans and spans[-1].end == start and spans[-1].newest_epoch == newest:
            start = spans.pop().start
        spans.append(
            UnplannedSpan(start=start, end=end, newest_epoch=newest, reason=part["reason"])
        )
    return tuple(spans)
