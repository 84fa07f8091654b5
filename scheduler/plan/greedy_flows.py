"""End-to-end flows without a solver: small steps, always to the demand served least."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from itertools import repeat

from scheduler.domain import PathSet
from scheduler.plan.greedy import Choice
from scheduler.plan.supply import Buckets, LinkKey, inflow, lasting

STEPS = 100
"""A demand is served in so many steps at most in each bucket."""

Share = tuple[int, float, float, tuple[PathSet, ...]]
"""Priority, weight, bits wanted and path sets of a demand."""
Way = tuple[tuple[str, ...], tuple[int, ...] | None]
"""Links of a path set, and how often each is used; None where each is used once."""


def greedy_flows(
    shares: Sequence[Share],
    keys: Mapping[str, LinkKey],
    choice: Choice,
    bits: Sequence[float],
    buckets: Buckets,
) -> dict[tuple[int, int, int], float]:
    """Return the bits of each (demand, path set, bucket), within the key that is there."""
    flows: dict[tuple[int, int, int], float] = defaultdict(float)
    ways = [tuple(map(_way, share[3])) for share in shares]
    served = [0.0] * len(shares)
    left = {link: float(key.supply.stock_bits) for link, key in keys.items()}
    for bucket in range(buckets.count):
        for link, key in keys.items():
            left[link] += inflow(key, choice, bits, bucket)
        spare = {link: left[link] - key.floor_bits[bucket] for link, key in keys.items()}
        waiting = [
            (-share[0], _share(share, served[number]), number)
            for number, share in enumerate(shares)
            if share[2] > served[number]
        ]
        heapify(waiting)
        while waiting:
            priority, _, number = waiting[0]
            path, step = _step(shares[number][2], ways[number], served[number], spare)
            if step <= 0.0:
                heappop(waiting)
                continue
            served[number] += step
            flows[number, path, bucket] += step
            heapreplace(waiting, (priority, _share(shares[number], served[number]), number))
        for link, key in keys.items():
            left[link] = spare[link] + key.floor_bits[bucket]
            left[link] = min(left[link], lasting(key, choice, bits, buckets, bucket))
    return flows


def _share(share: Share, served: float) -> float:
    _, weight, wanted, _ = share
    return served / wanted / weight


def _way(path: PathSet) -> Way:
    times = tuple(count for _, count in path.uses)
    return tuple(link for link, _ in path.uses), None if set(times) == {1} else times


def _room(way: Way, spare: dict[str, float]) -> float:
    """Return the bits that a path set has key for."""
    links, times = way
    if times is None:  # of most, and there are thousands of steps
        return min(map(spare.__getitem__, links))
    return min(spare[link] / count for link, count in zip(links, times, strict=True))


def _step(
    wanted: float, ways: Sequence[Way], served: float, spare: dict[str, float]
) -> tuple[int, float]:
    """Draw one step along the path set with most key; return which and its bits, 0 if none."""
    room = [_room(way, spare) for way in ways]
    best = room.index(max(room))
    step = min(wanted / STEPS, wanted - served, room[best])
    if step <= wanted * 1e-9:
        return best, 0.0
    links, times = ways[best]
    for link, count in zip(links, times or repeat(1)):  # noqa: B905 - as many as there are links
        spare[link] -= step * count
    return best, step
