"""Key on the links, bucket of time by bucket: stock, refill, sessions, reserve, expiry.

Of a satellite's key two things are assumed. What waits for its announcement at the start is no
stock, and counts from the bucket that the problem names for it (`LinkSupply.coming`). What a
session of the plan brings counts from the bucket of its LOS, as if a contact to announce it
followed in the same bucket: within a night one mostly does, and whether one follows the last
session of a bucket is for the next plan to know. That gives a scarce link its session though the
key comes a day later: counted for its own night alone, the last pass of a night would be worth
nothing to any demand. The price, over three fortnights of Micius replayed: a plan that had all
demands served was once 19,200 bits (0.4 %) behind one that booked a short pass more (2016-12-21).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.domain import Candidate, LinkSupply, Pool
from scheduler.errors import PlanError
from scheduler.plan.greedy import Choice
from scheduler.plan.model import Model, worth
from scheduler.plan.problem import PlanProblem

DAY_S = 86_400.0
BUCKETS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Buckets:
    """Equal spans of time from `start`; what is merged in one is merged at its end."""

    start: datetime
    length_s: float
    count: int

    def of(self, when: datetime) -> int | None:
        """The bucket in which key made at an instant first counts; None outside."""
        bucket = int((when - self.start).total_seconds() // self.length_s)
        return bucket if 0 <= bucket < self.count else None

    def end(self, bucket: int) -> datetime:
        """The end of a bucket, when its key is merged."""
        return self.start + timedelta(seconds=self.length_s * (bucket + 1))

    @property
    def days(self) -> float:
        """Length of all buckets, in days."""
        return self.count * self.length_s / DAY_S


def buckets_of(problem: PlanProblem, options: Sequence[Candidate]) -> Buckets:
    """The buckets from `starts_at` (or the first UTC day) to `ends_at` (or the last LOS)."""
    candidates = [*options, *problem.candidates]
    times = [candidate.acquires_at for candidate in candidates]
    start = problem.starts_at or problem.now
    if start is None:
        if not times:
            raise PlanError("a plan for demands without candidates needs starts_at and ends_at")
        start = min(times).replace(hour=0, minute=0, second=0, microsecond=0)
    last = max((candidate.loses_at for candidate in candidates), default=start)
    end = problem.ends_at or max(last, start)
    count = max(1, -int(-(end - start).total_seconds() // problem.bucket_s))
    if count > BUCKETS_MAX:
        raise PlanError(
            f"{start} to {end} is {count} buckets of {problem.bucket_s:g} s; allowed: {BUCKETS_MAX}"
        )
    return Buckets(start, problem.bucket_s, count)


@dataclass(slots=True)
class LinkKey:
    """One link: what it has without sessions, and the options that would fill it.

    A reserve is kept as far as stock and refill cover it without any session.
    """

    supply: LinkSupply
    options: list[list[int]]  #: by bucket of LOS
    refill_bits: float  #: a bucket
    coming_bits: list[float]  #: by bucket: waits at the start, announced in it
    floor_bits: list[float]  #: by bucket: the reserve that must be left
    lasting_bits: list[float]  #: by bucket: stock and refill not yet expired at its end
    expires: bool  #: key of this link expires at some time

    def can_give(self) -> bool:
        """True if any key of it may ever be used."""
        spare = self.supply.stock_bits + self.refill_bits * len(self.options)
        spare += sum(self.coming_bits)
        return spare > self.floor_bits[-1] or any(self.options)


def link_keys(model: Model, buckets: Buckets, links: Iterable[str]) -> dict[str, LinkKey]:
    """The named links, with the model's options on each."""
    problem = model.problem
    supplies = {supply.pool_id: supply for supply in problem.supplies}
    by_link: dict[str, list[list[int]]] = defaultdict(lambda: [[] for _ in range(buckets.count)])
    for option, candidate in enumerate(model.options):
        bucket = buckets.of(candidate.loses_at)
        useful = model.fixed[option] or (model.open[option] and model.value[option] > 0.0)
        if bucket is not None and useful:
            by_link[link_of(candidate, problem)][bucket].append(option)
    return {
        link: _link_key(supplies.get(link, LinkSupply(pool_id=link)), by_link[link], buckets)
        for link in sorted(set(links))
    }


def link_of(candidate: Candidate, problem: PlanProblem) -> str:
    """The pool that a candidate's session fills."""
    if candidate.station_id in problem.pair_pools:
        return problem.pair_pools[candidate.station_id]
    node = problem.station_nodes.get(candidate.station_id, candidate.station_id)
    return Pool.link(candidate.satellite_id, node).pool_id


def bits_of(model: Model) -> list[float]:
    """What each option is expected to bring, less the risk."""
    risk = model.problem.rules.risk_aversion
    return [worth(candidate, risk) for candidate in model.options]


def _link_key(supply: LinkSupply, options: list[list[int]], buckets: Buckets) -> LinkKey:
    refill_bits = supply.refill_bits_per_day * buckets.length_s / DAY_S
    coming_bits = _coming_bits(supply, buckets)
    floor_bits: list[float] = []
    lasting_bits: list[float] = []
    have = float(supply.stock_bits)
    for bucket in range(buckets.count):
        end = buckets.end(bucket)
        expired = sum(bits for when, bits in supply.expiring if when <= end)
        filled = sum(
            refill_bits for k in range(bucket + 1) if _lasts(supply, buckets.end(k - 1), end)
        )
        come = sum(coming_bits[: bucket + 1])
        lasting_bits.append(supply.stock_bits - expired + filled + come)
        have = min(have + refill_bits + coming_bits[bucket], lasting_bits[-1])
        if supply.buffer_bits is not None:
            have = min(have, supply.buffer_bits)
        floor_bits.append(min(float(supply.reserve_bits), have))
    expires = supply.lifetime_s is not None or bool(supply.expiring)
    return LinkKey(supply, options, refill_bits, coming_bits, floor_bits, lasting_bits, expires)


def _coming_bits(supply: LinkSupply, buckets: Buckets) -> list[float]:
    """What waits at the start, by the bucket in which it can first be used."""
    found = [0.0] * buckets.count
    for when, bits in supply.coming:
        bucket = buckets.of(max(when, buckets.start))
        if bucket is not None:
            found[bucket] += bits
    return found


def _lasts(supply: LinkSupply, made: datetime, until: datetime) -> bool:
    return supply.lifetime_s is None or made + timedelta(seconds=supply.lifetime_s) > until


def lasting_options(key: LinkKey, model: Model, buckets: Buckets, bucket: int) -> Iterable[int]:
    """Options up to a bucket whose key has not expired at its end."""
    for options in key.options[: bucket + 1]:
        for option in options:
            if _lasts(key.supply, model.options[option].loses_at, buckets.end(bucket)):
                yield option


def inflow(key: LinkKey, choice: Choice, bits: Sequence[float], bucket: int) -> float:
    """What comes to a link in a bucket by refill, by announcement and by what is booked."""
    booked = sum(bits[i] for i in key.options[bucket] if choice.chosen[i])
    return key.refill_bits + key.coming_bits[bucket] + booked


def lasting(
    key: LinkKey, choice: Choice, bits: Sequence[float], buckets: Buckets, bucket: int
) -> float:
    """Most key a link can hold at the end of a bucket, given what is booked."""
    booked = sum(
        bits[i] for i in lasting_options(key, choice.model, buckets, bucket) if choice.chosen[i]
    )
    most = key.lasting_bits[bucket] + booked
    limit = key.supply.buffer_bits
    return most if limit is None else min(most, float(limit))
