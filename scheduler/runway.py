"""The key runway: how long each pair's key lasts, and which pass that hangs on. Pure.

Quantiles do not add, so the sessions' outcomes are drawn N times and every link and pair is
followed through each draw. The flows are held at the plan's shares: of a link's key each way
of a pair gets the part that the plan's flows give it, and a way turns out end-to-end key as
fast as its slowest link. Nothing is solved anew; a full re-solve can only do better.

Key that expires, buffers that overflow and reserves are left to the plan, whose flows respect
them; here a link's key counts from when its session's key can be used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import FactError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

DAY_S = 86_400.0
QUANTILES = (0.1, 0.5, 0.9)
LEVELS_MAX = 97  # Points of a band: what a page draws, and no more quantiles than that.


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwayLink:
    """One link's key: what is there, and what comes without any session."""

    pool_id: str
    stock_bits: float = 0.0
    refill_bps: float = 0.0

    def __post_init__(self) -> None:
        _at_least_zero(self.pool_id, stock_bits=self.stock_bits, refill_bps=self.refill_bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwayPass:
    """A session to come: which link it fills, from when, and its bits in each draw."""

    name: str  #: of its pass, satellite/station/rise
    pool_id: str
    usable_s: float  #: seconds from now until its key can be used
    draws_bits: FloatArray  #: one outcome a draw, weather included

    def __post_init__(self) -> None:
        draws = np.asarray(self.draws_bits, dtype=np.float64)
        if draws.ndim != 1 or not draws.size or not np.isfinite(draws).all() or (draws < 0).any():
            raise FactError(f"{self.name}: draws_bits; allowed: a row of numbers from 0 up")
        _at_least_zero(self.name, usable_s=self.usable_s)
        object.__setattr__(self, "draws_bits", draws)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwayWay:
    """One way of a pair: the part of each link's key that the plan gives it."""

    pair_id: str
    shares: Mapping[str, float]  #: pool_id -> end-to-end bits per bit of that link's key

    def __post_init__(self) -> None:
        if not self.shares:
            raise FactError(f"a way of pair {self.pair_id} uses no link")
        _at_least_zero(f"a way of pair {self.pair_id}", **self.shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwayPair:
    """What applications of a pair hold, and draw."""

    pair_id: str
    stock_bits: float
    draw_bps: float

    def __post_init__(self) -> None:
        _at_least_zero(self.pair_id, stock_bits=self.stock_bits, draw_bps=self.draw_bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwayProblem:
    """Everything that a runway depends on; every session has as many draws as the others."""

    horizon_s: float
    links: tuple[RunwayLink, ...]
    passes: tuple[RunwayPass, ...]
    ways: tuple[RunwayWay, ...]
    pairs: tuple[RunwayPair, ...]
    step_s: float = 3600.0  #: merges come about this often

    def __post_init__(self) -> None:
        for name in ("horizon_s", "step_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise FactError(f"{name} {value}; allowed: above 0")
        if len({one.draws_bits.size for one in self.passes}) > 1:
            raise FactError("the passes of a runway differ in their number of draws")
        known = {link.pool_id for link in self.links}
        used = {pool for way in self.ways for pool in way.shares}
        missing = sorted((used | {one.pool_id for one in self.passes}) - known)
        if missing:
            raise FactError(f"link {missing[0]} is used and not listed")
        asked = {pair.pair_id for pair in self.pairs}
        strange = sorted({way.pair_id for way in self.ways} - asked)
        if strange:
            raise FactError(f"a way is for pair {strange[0]}, which is not listed")


@dataclass(frozen=True, slots=True)
class Band:
    """A stock into the future and when it ends.

    `bits` has a row for each of QUANTILES over `times_s`. `dry_s` are the quantiles of the
    instant at which it runs dry: the first is the pessimist's (one draw in ten is dry by
    then); infinity is beyond the horizon.
    """

    times_s: FloatArray
    bits: FloatArray
    dry_s: tuple[float, float, float]
    short_bits: tuple[float, float, float]  #: of what is drawn within the horizon, not there
    draws_dry_s: FloatArray = field(repr=False, compare=False)
    draws_short_bits: FloatArray = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one pair loses without some sessions: mean over the draws, negative for a gain.

    A draw that does not run dry counts as dry at the horizon, so `earlier_s` is a lower limit
    where `before_s` is infinite.
    """

    pair_id: str
    before_s: float  #: median of when it runs dry
    after_s: float
    earlier_s: float
    short_bits: float  #: more that is asked for within the horizon and not there


class Runway:
    """The runway of a problem, and of the same with passes taken out, worked out again only there.

    Made once; `without` answers a toggle from what it holds.
    """

    def __init__(self, problem: RunwayProblem) -> None:
        self.problem = problem
        steps = max(1, math.ceil(problem.horizon_s / problem.step_s))
        even = np.linspace(0.0, problem.horizon_s, steps + 1)
        ahead = [one for one in problem.passes if one.usable_s < problem.horizon_s]
        jumps = np.unique([one.usable_s for one in ahead])
        # Twice for a deposit: just before it, and with it. In between each link's key is linear.
        self.times_s = np.sort(np.concatenate([np.setdiff1d(even, jumps), jumps, jumps]))
        self._links = {link.pool_id: link for link in problem.links}
        self._by_link: dict[str, list[RunwayPass]] = {}
        for one in ahead:
            self._by_link.setdefault(one.pool_id, []).append(one)
        self._ways: dict[str, list[RunwayWay]] = {d.pair_id: [] for d in problem.pairs}
        for way in problem.ways:
            self._ways[way.pair_id].append(way)
        draws = problem.passes[0].draws_bits.size if problem.passes else 1
        # Arrays to work in: making them anew for each pair would take most of the time.
        self._room = np.empty((2, self.times_s.size, draws))
        self._other = np.empty((self.times_s.size, draws))
        self._key = {name: self._link_key(name, frozenset()) for name in self._links}
        shown = np.linspace(0, self.times_s.size - 1, min(LEVELS_MAX, self.times_s.size))
        self._shown = np.unique(shown.round().astype(int))
        self.bands = {d.pair_id: self._band(d, self._key) for d in problem.pairs}

    def link_band(self, pool_id: str) -> FloatArray:
        """All key that a link will have had by each of `times_s`, a row for each quantile.

        Nothing is taken off for merges: it is what the link brings in.
        """
        return _quantiles(self._key[pool_id])

    def without(self, passes: frozenset[str]) -> dict[str, Band]:
        """The bands of every pair if the named passes bring nothing; raises FactError."""
        strange = sorted(passes - {one.name for one in self.problem.passes})
        if strange:
            raise FactError(f"{strange[0]} is none of the {len(self.problem.passes)} passes ahead")
        hit = {one.pool_id for one in self.problem.passes if one.name in passes}
        key = self._key | {name: self._link_key(name, passes) for name in hit}
        touched = {way.pair_id for way in self.problem.ways if hit & way.shares.keys()}
        return {
            pair.pair_id: self._band(pair, key)
            if pair.pair_id in touched
            else self.bands[pair.pair_id]
            for pair in self.problem.pairs
        }

    def changes(self, passes: frozenset[str]) -> tuple[Change, ...]:
        """What each pair loses without the named passes, the greatest loss first."""
        found = []
        for name, band in self.without(passes).items():
            before, end = self.bands[name], self.problem.horizon_s
            if band is before:
                continue
            earlier = np.minimum(before.draws_dry_s, end) - np.minimum(band.draws_dry_s, end)
            change = Change(
                pair_id=name,
                before_s=before.dry_s[1],
                after_s=band.dry_s[1],
                earlier_s=float(earlier.mean()),
                short_bits=float((band.draws_short_bits - before.draws_short_bits).mean()),
            )
            if change.earlier_s or change.short_bits:
                found.append(change)
        return tuple(sorted(found, key=lambda c: (-c.earlier_s, -c.short_bits, c.pair_id)))

    def _link_key(self, pool_id: str, without: frozenset[str]) -> FloatArray:
        """Key that a link has had by each instant: a row of an instant, a column of a draw."""
        link = self._links[pool_id]
        fixed = (link.stock_bits + link.refill_bps * self.times_s)[:, None]
        passes = [one for one in self._by_link.get(pool_id, ()) if one.name not in without]
        if not passes:
            return fixed
        found = np.repeat(fixed, passes[0].draws_bits.size, axis=1)
        for one in passes:
            found[np.searchsorted(self.times_s, one.usable_s, side="right") - 1 :] += one.draws_bits
        return found

    def _given(self, way: RunwayWay, key: Mapping[str, FloatArray], room: FloatArray) -> FloatArray:
        """What a way has given by each instant: as much as its slowest link's part allows."""
        fixed = [key[name] * share for name, share in way.shares.items() if key[name].shape[1] == 1]
        drawn = [(key[name], share) for name, share in way.shares.items() if key[name].shape[1] > 1]
        room[:] = np.minimum.reduce(fixed) if fixed else np.inf
        for bits, share in drawn:
            np.minimum(room, np.multiply(bits, share, out=self._other), out=room)
        return room

    def _band(self, pair: RunwayPair, key: Mapping[str, FloatArray]) -> Band:
        """Follow a pair's stock through every draw."""
        times = self.times_s
        level, room = self._room
        level[:] = (pair.stock_bits - pair.draw_bps * times)[:, None]
        for way in self._ways[pair.pair_id]:
            level += self._given(way, key, room)
        # What is asked for while there is none is lost to the application, not owed to it.
        missing = np.maximum.accumulate(np.negative(level, out=room), axis=0, out=room)
        np.maximum(missing, 0.0, out=missing)
        dry = self._first_dry(pair, level, key)
        return Band(
            times_s=times[self._shown],
            bits=_quantiles(level[self._shown] + missing[self._shown]),
            dry_s=quantiles_of(dry),
            short_bits=quantiles_of(missing[-1]),
            draws_dry_s=dry,
            draws_short_bits=missing[-1].copy(),
        )

    def _first_dry(
        self, pair: RunwayPair, level: FloatArray, key: Mapping[str, FloatArray]
    ) -> FloatArray:
        """The instant at which each draw falls below zero; infinity if it never does.

        Between two instants another link may become the slowest of a way, so the level bends, but
        only downwards. Newton's steps from the right end then never pass the instant looked for.
        """
        dry_s = np.full(level.shape[1], np.inf)
        after = (level < 0.0).argmax(axis=0)
        draws = np.flatnonzero(after)
        if not draws.size:
            return dry_s
        after = after[draws]
        begin_s, end_s = self.times_s[after - 1], self.times_s[after]
        ends = [
            _ends([(key[name], share) for name, share in way.shares.items()], after, draws)
            for way in self._ways[pair.pair_id]
        ]
        part = np.ones(draws.size)
        for _ in range(1 + sum(len(low) for low, _ in ends)):
            left = pair.stock_bits - pair.draw_bps * (begin_s + part * (end_s - begin_s))
            slope = -pair.draw_bps * (end_s - begin_s)
            for low, high in ends:
                seen = low + part * (high - low)
                least = seen.argmin(axis=0), np.arange(draws.size)
                left += seen[least]
                slope = slope + (high - low)[least]
            step = left / slope
            part = np.clip(part - step, 0.0, 1.0)
            if np.abs(step).max() < 1e-12:
                break
        dry_s[draws] = begin_s + part * (end_s - begin_s)
        return dry_s


def _ends(
    links: Sequence[tuple[FloatArray, float]], after: IntArray, draws: IntArray
) -> tuple[FloatArray, FloatArray]:
    """What each link of a way allows at the begin and at the end of a draw's interval."""
    columns = [np.minimum(draws, bits.shape[1] - 1) for bits, _ in links]
    low, high = (
        np.array([bits[row, at] * share for (bits, share), at in zip(links, columns, strict=True)])
        for row in (after - 1, after)
    )
    return low, high


def _quantiles(draws: FloatArray) -> FloatArray:
    """QUANTILES of each row, a row for each: outcomes that were drawn, none in between."""
    count = draws.shape[1]
    places = [min(int(q * count), count - 1) for q in QUANTILES]
    return np.ascontiguousarray(np.partition(draws, sorted(set(places)), axis=1)[:, places].T)


def quantiles_of(draws: FloatArray) -> tuple[float, float, float]:
    """QUANTILES of some draws."""
    return _three(_quantiles(draws[None]))


def _three(values: FloatArray) -> tuple[float, float, float]:
    low, middle, high = values[:, 0]
    return float(low), float(middle), float(high)


def shares_of(
    flows: Sequence[tuple[str, Sequence[tuple[str, int]], float]],
) -> tuple[RunwayWay, ...]:
    """The ways that a plan's flows make.

    flows : (pair, (pool_id, bits of it for one bit served) of each link, bits served)

    A link's key is parted in proportion to what the flows take of it; flows of one pair by the
    same links are one way.
    """
    taken: dict[str, float] = {}
    merged: dict[tuple[str, tuple[tuple[str, int], ...]], float] = {}
    for pair_id, uses, bits in flows:
        key = (pair_id, tuple(sorted(uses)))
        merged[key] = merged.get(key, 0.0) + bits
        for pool_id, times in uses:
            taken[pool_id] = taken.get(pool_id, 0.0) + bits * times
    return tuple(
        RunwayWay(pair_id=pair_id, shares={pool: bits / taken[pool] for pool, _ in uses})
        for (pair_id, uses), bits in merged.items()
        if bits > 0.0
    )


def _at_least_zero(what: str, **values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0.0):
            raise FactError(f"{what}: {name} {value}; allowed: 0 and up")
